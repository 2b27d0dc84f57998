"""What every queue matcher does."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import attrs
import pytest

from headrace.errors import WrongData
from headrace.model.choices import Choice
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.ports.queue_matcher import QueueMatcher
from headrace.testing.clock import START
from headrace.testing.conformance.facts import Facts

ID = "01940000-0000-7000-8000-000000000001"
OTHER_ID = "01940000-0000-7000-8000-000000000002"


def run_with(**fields: Any) -> FlowRun:
    """A flow run that is due, with these fields."""
    plainest = {
        "id": ID,
        "root_id": ID,
        "name": "certain-cormorant",
        "flow_name": "hello",
        "state": State.scheduled(START),
        "created": START,
    }
    return FlowRun(**{**plainest, **fields})


ODD_RUNS = [
    run_with(),
    run_with(tags=("a",), deployment_id=OTHER_ID, flow_runner=Choice("universal")),
    run_with(tags=("", " ", "a'b", 'a"b', "a\nb", "水車", "%", "x" * 10_000), flow_runner=Choice("", {"deep": [{}]})),
    run_with(name="", flow_name="", deployment_id="", parameters={"n": None}),
    run_with(flow_name="{braces} %s \\", flow_version="", parent_task_run_id=OTHER_ID, root_id=OTHER_ID),
    *(run_with(state=State(type=kind), tags=(str(kind),)) for kind in StateType),
]
"""Runs as they may come: with nothing, with everything, in any state."""

SHAPES: list[Any] = [
    None,
    True,
    0,
    -1.5,
    float("nan"),
    "",
    "text",
    "\udc80",
    b"bytes",
    [],
    [""],
    [[]],
    ["a", 1],
    ["b", "a", "b"],
    ("a", "b"),
    {"a", "b"},
    {},
    {"a": 1},
    {1: "a"},
    {"tags": ["a"]},
    range(3),
    object(),
    str,
    len,
]
"""What somebody may ask for, by mistake or not."""


class QueueMatcherConformance(Facts):
    """Facts about queue matchers. Override the fixtures `queue_matcher`, `wanted`, `fitting` and `unfitting`, and `refused` for more than the plainest."""

    @pytest.fixture
    def queue_matcher(self) -> QueueMatcher:
        raise NotImplementedError("override the fixture `queue_matcher`; it gives the queue matcher to try")

    @pytest.fixture
    def wanted(self) -> Any:
        raise NotImplementedError("override the fixture `wanted`; it gives what a person may ask for, before it is checked")

    @pytest.fixture
    def fitting(self) -> list[FlowRun]:
        raise NotImplementedError("override the fixture `fitting`; it gives runs that fit `wanted`; `run_with` makes them")

    @pytest.fixture
    def unfitting(self) -> list[FlowRun]:
        raise NotImplementedError("override the fixture `unfitting`; it gives runs that do not fit `wanted`; `run_with` makes them")

    @pytest.fixture
    def refused(self) -> list[Any]:
        """What must be refused; nothing that is no plain data can be kept."""
        return [object(), b"bytes", {"a", "b"}, len]

    @pytest.fixture
    def checked(self, queue_matcher: QueueMatcher, wanted: Any) -> Any:
        return queue_matcher.checked(wanted)

    # Values

    def test_a_queue_matcher_is_a_value(self, queue_matcher: QueueMatcher) -> None:
        """A queue matcher has no options, so it equals any other one of its class, and cannot be changed."""
        assert attrs.fields(type(queue_matcher)) == ()  # type: ignore[arg-type]
        assert queue_matcher == type(queue_matcher)()
        assert hash(queue_matcher) == hash(type(queue_matcher)())
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            queue_matcher.anything = 1  # type: ignore[attr-defined]

    # What is asked for

    def test_what_is_checked_is_plain_data(self, checked: Any) -> None:
        """What is kept survives JSON unchanged."""
        assert json.loads(json.dumps(checked, allow_nan=False)) == checked

    def test_checking_again_changes_nothing(self, queue_matcher: QueueMatcher, checked: Any) -> None:
        """What was checked is accepted as it is."""
        assert queue_matcher.checked(checked) == checked

    def test_checking_leaves_what_was_given(self, queue_matcher: QueueMatcher, wanted: Any) -> None:
        """The value that was given is not changed, and gives the same again."""
        before = deepcopy(wanted)
        assert queue_matcher.checked(wanted) == queue_matcher.checked(wanted)
        assert wanted == before

    @pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
    def test_any_shape_is_kept_or_refused(self, queue_matcher: QueueMatcher, shape: Any) -> None:
        """Whatever is asked for becomes plain data that any run can be held against, or is refused with WrongData."""
        checked = _answer(queue_matcher, shape)
        if isinstance(checked, WrongData):
            assert checked.where
            assert checked.why
            return
        json.dumps(checked, allow_nan=False).encode()
        assert json.loads(json.dumps(checked)) == checked == queue_matcher.checked(checked)
        assert all(queue_matcher.matches(checked, run).why for run in ODD_RUNS)

    def test_wrong_shapes_are_refused(self, queue_matcher: QueueMatcher, refused: list[Any]) -> None:
        """What it can make nothing of is refused with WrongData, whose sentence names the matcher's place and what is accepted."""
        assert refused
        for shape in refused:
            with pytest.raises(WrongData) as raised:
                queue_matcher.checked(shape)
            assert raised.value.where
            assert raised.value.why

    # Answers

    def test_what_fits(self, queue_matcher: QueueMatcher, checked: Any, fitting: list[FlowRun]) -> None:
        """Runs that fit are wanted."""
        assert fitting
        assert [run for run in fitting if not queue_matcher.matches(checked, run).fits] == []

    def test_what_does_not_fit(self, queue_matcher: QueueMatcher, checked: Any, unfitting: list[FlowRun]) -> None:
        """Runs that do not fit are not wanted."""
        assert unfitting
        assert [run for run in unfitting if queue_matcher.matches(checked, run).fits] == []

    def test_answers_are_pure(self, queue_matcher: QueueMatcher, checked: Any, fitting: list[FlowRun], unfitting: list[FlowRun]) -> None:
        """The same question gets the same answer, from an equal matcher too, after JSON too, in any order; and changes nothing that was given."""
        before, runs = deepcopy(checked), [*fitting, *unfitting, *ODD_RUNS]
        first = [queue_matcher.matches(checked, run) for run in runs]
        back = json.loads(json.dumps(checked))
        assert [type(queue_matcher)().matches(back, deepcopy(run)) for run in reversed(runs)] == first[::-1]
        assert checked == before

    def test_no_run_is_too_odd(self, queue_matcher: QueueMatcher, checked: Any) -> None:
        """A run without tags, deployment or flow runner, or with strange ones, gets an answer like any other."""
        for run in ODD_RUNS:
            assert type(queue_matcher.matches(checked, run).fits) is bool

    def test_reasons_can_be_read(self, queue_matcher: QueueMatcher, checked: Any, fitting: list[FlowRun], unfitting: list[FlowRun]) -> None:
        """Every answer has its reason: words on one line that can stand in a sentence, after "because"."""
        for why in _reasons(queue_matcher, checked, [*fitting, *unfitting, *ODD_RUNS]):
            assert " " in why
            assert why == why.strip()
            assert why.isprintable()
            assert not why[0].isupper()
            assert not why.endswith(".")


def _answer(queue_matcher: QueueMatcher, shape: Any) -> Any:
    """What is made of a shape, or the refusal."""
    try:
        return queue_matcher.checked(shape)
    except WrongData as refusal:
        return refusal


def _reasons(queue_matcher: QueueMatcher, checked: Any, runs: list[FlowRun]) -> Iterator[str]:
    return (queue_matcher.matches(checked, run).why for run in runs)
