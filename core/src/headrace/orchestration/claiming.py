"""Claiming: runs that are due go to an agent, each once, with a lease and its epoch.

A run counts in every queue that it is in, whichever queue it was taken through, and is taken through one that has room. A full or paused queue stands in
no other's way.

Many runs may be due that are held back, so they are passed over while nobody is kept from writing; from the first one on that may be taken, runs are
judged once more and taken, so many in a transaction.

A claim is over with the transaction in which it takes something, all that it ever takes, and is known by that for good. One that finds nothing leaves
nothing behind, so that who asks often writes nothing; it is open, and who asks goes on with its id. Whatever a message takes that comes late is given to
who asks then, and is not left to a lease that nobody knows of.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import attrs

from headrace.clock import Clock
from headrace.model.choices import Choice
from headrace.model.deployments import UNIVERSAL
from headrace.model.events import Event
from headrace.model.moves import Move
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.orchestration.matching import Matching, is_deployment_paused, unknown_queue
from headrace.orchestration.orchestrator import moved
from headrace.orchestration.scheduling import earlier_runs, ended, later_runs, to_be_cancelled
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Facts, Retry
from headrace.rules.gates import closed
from headrace.rules.ticks import EVER
from headrace.rules.verdicts import Verdict

AT_ONCE = 200
"""How many runs are judged in one transaction, so that nobody waits for long."""

MOST_PORTIONS = 10
"""How many transactions a claim takes; who asks is not kept waiting for what is left, and asks again at once."""

LAST_ID = "\U0010ffff"
"""Comes after every id."""

UNIVERSAL_CHOICE = Choice(UNIVERSAL)

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
        claim = _Claim(request=request, now=self.clock.now())
        with self.store.reading() as reading:
            if (given := claim.given(reading)) is not None:
                return given
            queues = _queues(reading, request.queue_ids)
            unmatched = [queue.id for queue in queues if not queue.is_matched]
            if not unmatched and not self._pass_over(reading, queues, claim):
                return claim.answer(reading, queues)
        self.matching.finish(unmatched)
        for _ in range(MOST_PORTIONS):
            with self.store.writing() as writing:
                if (given := claim.given(writing)) is not None:
                    return given
                self._take_some(writing, _queues(writing, request.queue_ids), claim)
            self._tell(claim)
            with self.store.reading() as reading:
                queues = _queues(reading, request.queue_ids)
                if claim.is_full or not self._pass_over(reading, queues, claim):
                    return claim.answer(reading, queues)
            if claim.taken:
                break
        return claim.answered(claim.now)

    def _pass_over(self, reading: Reading, queues: list[WorkQueue], claim: "_Claim") -> bool:
        """Goes by those that are held back; whether one is left that something is to be done about."""
        due = _Due(reading, claim)
        while found := due.first(queues):
            run, queue = found
            if claim.leaves(run):
                claim.passed(run, None)
                continue
            verdict, run = self._decided(reading, attrs.evolve(run, work_queue=queue.name), claim)
            if verdict.state is not None or any(to_be_cancelled(run, earlier_runs(reading, run))):
                return True
            claim.passed(run, verdict.until)
        return False

    def _take_some(self, writing: Writing, queues: list[WorkQueue], claim: "_Claim") -> None:
        """Takes what is due, as much as is done at once."""
        due = _Due(writing, claim)
        for _ in range(AT_ONCE):
            found = None if claim.is_full else due.first(queues)
            if found is None:
                return
            run, queue = found
            if claim.leaves(run):
                claim.passed(run, None)
                continue
            verdict, run = self._decided(writing, attrs.evolve(run, work_queue=queue.name), claim)
            if verdict.state is None:
                claim.passed(run, verdict.until)
                claim.in_the_way += to_be_cancelled(run, earlier_runs(writing, run))
                continue
            claim.passed(run, None)
            if verdict.state.is_terminal():
                claim.events.append(ended(writing, found[0], verdict.state))
                continue
            if not claim.taken:
                writing.remember(claim.request.holder, run.id, verdict)
            claim.events.append(self._take(writing, run, verdict.state, claim.request.holder))
            claim.taken.append(run.entering(verdict.state))

    def _tell(self, claim: "_Claim") -> None:
        events, moves = claim.events, claim.in_the_way
        claim.events, claim.in_the_way = [], []
        for event in events:
            self.tell(event)
        for move in moves:
            self.move(move)

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

    def _decided(self, reading: Reading, run: FlowRun, claim: "_Claim") -> tuple[Verdict, FlowRun]:
        """What the rules say of the run's being taken, and the run in its next epoch."""
        lease = reading.lease(run.id)
        run = attrs.evolve(run, epoch=(lease.epoch if lease is not None else run.epoch) + 1)
        move = Move(id=f"{claim.request.id}:{run.id}", run_id=run.id, state=State.pending())
        facts = Facts(
            now=claim.now,
            run=run,
            retry=Retry(limit=run.retries, delay=run.retry_delay),
            is_deployment_paused=run.deployment_id is not None and is_deployment_paused(reading, run.deployment_id),
            earlier_runs=earlier_runs(reading, run),
            later_runs=later_runs(reading, run, claim.now),
        )
        return self.rules.decide(move, facts), run

    def _take(self, writing: Writing, run: FlowRun, state: State, holder: str) -> Event:
        writing.grant_lease(run.id, epoch=run.epoch, holder=holder, seconds=self.lease_seconds)
        assert state.timestamp is not None, "a state that was accepted has its timestamp"
        writing.end_waits(run.id, state.timestamp)
        assert writing.update_flow_run(run.entering(state), was=run.revision), "nobody else writes in this transaction"
        return writing.append_event(moved(run, state))


@attrs.define
class _Claim:
    """How far a claim has come: what is taken, what was passed over, up to where in each queue, and what is still to be told and moved."""

    request: ClaimRequest
    now: datetime
    taken: list[FlowRun] = attrs.field(factory=list)
    events: list[Event] = attrs.field(factory=list)
    in_the_way: list[Move] = attrs.field(factory=list)
    judged: set[str] = attrs.field(factory=set)
    again: list[datetime] = attrs.field(factory=list)
    positions: dict[str, tuple[datetime, str]] = attrs.field(factory=dict)

    @property
    def is_full(self) -> bool:
        return len(self.taken) >= self.request.limit

    def given(self, reading: Reading) -> Claimed | None:
        """What the claim was given when it was asked before; None as long as it was given nothing."""
        held = reading.held_by(self.request.holder)
        if not held and reading.verdict(self.request.holder) is None:
            return None
        return Claimed(runs=tuple(held), next_due=self.now, is_over=True)

    def leaves(self, run: FlowRun) -> bool:
        """Whether a run is left to others, since who asks has no room for more of its flow runner."""
        return bool(self.request.full_runners) and (run.flow_runner or UNIVERSAL_CHOICE).name in self.request.full_runners

    def passed(self, run: FlowRun, again: datetime | None) -> None:
        """Is done with a run; it may be asked about again at a moment."""
        self.judged.add(run.id)
        if again is not None:
            self.again.append(again)

    def answer(self, reading: Reading, queues: Iterable[WorkQueue]) -> Claimed:
        """What was taken, and when there is more to take that is not held back; a full queue will say when it has room, by the end of a run."""
        if self.is_full:
            return self.answered(min([self.now, *self.again]))
        nexts = (reading.due(queue.id, EVER, 1, after=(self.now, LAST_ID)) for queue in queues if _is_open(reading, queue))
        moments = [*(run.state.scheduled_time for found in nexts for run in found), *self.again]
        return self.answered(min((moment for moment in moments if moment is not None), default=None))

    def answered(self, next_due: datetime | None) -> Claimed:
        """What was taken."""
        return Claimed(runs=tuple(self.taken), next_due=next_due, is_over=bool(self.taken))


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
    """Runs that are due and that a claim has not judged. So many may be passed that they are read in portions that double, and none is read anew for each
    of them."""

    def __init__(self, reading: Reading, claim: _Claim) -> None:
        self._reading = reading
        self._claim = claim
        self._waiting: dict[str, deque[FlowRun]] = {}
        self._limits: dict[str, int] = {}
        self._read_whole: set[str] = set()

    def first(self, queues: Iterable[WorkQueue]) -> tuple[FlowRun, WorkQueue] | None:
        """The run that is due first, out of the queues that have room, with its queue."""
        firsts = [(run, queue) for queue in queues if _is_open(self._reading, queue) and (run := self._first_of(queue.id)) is not None]
        return min(firsts, key=lambda first: _urgency(first[0], self._claim.now), default=None)

    def _first_of(self, queue_id: str) -> FlowRun | None:
        waiting, now = self._waiting.setdefault(queue_id, deque()), self._claim.now
        while True:
            while waiting and (waiting[0].id in self._claim.judged or _is_of_another(waiting[0])):
                self._claim.positions[queue_id] = _urgency(waiting.popleft(), now)
            if waiting or queue_id in self._read_whole:
                return waiting[0] if waiting else None
            limit = self._limits[queue_id] = 2 * self._limits.get(queue_id, 0) + 1
            found = self._reading.due(queue_id, now, limit, after=self._claim.positions.get(queue_id))
            waiting.extend(found)
            if len(found) < limit:
                self._read_whole.add(queue_id)


def _is_of_another(run: FlowRun) -> bool:
    """Whether no agent has any business with a run: its own process has it, or had it and is about to be found lost."""
    return run.max_restarts is None


def _urgency(run: FlowRun, until: datetime) -> tuple[datetime, str]:
    return run.state.scheduled_time or until, run.id


def _is_open(reading: Reading, queue: WorkQueue) -> bool:
    """Whether a queue gives anything away now; where it has no limit, nothing need be counted."""
    return closed(queue, 0 if queue.concurrency_limit is None else reading.in_use(queue.id)) is None
