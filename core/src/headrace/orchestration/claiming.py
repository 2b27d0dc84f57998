"""Claiming: runs that are due go to an agent, each once, with a lease and its epoch.

A run counts in every queue that it is in, whichever queue it was taken through, and is taken through one that has room. A full or paused queue stands in
no other's way.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import attrs

from headrace.clock import Clock
from headrace.model.events import Event
from headrace.model.moves import Move
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.schedules import Overlap
from headrace.model.states import State, StateType
from headrace.orchestration.matching import Matching, is_deployment_paused, unknown_queue
from headrace.orchestration.orchestrator import moved
from headrace.orchestration.scheduling import earlier_runs, ended
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Facts, Retry
from headrace.rules.gates import closed
from headrace.rules.ticks import EVER
from headrace.rules.verdicts import Verdict

ADOPTED = "adopted"
"""What stands in place of a claim in the holder of a lease that was adopted."""


@attrs.frozen(kw_only=True)
class Claiming:
    """Hands out runs."""

    store: OpenRunStore
    rules: RuleBook
    clock: Clock
    lease_seconds: float
    matching: Matching
    move: Callable[[Move], Verdict]
    tell: Callable[[Event], None]

    def claim(self, request: ClaimRequest) -> Claimed:
        """Takes what is due, up to the limit; asked again, it gives what it gave before."""
        now = self.clock.now()
        with self.store.reading() as reading:
            queues = _queues(reading, request.queue_ids)
            is_ready = all(queue.is_matched for queue in queues)
            if is_ready and not reading.held_by(request.holder) and _first(reading, queues, now, ()) is None:
                return Claimed(next_due=_next_due(reading, queues, ()))
        self.matching.finish(request.queue_ids)
        return self._claim(request, now)

    def _claim(self, request: ClaimRequest, now: datetime) -> Claimed:
        taken: list[FlowRun] = []
        passed: dict[str, datetime | None] = {}
        events: list[Event] = []
        in_the_way: list[Move] = []
        with self.store.writing() as writing:
            held = writing.held_by(request.holder)
            if held:
                return Claimed(runs=tuple(held))
            queues = _queues(writing, request.queue_ids)
            due = _Due(writing, now)
            while len(taken) < request.limit and (found := due.first(queues)):
                run, queue = found
                due.decided.add(run.id)
                if run.max_restarts is None:  # its own process has it, or had it and is about to be found lost
                    passed[run.id] = None
                    continue
                verdict, run = self._decided(writing, attrs.evolve(run, work_queue=queue.name), request, now)
                if verdict.state is None:
                    passed[run.id] = verdict.until
                    in_the_way += _to_be_cancelled(writing, run)
                    continue
                if verdict.state.is_terminal():
                    events.append(ended(writing, found[0], verdict.state))
                    continue
                events.append(self._take(writing, run, verdict.state, request.holder))
                taken.append(run.entering(verdict.state))
            next_due = _next_due(writing, queues, passed) if len(taken) < request.limit else now
        for event in events:
            self.tell(event)
        for move in in_the_way:
            self.move(move)
        moments = [moment for moment in (next_due, *passed.values()) if moment is not None]
        return Claimed(runs=tuple(taken), next_due=min(moments, default=None))

    def adopt(self, agent_id: str, identities: Iterable[str]) -> list[FlowRun]:
        """Gives an agent the runs of those identities whose own agent is gone, and, where it asks again, those that it was given."""
        identities = frozenset(identities)
        with self.store.reading() as reading:
            if not any(_orphans(reading, agent_id, identities)):
                return []
        with self.store.writing() as writing:
            adopted = list(_orphans(writing, agent_id, identities))
            for run in adopted:
                writing.grant_lease(run.id, epoch=run.epoch, holder=f"{agent_id}/{ADOPTED}", seconds=self.lease_seconds)
        return adopted

    def _decided(self, writing: Writing, run: FlowRun, request: ClaimRequest, now: datetime) -> tuple[Verdict, FlowRun]:
        """What the rules say of the run's being taken, and the run in its next epoch."""
        lease = writing.lease(run.id)
        run = attrs.evolve(run, epoch=(lease.epoch if lease is not None else run.epoch) + 1)
        move = Move(id=f"{request.id}:{run.id}", run_id=run.id, state=State.pending())
        facts = Facts(
            now=now,
            run=run,
            retry=Retry(limit=run.retries, delay=run.retry_delay),
            is_deployment_paused=run.deployment_id is not None and is_deployment_paused(writing, run.deployment_id),
            earlier_runs=earlier_runs(writing, run),
        )
        return self.rules.decide(move, facts), run

    def _take(self, writing: Writing, run: FlowRun, state: State, holder: str) -> Event:
        writing.grant_lease(run.id, epoch=run.epoch, holder=holder, seconds=self.lease_seconds)
        assert state.timestamp is not None, "a state that was accepted has its timestamp"
        writing.end_waits(run.id, state.timestamp)
        assert writing.update_flow_run(run.entering(state), was=run.revision), "nobody else writes in this transaction"
        return writing.append_event(moved(run, state))


def _to_be_cancelled(reading: Reading, run: FlowRun) -> Iterator[Move]:
    """Moves that cancel what is in the way of a run whose schedule says so; asked again, they change nothing."""
    if run.tick is not None and run.tick.overlap is Overlap.CANCEL_PREVIOUS:
        state = State(type=StateType.CANCELLING, message=f"Run {run.name!r} of its schedule is due.")
        for earlier in earlier_runs(reading, run):
            yield Move(id=f"{run.id}:cancels:{earlier.id}", run_id=earlier.id, state=state)


def _queues(reading: Reading, queue_ids: Iterable[str]) -> list[WorkQueue]:
    found = {queue_id: reading.work_queue(queue_id) for queue_id in queue_ids}
    for queue_id, queue in found.items():
        if queue is None:
            raise unknown_queue(queue_id)
    return [queue for queue in found.values() if queue is not None]


def _orphans(reading: Reading, agent_id: str, identities: Iterable[str]) -> Iterator[FlowRun]:
    """Runs that go on, and were taken by an agent that is not there any more."""
    there = {agent.id for agent in reading.agents() if agent.live} | {agent_id}
    for identity in sorted(identities):
        run_id, _, epoch = identity.rpartition(".")
        run, lease = reading.flow_run(run_id), reading.lease(run_id)
        if run is None or lease is None or str(lease.epoch) != epoch or run.max_restarts is None or run.state.is_terminal():
            continue
        if lease.holder.partition("/")[0] not in there or lease.holder == f"{agent_id}/{ADOPTED}":
            yield run


class _Due:
    """Runs that are due, each until it is among the `decided`. So many may be passed that they are read in portions that double, and none is read anew
    for each of them."""

    def __init__(self, reading: Reading, until: datetime) -> None:
        self.decided: set[str] = set()
        self._reading = reading
        self._until = until
        self._waiting: dict[str, deque[FlowRun]] = {}
        self._limits: dict[str, int] = {}
        self._read_whole: set[str] = set()

    def first(self, queues: Iterable[WorkQueue]) -> tuple[FlowRun, WorkQueue] | None:
        """The run that is due first, out of the queues that have room, with its queue."""
        firsts = [(run, queue) for queue in queues if _is_open(self._reading, queue) and (run := self._first_of(queue.id)) is not None]
        return min(firsts, key=lambda first: _urgency(first[0], self._until), default=None)

    def _first_of(self, queue_id: str) -> FlowRun | None:
        waiting = self._waiting.setdefault(queue_id, deque())
        while True:
            while waiting and waiting[0].id in self.decided:
                waiting.popleft()
            if waiting or queue_id in self._read_whole:
                return waiting[0] if waiting else None
            limit = self._limits[queue_id] = 2 * self._limits.get(queue_id, 0) + 1
            found = self._reading.due(queue_id, self._until, limit)
            waiting.extend(run for run in found if run.id not in self.decided)
            if len(found) < limit:
                self._read_whole.add(queue_id)


def _first(reading: Reading, queues: Iterable[WorkQueue], until: datetime, passed: Iterable[str]) -> tuple[FlowRun, WorkQueue] | None:
    """The run that is due first, out of the queues that have room, with its queue."""
    passed = frozenset(passed)
    firsts = (
        next(((run, queue) for run in reading.due(queue.id, until, 1 + len(passed)) if run.id not in passed), None)
        for queue in queues
        if _is_open(reading, queue)
    )
    return min((first for first in firsts if first is not None), key=lambda first: _urgency(first[0], until), default=None)


def _urgency(run: FlowRun, until: datetime) -> tuple[datetime, str]:
    return run.state.scheduled_time or until, run.id


def _is_open(reading: Reading, queue: WorkQueue) -> bool:
    """Whether a queue gives anything away now; where it has no limit, nothing need be counted."""
    return closed(queue, 0 if queue.concurrency_limit is None else reading.in_use(queue.id)) is None


def _next_due(reading: Reading, queues: Iterable[WorkQueue], passed: Iterable[str]) -> datetime | None:
    """When the next run is due that is not held back; a full queue will say when it has room again, by the end of a run."""
    first = _first(reading, queues, EVER, passed)
    return first[0].state.scheduled_time if first is not None else None
