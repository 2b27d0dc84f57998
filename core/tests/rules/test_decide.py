"""What comes of moves."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.moves import Move
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State, StateType
from headrace.rules.decide import FIRST, STANDARD, RuleBook
from headrace.rules.facts import Facts, Retry
from headrace.rules.verdicts import Answer, Verdict, accepted, refused

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BOOK = RuleBook()


def run_in(state: State, **fields: object) -> TaskRun:
    """A task run in a state."""
    stamped = attrs.evolve(state, timestamp=NOW)
    plain = {"id": "run", "name": "run", "created": NOW, "flow_run_id": "flow", "task_name": "t", "task_key": "k", "call": 0}
    return TaskRun(state=stamped, **(plain | fields))


def decided(current: State, wanted: State, *, fields: dict | None = None, epoch: int | None = None, **facts: object) -> Verdict:
    """What comes of a move between two states."""
    move = Move(id="move", run_id="run", state=wanted, epoch=epoch)
    return BOOK.decide(move, Facts(now=NOW, run=run_in(current, **(fields or {})), **facts))


def decided_of_flow(current: State, wanted: State, *, fields: dict, **facts: object) -> Verdict:
    """What comes of a move of a flow run."""
    plain = {"id": "run", "name": "run", "created": NOW, "flow_name": "f", "root_id": "run"}
    run = FlowRun(state=attrs.evolve(current, timestamp=NOW), **(plain | fields))
    return BOOK.decide(Move(id="move", run_id="run", state=wanted), Facts(now=NOW, run=run, **facts))


def test_a_move_without_objections_is_accepted_with_a_timestamp() -> None:
    """The state asked for is entered, at the moment of the decision."""
    verdict = decided(State.pending(), State.running())
    assert verdict.answer is Answer.ACCEPTED
    assert verdict.state == State(type=StateType.RUNNING, timestamp=NOW)


@pytest.mark.parametrize("wanted", [State.pending(), State.running()])
def test_what_is_due_later_waits(wanted: State) -> None:
    """Taking or starting a future run waits until it is due."""
    verdict = decided(State.scheduled(LATER), wanted)
    assert (verdict.answer, verdict.until, verdict.state) == (Answer.WAIT, LATER, None)


@pytest.mark.parametrize("wanted", [State.cancelled(), State.failed(), State.crashed("gone"), State.scheduled(LATER)])
def test_a_future_run_can_be_ended_and_moved(wanted: State) -> None:
    """Waiting for its time protects no run from being cancelled, failed, or scheduled anew."""
    assert decided(State.scheduled(LATER), wanted).answer is Answer.ACCEPTED


def test_cancelling_what_has_not_started_cancels_it() -> None:
    """Without a process there is nothing to wait for."""
    verdict = decided(State.scheduled(LATER), State(type=StateType.CANCELLING))
    assert (verdict.answer, verdict.state and verdict.state.type) == (Answer.REPLACED, StateType.CANCELLED)


@pytest.mark.parametrize(
    ("live", "max_restarts", "kind"),
    [(True, 0, StateType.CANCELLING), (False, 0, StateType.CANCELLED), (True, None, StateType.CANCELLED)],
)
def test_cancelling_what_waits_for_its_next_try(live: bool, max_restarts: int | None, kind: StateType) -> None:
    """The process that an agent started for it is stopped first; a script that waits does nothing else."""
    lease = Lease(run_id="run", epoch=1, holder="me", live=live)
    current = State.scheduled(LATER, name="AwaitingRetry")
    verdict = decided_of_flow(current, State(type=StateType.CANCELLING), lease=lease, fields={"max_restarts": max_restarts})
    assert verdict.state is not None
    assert verdict.state.type is kind


@pytest.mark.parametrize("current", [State.scheduled(LATER), State.pending(), State.running()])
def test_a_subflow_is_not_cancelled_alone(current: State) -> None:
    """Nobody could stop it without what is around it; the refusal says what can be cancelled."""
    verdict = decided_of_flow(current, State(type=StateType.CANCELLING), fields={"root_id": "outer"})
    assert (verdict.answer, verdict.state) == (Answer.REFUSED, None)
    assert verdict.reason == "a subflow is not cancelled alone; cancel flow run outer, which it belongs to"


@pytest.mark.parametrize("current", [State.pending(), State.running()])
@pytest.mark.parametrize(("live", "kind"), [(True, StateType.CANCELLING), (False, StateType.CANCELLED), (None, StateType.CANCELLED)])
def test_cancelling_what_nobody_owns_cancels_it(current: State, live: bool | None, kind: StateType) -> None:
    """Where the lease lives, its holder is to stop the run first."""
    lease = None if live is None else Lease(run_id="run", epoch=1, holder="me", live=live)
    verdict = decided(current, State(type=StateType.CANCELLING, message="enough"), lease=lease)
    assert verdict.state is not None
    assert (verdict.state.type, verdict.state.message) == (kind, "enough")


def test_failing_while_being_cancelled_is_being_cancelled() -> None:
    """What a stop order breaks is no failure, and is not retried."""
    verdict = decided(State(type=StateType.CANCELLING), State.failed(), fields={"run_count": 1}, retry=Retry(limit=5))
    assert verdict.state is not None
    assert verdict.state.type is StateType.CANCELLED


@pytest.mark.parametrize(("run_count", "limit", "retried"), [(1, 0, False), (1, 1, True), (2, 1, False), (2, 2, True), (3, 2, False)])
def test_a_failure_is_retried_while_tries_are_left(run_count: int, limit: int, retried: bool) -> None:
    """A limit of n allows n tries after the first."""
    verdict = decided(State.running(), State.failed(message="no"), fields={"run_count": run_count}, retry=Retry(limit=limit, delay=300))
    assert (verdict.answer is Answer.REPLACED) is retried
    if retried:
        assert verdict.state is not None
        assert (verdict.state.name, verdict.state.scheduled_time, verdict.state.message) == ("AwaitingRetry", LATER, "no")


def test_a_retry_condition_can_say_no() -> None:
    """A failure that is not worth trying again is final."""
    assert decided(State.running(), State.failed(), fields={"run_count": 1}, retry=Retry(limit=3, wanted=False)).answer is Answer.ACCEPTED


def test_starting_again_is_named() -> None:
    """Retrying after a failure, Rerunning otherwise; the first start is Running."""
    retrying = decided(State.scheduled(NOW, name="AwaitingRetry"), State.running(), fields={"run_count": 1})
    rerunning = decided(State.pending(), State.running(), fields={"run_count": 1})
    assert [verdict.state and verdict.state.name for verdict in (retrying, rerunning)] == ["Retrying", "Rerunning"]


def test_a_known_result_ends_the_run_at_once() -> None:
    """With a completed state under its cache key a run takes that over, even where a limit is full."""
    kept = State.completed(7)
    full = ConcurrencyLimit(tag="db", limit=1, holders=("other",))
    verdict = decided(State.pending(), State(type=StateType.RUNNING, cache_key="k"), cached=kept, limits=(full,))
    assert (verdict.answer, verdict.state and verdict.state.name, verdict.state and verdict.state.data) == (Answer.REPLACED, "Cached", 7)


def test_a_full_limit_makes_wait() -> None:
    """Nothing is written, and the reason names the tag."""
    verdict = decided(State.pending(), State.running(), limits=(ConcurrencyLimit(tag="db", limit=1, holders=("other",)),))
    assert (verdict.answer, verdict.state) == (Answer.WAIT, None)
    assert "'db'" in verdict.reason


def test_a_retry_is_not_in_its_own_way() -> None:
    """A run that is counted in a slot may start again in it."""
    waiting = State.scheduled(NOW, name="AwaitingRetry")
    assert decided(waiting, State.running(), limits=(ConcurrencyLimit(tag="db", limit=1, holders=("run",)),)).answer is Answer.ACCEPTED


def test_a_limit_of_nothing_refuses() -> None:
    """Waiting for a slot that can never come would be for ever."""
    assert decided(State.pending(), State.running(), limits=(ConcurrencyLimit(tag="db", limit=0),)).answer is Answer.REFUSED


@pytest.mark.parametrize(("epoch", "answer"), [(1, Answer.REFUSED), (2, Answer.ACCEPTED), (None, Answer.ACCEPTED)])
def test_a_stale_epoch_is_refused_and_told_to_stop(epoch: int | None, answer: Answer) -> None:
    """Only the newest holder moves the run; who holds nothing is judged by the other rules."""
    lease = Lease(run_id="flow", epoch=2, holder="other", live=False)
    verdict = decided(State.running(), State.completed(), epoch=epoch, lease=lease)
    assert verdict.answer is answer
    assert verdict.stop is (answer is Answer.REFUSED)


def test_a_move_asked_twice_gets_its_first_answer() -> None:
    """Also where the first answer has made the move illegal since."""
    first = accepted(State.completed())
    assert decided(State.completed(), State.completed(), earlier=first) is first


def test_an_extra_rule_is_asked_for_its_moves_only() -> None:
    """A plugin's rule sees the moves it declared, after those of core."""

    class NoStarts:
        name = "no-starts"
        moves = STANDARD[-1].moves
        needs = frozenset()

        def judge(self, move: Move, facts: Facts) -> Verdict:
            return refused("not today")

    book = RuleBook([NoStarts()])
    started = book.decide(Move(id="m", run_id="run", state=State.running()), Facts(now=NOW, run=run_in(State.pending())))
    ended = book.decide(Move(id="m", run_id="run", state=State.completed()), Facts(now=NOW, run=run_in(State.running())))
    assert (started.reason, ended.answer) == ("not today", Answer.ACCEPTED)


states = st.builds(
    State,
    type=st.sampled_from(StateType),
    name=st.sampled_from(["Running", "AwaitingRetry", "Late", "Other"]),
    scheduled_time=st.none() | st.sampled_from([NOW - timedelta(hours=1), NOW, LATER]),
    cache_key=st.none() | st.just("key"),
)
facts = st.fixed_dictionaries(
    {
        "retry": st.builds(Retry, limit=st.integers(0, 3), delay=st.floats(0, 1e6), wanted=st.booleans()),
        "lease": st.none() | st.builds(Lease, run_id=st.just("flow"), epoch=st.integers(1, 3), holder=st.just("h"), live=st.booleans()),
        "limits": st.lists(
            st.builds(ConcurrencyLimit, tag=st.text(min_size=1), limit=st.integers(0, 2), holders=st.just(("run", "x"))), max_size=2
        ).map(tuple),
        "cached": st.none() | st.just(State.completed(1)),
    }
)


@given(current=states, wanted=states, facts=facts, run_count=st.integers(0, 4), epoch=st.none() | st.integers(1, 3))
def test_every_move_gets_a_verdict(current: State, wanted: State, facts: dict, run_count: int, epoch: int | None) -> None:
    """Rules never raise; what is written has its moment; the end is never left; waiting says until when."""
    verdict = decided(current, wanted, fields={"run_count": run_count}, epoch=epoch, **facts)
    assert (verdict.state is not None) is (verdict.answer in {Answer.ACCEPTED, Answer.REPLACED})
    assert verdict.state is None or verdict.state.timestamp == NOW
    assert not (current.is_terminal() and verdict.is_written)
    assert (verdict.until is not None) is (verdict.answer is Answer.WAIT)


@given(current=states, wanted=states, facts=facts, run_count=st.integers(0, 4))
def test_the_order_of_rules_matters_only_where_it_is_said(current: State, wanted: State, facts: dict, run_count: int) -> None:
    """At most one of the standard rules answers a move, but for the cache, which comes before limits, and a new name, which comes last."""
    move = Move(id="move", run_id="run", state=wanted)
    known = Facts(now=NOW, run=run_in(current, run_count=run_count), **facts)
    answers = [
        (rule.name, verdict)
        for rule in STANDARD
        if rule.moves.has(current.type, wanted.type) and (verdict := rule.judge(move, known)) is not None
    ]
    ending = [name for name, verdict in answers if verdict.answer is not Answer.ACCEPTED]
    assert len(ending) <= 1 or set(ending) <= {"scheduled_time", "caching", "tag_limits"}


def test_the_first_rules_are_asked_first() -> None:
    """A replay is answered before ownership is judged."""
    assert [rule.name for rule in FIRST] == ["duplicates", "leases"]
