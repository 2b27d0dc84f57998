"""The order in which rules are asked: it makes a difference where that is declared, and nowhere else."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, permutations, product

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.moves import Move
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import Overlap, Tick
from headrace.model.states import AWAITING_RESTART, LOST, State, StateType
from headrace.rules.decide import FIRST, ORDERED, STANDARD, RuleBook
from headrace.rules.facts import Facts, Retry
from headrace.rules.rule import Rule
from headrace.rules.verdicts import Answer, accepted

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


class InOrder(RuleBook):
    """The rule book with its standard rules in another order, or with some of them."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        super().__init__()
        self._judges = {pair: tuple(rule for rule in rules if rule.moves.has(*pair)) for pair in self._judges}


BOOK = RuleBook()
EARLIER = FlowRun(id="earlier", name="earlier", state=State.running(), created=NOW, flow_name="f", root_id="earlier")


def kept_in_order(rules: Sequence[Rule]) -> list[Rule]:
    """The rules as they come, but none before one that is declared to go first."""
    waiting, ordered = list(rules), []
    while waiting:
        names = {rule.name for rule in waiting}
        following = next(rule for rule in waiting if not any(after == rule.name and before in names for before, after in ORDERED))
        waiting.remove(following)
        ordered.append(following)
    return ordered


# Moves and facts of all kinds

leases = st.none() | st.builds(Lease, run_id=st.just("run"), epoch=st.integers(1, 2), holder=st.just("h"), live=st.booleans())
states = st.builds(
    State,
    type=st.sampled_from(StateType),
    name=st.sampled_from(["Running", "AwaitingRetry", AWAITING_RESTART, LOST, "Other"]),
    message=st.none() | st.just("why"),
    scheduled_time=st.none() | st.sampled_from([NOW - timedelta(hours=1), NOW, LATER]),
    cache_key=st.none() | st.just("key"),
)
limits = st.builds(ConcurrencyLimit, tag=st.sampled_from(["a", "b"]), limit=st.integers(0, 2), holders=st.just(("run", "other")))
counts = st.integers(0, 4)
ticks = st.builds(
    Tick,
    schedule_id=st.just("s"),
    version=st.just(1),
    at=st.just(NOW),
    start_by=st.none() | st.sampled_from([NOW, LATER]),
    overlap=st.sampled_from(Overlap),
)


@st.composite
def runs(draw: st.DrawFn) -> FlowRun | TaskRun:
    """A run of either kind, in any state."""
    state = attrs.evolve(draw(states), timestamp=NOW)
    if draw(st.booleans()):
        return TaskRun(
            id="run", name="run", state=state, created=NOW, run_count=draw(counts), flow_run_id="flow", task_name="t", task_key="k", call=0
        )
    max_restarts, restarts = draw(st.none() | counts), draw(counts)
    return FlowRun(
        id="run",
        name="run",
        state=state,
        created=NOW,
        run_count=draw(counts),
        flow_name="f",
        root_id="run",
        max_restarts=max_restarts,
        restarts=restarts,
        tick=draw(st.none() | ticks),
    )


facts = st.builds(
    Facts,
    now=st.just(NOW),
    run=runs(),
    retry=st.builds(Retry, limit=counts, delay=st.floats(0, 1e6), wanted=st.booleans()),
    earlier=st.none() | st.just(accepted(State.completed())),
    lease=leases,
    limits=st.lists(limits, max_size=2).map(tuple),
    cached=st.none() | st.just(State.completed(1)),
    is_deployment_paused=st.booleans(),
    earlier_runs=st.just(()) | st.just((EARLIER,)),
)
moves = st.builds(Move, id=st.just("move"), run_id=st.just("run"), state=states, epoch=st.none() | st.integers(1, 2))


@given(move=moves, facts=facts, rules=st.permutations(STANDARD))
def test_any_order_that_keeps_what_is_declared_gives_the_same_verdict(move: Move, facts: Facts, rules: list[Rule]) -> None:
    """For every pair of states, and whatever is known."""
    assert InOrder(kept_in_order(rules)).decide(move, facts) == BOOK.decide(move, facts)


@given(move=moves, facts=facts)
def test_every_move_of_every_run_gets_a_verdict(move: Move, facts: Facts) -> None:
    """Also of flow runs, and of those that were presumed lost. Waiting says until when, and only a stale epoch or a paused run is told to stop."""
    verdict = BOOK.decide(move, facts)
    assert (verdict.state is not None) is (verdict.answer in {Answer.ACCEPTED, Answer.REPLACED})
    assert (verdict.until is not None) is (verdict.answer is Answer.WAIT)
    if facts.earlier is not None:
        assert verdict == facts.earlier
        return
    assert verdict.state is None or verdict.state.timestamp == NOW
    is_stale = move.epoch is not None and facts.lease is not None and move.epoch != facts.lease.epoch
    assert verdict.stop is is_stale or facts.run.state.is_paused()
    assert not (is_stale and verdict.is_written)
    is_holder = move.epoch is not None and facts.lease is not None and move.epoch == facts.lease.epoch
    if facts.run.state.is_terminal() and not (facts.run.state.is_lost() and is_holder):
        assert not verdict.is_written


# Exactly what is declared


def cases() -> Iterator[tuple[Move, Facts]]:
    """Everything that rules look at, in few values, in all combinations."""
    currents = [
        State(type=kind, name=name, scheduled_time=due, timestamp=NOW)
        for kind in StateType
        for name in (kind.value.capitalize(), "AwaitingRetry")
        for due in (None, LATER)
    ]
    wanted = [State(type=kind, cache_key="key") for kind in StateType]
    lease = Lease(run_id="run", epoch=1, holder="h", live=True)
    full = ConcurrencyLimit(tag="a", limit=1, holders=("other",))
    for current, state, epoch, limited, cached, paused in product(
        currents, wanted, (None, 1), ((), (full,)), (None, State.completed()), (False, True)
    ):
        run = FlowRun(id="run", name="run", state=current, created=NOW, flow_name="f", root_id="run", run_count=1, max_restarts=1)
        known = Facts(now=NOW, run=run, retry=Retry(limit=2), lease=lease, limits=limited, cached=cached, is_deployment_paused=paused)
        yield Move(id="move", run_id="run", state=state, epoch=epoch), known
    for due, paused, start_by, overlap in product((NOW, LATER), (False, True), (None, NOW), Overlap):
        tick = Tick(schedule_id="s", version=1, at=NOW, start_by=start_by, overlap=overlap)
        run = FlowRun(
            id="run", name="run", state=State.scheduled(due), created=NOW, flow_name="f", root_id="run", max_restarts=1, tick=tick
        )
        known = Facts(now=NOW, run=run, is_deployment_paused=paused, earlier_runs=(EARLIER,))
        yield Move(id="move", run_id="run", state=State.pending()), known
    for current in (State.scheduled(LATER), State.running()):
        inside = FlowRun(id="inside", name="inside", state=current, created=NOW, flow_name="f", root_id="run")
        yield Move(id="move", run_id="inside", state=State(type=StateType.CANCELLING)), Facts(now=NOW, run=inside)


def test_what_is_declared_makes_a_difference_and_nothing_else_does() -> None:
    """Of any two rules that judge the same move, asked one before the other and the other way round."""
    both = {
        pair: (InOrder(pair), InOrder(pair[::-1]))
        for pair in combinations(STANDARD, 2)
        if any(pair[0].moves.has(*move) and pair[1].moves.has(*move) for move in product(StateType, StateType))
    }
    different = set()
    for move, known in cases():
        concerned = known.run.state.type, move.state.type
        for (first, second), (one_way, other_way) in both.items():
            pair = first.name, second.name
            if pair in different or not (first.moves.has(*concerned) and second.moves.has(*concerned)):
                continue
            if one_way.decide(move, known) != other_way.decide(move, known):
                different.add(pair)
    assert different == ORDERED


def test_the_standard_order_is_one_that_is_declared() -> None:
    """And what is declared can be kept: nothing goes before itself."""
    assert kept_in_order(STANDARD) == list(STANDARD)
    assert {name for pair in ORDERED for name in pair} <= {rule.name for rule in STANDARD}
    assert not any(
        (second, first) in ORDERED for first, second in permutations([rule.name for rule in STANDARD], 2) if (first, second) in ORDERED
    )


@pytest.mark.parametrize("wanted", StateType)
def test_a_replay_is_answered_and_a_stranger_refused_before_any_rule_is_asked(wanted: StateType) -> None:
    """A duplicate even to who does not own the run any more; who does not own it hears nothing else of it."""
    run = FlowRun(id="run", name="run", state=State.cancelled(), created=NOW, flow_name="f", root_id="run")
    lease = Lease(run_id="run", epoch=2, holder="h", live=True)
    move = Move(id="move", run_id="run", state=State(type=wanted), epoch=1)
    first = accepted(State.completed())
    assert [rule.name for rule in FIRST] == ["duplicates", "leases"]
    assert BOOK.decide(move, Facts(now=NOW, run=run, lease=lease, earlier=first)) is first
    refusal = BOOK.decide(move, Facts(now=NOW, run=run, lease=lease))
    assert (refusal.answer, refusal.stop) == (Answer.REFUSED, True)
    assert "somebody else owns the run now" in refusal.reason
