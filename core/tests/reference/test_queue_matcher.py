"""The reference queue matcher is a queue matcher, and what is special about it."""

from typing import Any

import pytest

from headrace.errors import WrongData
from headrace.hooks.registry import Registry
from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun
from headrace.ports.queue_matcher import QueueMatcher
from headrace.reference.queue_matcher import FlowsMatcher
from headrace.testing.conformance.queue_matcher import QueueMatcherConformance, run_with


class TestFlowsMatcher(QueueMatcherConformance):
    @pytest.fixture
    def queue_matcher(self) -> QueueMatcher:
        return FlowsMatcher()

    @pytest.fixture
    def wanted(self) -> Any:
        return ["weekly", "nightly", "weekly"]

    @pytest.fixture
    def fitting(self) -> list[FlowRun]:
        return [run_with(flow_name="nightly"), run_with(flow_name="weekly", tags=("a",), deployment_id="d")]

    @pytest.fixture
    def unfitting(self) -> list[FlowRun]:
        return [run_with(flow_name=name) for name in ("night", "nightly ", "Nightly", "")]

    @pytest.fixture
    def refused(self) -> list[Any]:
        return [None, 3, True, "", [], (), [""], ["a", 1], [["a"]], {"a": 1}, {"a"}, b"a", object()]


def test_it_is_offered() -> None:
    """Core offers it through the public hook."""
    registry = Registry()
    assert registry.offer("queue matcher", "flows").plugin.dist == "headrace-core"
    assert registry.load("queue matcher", "flows") is FlowsMatcher


def test_what_is_asked_for_is_sorted() -> None:
    """One name or several are kept sorted, each once."""
    assert FlowsMatcher().checked("nightly") == ["nightly"]
    assert FlowsMatcher().checked(["b", "a", "b"]) == ["a", "b"]


def test_reasons() -> None:
    """The reason names the run's flow, and those that are wanted instead."""
    matcher = FlowsMatcher()
    assert matcher.matches(["nightly"], run_with(flow_name="nightly")) == Reason(fits=True, why="it is a run of flow 'nightly'")
    reason = matcher.matches(["a", "b"], run_with(flow_name="nightly"))
    assert reason == Reason(fits=False, why="it is a run of flow 'nightly', and those of 'a', 'b' are wanted")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], """queue matcher 'flows': one text is needed, or a list of one text or more, such as ["a", "b"]; this is []"""),
        (["a", 1], "queue matcher 'flows': every item is a text of at least one character, not 1"),
    ],
)
def test_a_refusal_says_what_is_accepted(given: Any, sentence: str) -> None:
    """The sentence names the matcher, what is accepted, and what was given."""
    with pytest.raises(WrongData) as raised:
        FlowsMatcher().checked(given)
    assert str(raised.value) == sentence
