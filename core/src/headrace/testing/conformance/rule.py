"""What every rule does."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from itertools import product
from typing import Any

import attrs
import pytest

from headrace.model.choices import Choice
from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.moves import Move
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import NOT_ENDED, State, StateType
from headrace.ports.rule import Answer, Fact, Facts, Rule, Verdict, accepted
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Retry
from headrace.rules.transitions import is_legal
from headrace.testing.clock import START
from headrace.testing.conformance.facts import Facts as OfAPort

LATER = START + timedelta(minutes=5)

_RUN: dict[str, Any] = {"id": "run", "name": "certain-cormorant", "created": START}
_FLOW_RUNS: list[dict[str, Any]] = [
    {"flow_name": "hello", "root_id": "run"},
    {"flow_name": "", "root_id": "root", "parent_task_run_id": "task", "tags": ("a", "水車"), "parameters": {"n": None}, "retries": 2},
    {"flow_name": "hello", "root_id": "run", "deployment_id": "d", "max_restarts": 1, "epoch": 3, "flow_runner": Choice("universal")},
]
_TASK_RUNS: list[dict[str, Any]] = [
    {"flow_run_id": "flow", "task_name": "t", "task_key": "k", "call": 0},
    {"flow_run_id": "flow", "task_name": "", "task_key": "", "call": 7, "tags": ("a",), "run_count": 2, "inputs": {"x": ("y",)}},
]
_LOOKED_UP: list[dict[str, Any]] = [
    {},
    {
        "retry": Retry(limit=2, delay=5),
        "earlier": accepted(attrs.evolve(State.running(), timestamp=START)),
        "lease": Lease(run_id="run", epoch=3, holder="me", live=True),
        "limits": (ConcurrencyLimit(tag="a", limit=1, holders=("other",)), ConcurrencyLimit(tag="b", limit=0)),
        "cached": attrs.evolve(State.completed(), timestamp=START, cache_key="k"),
        "is_deployment_paused": True,
    },
]
"""Facts that were looked up: none, and all of them."""

_FIELDS = {fact: fact.value for fact in Fact}
"""Where each fact is found among all that rules may know."""


def state_of(kind: StateType, **fields: Any) -> State:
    """A state of that kind."""
    due = {"scheduled_time": LATER} if kind is StateType.SCHEDULED else {}
    return State(type=kind, **{**due, **fields})


def questions(rule: Rule) -> Iterator[tuple[Move, Facts]]:
    """Every legal move that the rule wants to see, of runs of many kinds, with and without facts."""
    for current, wanted in product(NOT_ENDED, StateType):
        if is_legal(current, wanted) and rule.moves.has(current, wanted):
            state = state_of(current, timestamp=START)
            runs: list[FlowRun | TaskRun] = [FlowRun(state=state, **_RUN, **fields) for fields in _FLOW_RUNS]
            runs += [TaskRun(state=state, **_RUN, **fields) for fields in _TASK_RUNS]
            for run, looked_up, epoch, key in product(runs, _LOOKED_UP, (None, 3, 4), (None, "k")):
                move = Move(id="move", run_id="run", state=state_of(wanted, cache_key=key), epoch=epoch)
                yield move, Facts(now=START, run=run, **looked_up)


class RuleConformance(OfAPort):
    """Facts about rules. Override the fixture `rule`."""

    @pytest.fixture
    def rule(self) -> Rule:
        raise NotImplementedError("override the fixture `rule`; it gives the rule to try")

    @pytest.fixture
    def asked(self, rule: Rule) -> list[tuple[Move, Facts, Verdict | None]]:
        return [(move, facts, rule.judge(move, facts)) for move, facts in questions(rule)]

    def test_it_says_what_it_needs(self, rule: Rule) -> None:
        """It has a name, there are legal moves that it wants to see, and what it needs are facts that can be looked up."""
        assert rule.name.strip() == rule.name != ""
        assert any(questions(rule))
        assert set(rule.needs) <= set(Fact)

    def test_it_never_raises(self, asked: list[tuple[Move, Facts, Verdict | None]]) -> None:
        """Every move gets a verdict or nothing, whatever run it is of and whichever facts are missing."""
        for _, _, verdict in asked:
            assert verdict is None or isinstance(verdict, Verdict)

    def test_it_is_pure(self, rule: Rule, asked: list[tuple[Move, Facts, Verdict | None]]) -> None:
        """The same question gets the same answer, in any order; and nothing that was given is changed."""
        for move, facts, verdict in reversed(asked):
            before = deepcopy((move, facts))
            assert rule.judge(move, facts) == verdict
            assert (move, facts) == before

    def test_it_uses_what_it_asked_for(self, rule: Rule, asked: list[tuple[Move, Facts, Verdict | None]]) -> None:
        """Facts that it does not name in `needs` change nothing: where it is asked for good, nobody looks them up."""
        left_out = [_FIELDS[fact] for fact in Fact if fact not in rule.needs]
        plain: dict[str, Any] = {name: attrs.fields_dict(Facts)[name].default for name in left_out}
        for move, facts, verdict in asked:
            assert rule.judge(move, attrs.evolve(facts, **plain)) == verdict, move.state

    def test_its_verdicts_hold_together(self, asked: list[tuple[Move, Facts, Verdict | None]]) -> None:
        """Accepted is a state of the kind that was asked for, waiting ends later, and what is replaced, refused or waits has its reason."""
        for move, facts, verdict in asked:
            if verdict is None or verdict == facts.earlier:
                continue
            if verdict.answer is Answer.ACCEPTED:
                assert verdict.state is not None
                assert verdict.state.type is move.state.type
                continue
            assert verdict.reason
            assert (verdict.state is not None) is (verdict.answer is Answer.REPLACED)
            if verdict.answer is Answer.WAIT:
                assert verdict.until is not None
                assert verdict.until > facts.now

    def test_the_book_stays_total(self, rule: Rule) -> None:
        """Beside all rules of core, every move still gets a verdict, and a state that is written has its timestamp."""
        book = RuleBook([rule])
        for move, facts in questions(rule):
            verdict = book.decide(move, facts)
            assert verdict.state is None or verdict.state.timestamp is not None
