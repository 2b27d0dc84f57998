"""The orchestrator: looks up the facts, asks the rules, and writes what they say, in one transaction."""

from collections.abc import Callable, Iterable
from datetime import datetime

import attrs

from headrace.clock import Clock
from headrace.errors import NotFound, RunStopped
from headrace.model.events import Event
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter
from headrace.model.journals import JournalBatch, RunState
from headrace.model.leases import LeaseOrder
from headrace.model.moves import Move
from headrace.model.names import checked_name
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import NOT_ENDED, State, StateType
from headrace.ports.run_store import OpenRunStore, Writing
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Fact, Facts, Retry
from headrace.rules.verdicts import Verdict

FIRST_EPOCH = 1


@attrs.frozen(kw_only=True)
class Orchestrator:
    """Changes runs. `tell` hears of every event after it was stored."""

    store: OpenRunStore
    rules: RuleBook
    clock: Clock
    lease_seconds: float
    tell: Callable[[Event], None]

    def create_flow_run(self, run: FlowRun, holder: str | None) -> FlowRun:
        """Makes a run in its first state; with a holder, owned by it. A run that is known is answered as it is."""
        now = self.clock.now()
        if run.state.timestamp is None:
            run = attrs.evolve(run, state=attrs.evolve(run.state, timestamp=now))
        is_root = run.root_id == run.id
        if is_root and holder is not None:
            run = attrs.evolve(run, epoch=FIRST_EPOCH)
        with self.store.writing() as writing:
            if not writing.add_flow_run(run):
                known = writing.flow_run(run.id)
                assert known is not None, "a run that could not be added is known"
                return known
            if not is_root:
                self._check_owner(writing, run)
            elif holder is not None:
                writing.grant_lease(run.id, epoch=run.epoch, holder=holder, seconds=self.lease_seconds)
            event = writing.append_event(created(run))
        self.tell(event)
        return run

    def move_flow_run(self, move: Move) -> Verdict:
        """Asks that a flow run enter a state."""
        now = self.clock.now()
        with self.store.writing() as writing:
            run = writing.flow_run(move.run_id)
            if run is None:
                raise NotFound(what="flow run", name=move.run_id, command="flow-run ls")
            facts = Facts(
                now=now,
                run=run,
                retry=Retry(limit=run.retries, delay=run.retry_delay),
                earlier=writing.verdict(move.id),
                lease=writing.lease(run.root_id),
            )
            verdict = self.rules.decide(move, facts)
            if facts.earlier is not None or verdict.state is None:
                return verdict
            writing.update_flow_run(run.entering(verdict.state), was=run.revision)
            writing.remember(move.id, run.id, verdict)
            if run.root_id == run.id and _lets_go(run, verdict.state):
                writing.end_lease(run.id)
            if run.root_id == run.id and verdict.state.type in (StateType.CRASHED, StateType.CANCELLED):
                self._end_inside(writing, run, now)
            if run.deployment_id is not None and verdict.state.is_terminal():
                writing.assign(run.id, ())
            event = writing.append_event(moved(run, verdict.state))
        self.tell(event)
        return verdict

    def name_flow_run(self, run_id: str, epoch: int, name: str) -> FlowRun:
        """Gives a run another name, if who asks owns it."""
        with self.store.writing() as writing:
            known = writing.flow_run(run_id)
            if known is None:
                raise NotFound(what="flow run", name=run_id, command="flow-run ls")
            run = attrs.evolve(known, name=checked_name("flow run", name))
            self._check_owner(writing, attrs.evolve(run, epoch=epoch))
            writing.update_flow_run(run, was=run.revision)
            return run

    def move_task_run(self, move: Move, run: TaskRun, retry: Retry) -> Verdict:
        """Asks that a task run enter a state, where the answer depends on what other runs do."""
        with self.store.writing() as writing:
            parent = writing.flow_run(run.flow_run_id)
            if parent is None:
                raise NotFound(what="flow run", name=run.flow_run_id, command="flow-run ls")
            verdict = self.rules.decide(move, self._task_facts(writing, move, run, parent, retry))
            if verdict.state is None or verdict.state.timestamp is None:
                return verdict
            entered = run.entering(verdict.state)
            writing.remember(move.id, run.flow_run_id, verdict)
            self._write_task_runs(writing, [entered], [RunState(run_id=run.id, revision=entered.revision, state=verdict.state)])
            if verdict.state.type is StateType.RUNNING:
                limited = [limit.tag for limit in writing.limits(run.tags)]
                writing.hold_slots(run.id, limited, root_id=parent.root_id, epoch=parent.epoch)
            return verdict

    def _task_facts(self, writing: Writing, move: Move, run: TaskRun, parent: FlowRun, retry: Retry) -> Facts:
        now = self.clock.now()
        needs = self.rules.needs(run.state.type, move.state.type)
        key = move.state.cache_key
        return Facts(
            now=now,
            run=run,
            retry=retry,
            earlier=writing.verdict(move.id),
            lease=writing.lease(parent.root_id),
            limits=tuple(writing.limits(run.tags)) if Fact.LIMITS in needs and run.tags else (),
            cached=writing.cached(key, now) if Fact.CACHED in needs and key is not None else None,
        )

    def write_journal(self, batch: JournalBatch) -> LeaseOrder:
        """Writes what a run's process decided and said, if it still owns the run."""
        with self.store.writing() as writing:
            lease = writing.lease(batch.flow_run_id)
            if lease is None or lease.epoch != batch.epoch:
                return _stale(batch.flow_run_id)
            self._write_task_runs(writing, batch.task_runs, batch.states)
            writing.add_logs(batch.logs)
            event = writing.append_event(self._journaled(batch))
        self.tell(event)
        return LeaseOrder()

    def _journaled(self, batch: JournalBatch) -> Event:
        """The event of a batch; `first_log` lets a reader who has later lines of other processes go back to where this one's begin."""
        first = min((line.id for line in batch.logs), default=None)
        details = {"task_runs": len(batch.task_runs), "logs": len(batch.logs), "first_log": first}
        return Event(moment=self.clock.now(), kind="flow-run.journal", subject=batch.flow_run_id, details=details)

    def _write_task_runs(self, writing: Writing, runs: Iterable[TaskRun], states: Iterable[RunState]) -> None:
        runs, states = tuple(runs), tuple(states)
        writing.put_task_runs(runs)
        writing.add_states(states)
        writing.free_slots(run.id for run in runs if run.tags and run.state.type is not StateType.RUNNING)
        for entry in states:
            if entry.state.type is StateType.COMPLETED and entry.state.cache_key is not None and entry.state.name != "Cached":
                writing.keep_cached(entry.state.cache_key, entry.state, entry.run_id)

    def renew_lease(self, run_id: str, epoch: int) -> LeaseOrder:
        """Prolongs a lease; a run that is being cancelled, was cancelled, or was taken by somebody else, is to stop."""
        with self.store.writing() as writing:
            run = writing.flow_run(run_id)
            if run is None or not writing.renew_lease(run_id, epoch=epoch, seconds=self.lease_seconds):
                return _stale(run_id)
            if run.state.type in (StateType.CANCELLING, StateType.CANCELLED):
                return LeaseOrder(stop=True, reason=run.state.message or "the run was cancelled")
            return LeaseOrder()

    def _end_inside(self, writing: Writing, root: FlowRun, now: datetime) -> None:
        """What was under way in a run whose process is gone has crashed with it: nothing stays RUNNING that nobody runs."""
        state = attrs.evolve(State.crashed(f"Its root flow run {root.name!r} ended before it did."), timestamp=now)
        inside = FlowRunFilter(root_ids=(root.id,), state_types=NOT_ENDED)
        flow_run_ids = [root.id]
        while subflows := [run for run in writing.flow_runs(inside, Page()) if run.id != root.id]:
            for run in subflows:
                writing.update_flow_run(run.entering(state), was=run.revision)
            flow_run_ids += [run.id for run in subflows]
        for flow_run_id in flow_run_ids:
            while runs := writing.task_runs(TaskRunFilter(flow_run_ids=(flow_run_id,), state_types=NOT_ENDED), Page()):
                ended = [run.entering(state) for run in runs]
                self._write_task_runs(writing, ended, [RunState(run_id=run.id, revision=run.revision, state=state) for run in ended])

    def _check_owner(self, writing: Writing, run: FlowRun) -> None:
        lease = writing.lease(run.root_id)
        if lease is None or lease.epoch != run.epoch:
            raise RunStopped(run=f"flow run {run.name!r}", reason=_stale(run.root_id).reason)


def _lets_go(run: FlowRun, state: State) -> bool:
    """Whether nobody is to own the run any more: it has ended, or goes back to where it was taken from."""
    return state.is_terminal() or (state.is_scheduled() and run.state.is_pending())


def created(run: FlowRun) -> Event:
    """The event of a run that is new."""
    assert run.state.timestamp is not None, "a run is made in a state with its timestamp"
    return Event(moment=run.state.timestamp, kind="flow-run.created", subject=run.id, details={"state": run.state.type.value})


def moved(run: FlowRun, state: State) -> Event:
    """The event of a run that enters a state."""
    assert state.timestamp is not None, "a state that was accepted has its timestamp"
    return Event(moment=state.timestamp, kind=f"flow-run.{state.type.value}", subject=run.id, details={"name": state.name})


def _stale(run_id: str) -> LeaseOrder:
    return LeaseOrder(stop=True, reason=f"somebody else owns flow run {run_id} now, or it was deleted")
