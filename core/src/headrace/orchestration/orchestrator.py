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
from headrace.orchestration.serving import Serving
from headrace.ports.run_store import OpenRunStore, Writing
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Fact, Facts, Retry
from headrace.rules.verdicts import Verdict, refused

FIRST_EPOCH = 1

AWAY_SECONDS = 0.5
"""Who waits longer than this for the store sees that it was away, for others too."""

MOST_LOST = 100
"""How many lost runs are released in one transaction."""

_CUTS_SHORT = (StateType.FAILED, StateType.CRASHED, StateType.CANCELLED, StateType.PAUSED)
"""Ends of a root run that may leave something under way in it: a flow that took too long, say, waits for nothing."""

LOST_MESSAGE = "Nobody has renewed its lease: its processes were killed, or cannot reach the orchestration."
CAME_BACK = "It was presumed lost, and was not."


@attrs.frozen(kw_only=True)
class Orchestrator:
    """Changes runs. `tell` hears of every event after it was stored."""

    store: OpenRunStore
    rules: RuleBook
    clock: Clock
    lease_seconds: float
    serving: Serving
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
                self._end_late(writing, run.root_id)
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
            writing.remember(move.id, run.id, verdict)
            event = self._enter(writing, run, verdict.state)
            if run.root_id != run.id:
                self._end_late(writing, run.root_id)
            elif facts.lease is not None and not facts.lease.live and move.epoch == facts.lease.epoch and not _lets_go(run, verdict.state):
                writing.renew_lease(run.root_id, epoch=facts.lease.epoch, seconds=self.lease_seconds)
        self.tell(event)
        return verdict

    def release_lost_runs(self) -> list[FlowRun]:
        """Says what becomes of root runs whose lease has run out; the answer has those of them that changed."""
        now = self.clock.now()
        with self.store.reading() as reading:
            if not reading.lost(1) or self.serving.is_away(reading):
                return []
        released: list[FlowRun] = []
        events: list[Event] = []
        asked = self.clock.monotonic()
        with self.store.writing() as writing:
            was_away = self.clock.monotonic() - asked > AWAY_SECONDS
            for run in writing.lost(MOST_LOST):
                lease = writing.lease(run.id)
                if was_away and lease is not None:  # whoever could not renew either is given the time to do so
                    writing.renew_lease(run.id, epoch=lease.epoch, seconds=self.lease_seconds)
                    continue
                writing.end_lease(run.id)
                state = self._lost_state(run, now)
                if state is not None:
                    events.append(self._enter(writing, run, state))
                    released.append(run.entering(state))
        for event in events:
            self.tell(event)
        return released

    def _lost_state(self, run: FlowRun, now: datetime) -> State | None:
        """What a run enters that was presumed lost; None where it has ended, or only waits to be taken."""
        if run.state.is_terminal() or (run.state.is_scheduled() and run.max_restarts is not None):
            return None
        move = Move(id=f"{run.id}:{run.revision}:lost", run_id=run.id, state=State.lost(LOST_MESSAGE))
        return self.rules.decide(move, Facts(now=now, run=run)).state

    def _enter(self, writing: Writing, run: FlowRun, state: State) -> Event:
        """Writes that a run enters a state, with all that follows from it."""
        writing.update_flow_run(run.entering(state), was=run.revision)
        is_root = run.root_id == run.id
        if is_root and _lets_go(run, state):
            writing.end_lease(run.id)
        if is_root and (state.awaits_restart() or state.type in _CUTS_SHORT):
            self._end_inside(writing, run, state)
        if run.deployment_id is not None and state.is_terminal() and not state.is_lost():
            assert state.timestamp is not None, "a state that was accepted has its timestamp"
            writing.assign(run.id, ())
            writing.end_waits(run.id, state.timestamp)
        return writing.append_event(moved(run, state))

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
            facts = self._task_facts(writing, move, run, parent, retry)
            known = writing.task_run(run.id)
            if facts.earlier is None and known is not None and known.revision > run.revision and _has_ended(known):
                return refused("the task run has ended since")  # a message that was lost, and comes all the same
            verdict = self.rules.decide(move, facts)
            if facts.earlier is not None or verdict.state is None or verdict.state.timestamp is None:
                return verdict
            entered = run.entering(verdict.state)
            writing.remember(move.id, run.flow_run_id, verdict)
            self._write_task_runs(writing, [entered], [RunState(run_id=run.id, revision=entered.revision, state=verdict.state)])
            owner = verdict.state.reference.kept_by if verdict.state.reference is not None else None
            if owner is not None and owner != parent.root_id:
                writing.borrow(owner, parent.root_id)
            if verdict.state.type is StateType.RUNNING:
                limited = [limit.tag for limit in writing.limits(run.tags)]
                writing.hold_slots(run.id, limited, root_id=parent.root_id, epoch=parent.epoch)
            self._end_late(writing, parent.root_id)
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
            if batch.task_runs:
                self._end_late(writing, batch.flow_run_id)
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
            if run is not None and run.state.is_paused():
                return LeaseOrder(stop=True, reason=run.state.message or "the run was paused")
            if run is None or not writing.renew_lease(run_id, epoch=epoch, seconds=self.lease_seconds):
                return _stale(run_id)
            if run.state.type in (StateType.CANCELLING, StateType.CANCELLED):
                return LeaseOrder(stop=True, reason=run.state.message or "the run was cancelled")
            event = self._bring_back(writing, run)
        if event is not None:
            self.tell(event)
        return LeaseOrder()

    def _bring_back(self, writing: Writing, run: FlowRun) -> Event | None:
        """A run that was presumed lost, and whose holder renews, is what it was before."""
        if not (run.state.is_lost() or run.state.awaits_restart()):
            return None
        before = next(state for state in reversed(writing.states(run.id)) if not (state.is_lost() or state.awaits_restart()))
        state = attrs.evolve(before, timestamp=self.clock.now(), message=CAME_BACK)
        writing.update_flow_run(run.coming_back(state), was=run.revision)
        return writing.append_event(moved(run, state))

    def _end_inside(self, writing: Writing, root: FlowRun, ended: State) -> None:
        """What was under way in a run whose process is gone has ended with it: nothing stays RUNNING that nobody runs."""
        state = _inside(root, ended)
        inside = FlowRunFilter(root_ids=(root.id,), state_types=NOT_ENDED)
        flow_run_ids = [root.id]
        while subflows := [run for run in writing.flow_runs(inside, Page()) if run.id != root.id]:
            for run in subflows:
                writing.update_flow_run(run.entering(state), was=run.revision)
            flow_run_ids += [run.id for run in subflows]
        for flow_run_id in flow_run_ids:
            while runs := writing.task_runs(TaskRunFilter(flow_run_ids=(flow_run_id,), state_types=NOT_ENDED), Page()):
                if state.is_lost():  # no state of its own making: should its process come back, it goes on counting from where it was
                    writing.put_task_runs(attrs.evolve(run, state=state, end_time=state.timestamp) for run in runs)
                    continue
                entered = [run.entering(state) for run in runs]
                self._write_task_runs(writing, entered, [RunState(run_id=run.id, revision=run.revision, state=state) for run in entered])

    def _end_late(self, writing: Writing, root_id: str) -> None:
        """What is begun in a run that has ended, by who has not heard of it yet, ends with it: nobody else would ever end it."""
        root = writing.flow_run(root_id)
        if root is not None and _has_no_process(writing, root):
            self._end_inside(writing, root, attrs.evolve(root.state, timestamp=self.clock.now()))

    def _check_owner(self, writing: Writing, run: FlowRun) -> None:
        lease = writing.lease(run.root_id)
        if lease is None or lease.epoch != run.epoch:
            raise RunStopped(run=f"flow run {run.name!r}", reason=_stale(run.root_id).reason)


def _has_ended(run: TaskRun) -> bool:
    """Whether it has, rather than being presumed to have."""
    return run.state.is_terminal() and not run.state.is_lost()


def _lets_go(run: FlowRun, state: State) -> bool:
    """Whether nobody is to own the run any more: it has ended, or goes back to where it was taken from."""
    return state.is_terminal() or state.is_paused() or state.awaits_restart() or (state.is_scheduled() and run.state.is_pending())


def _has_no_process(writing: Writing, root: FlowRun) -> bool:
    """Whether whoever still writes of the run should have stopped: it has ended, or waits to be taken."""
    state = root.state
    if state.is_scheduled() and not state.awaits_restart():
        lease = writing.lease(root.id)
        return lease is None or not lease.live
    return state.is_scheduled() or state.is_terminal() or state.is_paused()


def _inside(root: FlowRun, ended: State) -> State:
    """What becomes of all that is under way in a root run that ended so, without a word of its process."""
    message = f"Its root flow run {root.name!r} ended before it did."
    if ended.is_cancelled():
        return attrs.evolve(State.cancelled(message), timestamp=ended.timestamp)
    is_presumed = ended.is_lost() or ended.is_scheduled() or ended.is_paused() or ended.is_failed()
    return attrs.evolve(State.lost(message) if is_presumed else State.crashed(message), timestamp=ended.timestamp)


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
