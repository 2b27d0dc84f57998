"""What another machine sent is read exactly, and what is wrong with it is told with its place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from headrace.errors import WrongData
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace.wire.received import received

RUN: Mapping[str, Any] = {
    "id": "a",
    "name": "n",
    "state": {"type": "RUNNING"},
    "created": "2026-01-01T00:00:00Z",
    "flow_name": "f",
    "root_id": "a",
}


def test_values_are_read() -> None:
    """A value with what it must have is read, and nothing in it is unknown."""
    run, unknown = received(FlowRun, RUN, where="run")
    assert (run.id, run.state.type, run.created) == ("a", StateType.RUNNING, datetime(2026, 1, 1, tzinfo=UTC))
    assert unknown == []


def test_what_is_not_known_is_named() -> None:
    """Fields that are not known are named with their places, wherever they are, and do no harm."""
    run, unknown = received(FlowRun, {**RUN, "colour": 1, "state": {"type": "RUNNING", "mood": 1}}, where="run")
    assert run == received(FlowRun, RUN, where="run")[0]
    assert sorted(unknown) == ["run.colour", "run.state.mood"]


def test_json_has_one_kind_of_number() -> None:
    """1.0 is the whole number 1, and a whole number is a number, however large."""
    assert received(Page, {"limit": 5.0}, where="page")[0].limit == 5
    assert received(FlowRun, {**RUN, "total_run_time": 10**30}, where="run")[0].total_run_time == 1e30


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        (FlowRunFilter, [], "x: it must be an object"),
        (FlowRunFilter, "ids", "x: it must be an object"),
        (FlowRunFilter, None, "x: it must be an object"),
        (FlowRun, {**RUN, "state": []}, "x.state: it must be an object"),
        (FlowRun, {**RUN, "state": {"type": "RUNNING", "name": False}}, "x.state.name: it must be a text"),
        (FlowRun, {**RUN, "parameters": [1]}, "x.parameters: it must be an object"),
        (FlowRun, {**RUN, "flow_runner": 3}, "x.flow_runner: it must be an object"),
        (FlowRun, {**RUN, "tags": "abc"}, "x.tags: it must be a list"),
        (FlowRun, {**RUN, "created": 5}, "x.created: it must be a moment, as 2026-01-01T06:00:00Z"),
        (FlowRun, {**RUN, "start_time": "soon"}, "x.start_time: it must be a moment, as 2026-01-01T06:00:00Z"),
        (FlowRun, {**RUN, "created": "0001-01-01T00:00:00+23:59"}, "x.created: it must be a moment, as 2026-01-01T06:00:00Z"),
        (FlowRun, {**RUN, "total_run_time": 10**400}, "x.total_run_time: it must be a number"),
        (FlowRun, {**RUN, "total_run_time": float("inf")}, "x.total_run_time: it must be a number"),
        (Page, {"limit": 1.5}, "x.limit: it must be a whole number of 64 bits"),
        (Page, {"limit": True}, "x.limit: it must be a whole number of 64 bits"),
        (Page, {"limit": 1 << 63}, "x.limit: it must be a whole number of 64 bits"),
        (Page, {"newest_first": 1}, "x.newest_first: it must be true or false"),
        (FlowRunFilter, {"state_types": ["LOUD"]}, "x.state_types[0]: it must be one of SCHEDULED, "),
        (tuple[str, ...], "abc", "x: it must be a list"),
        (datetime, 5, "x: it must be a moment, as 2026-01-01T06:00:00Z"),
        (int, "5", "x: it must be a whole number of 64 bits"),
    ],
)
def test_what_is_wrong_is_told(kind: Any, data: Any, says: str) -> None:
    """Nothing is rounded, cut or taken for something else; the sentence says where and what is wanted."""
    with pytest.raises(WrongData) as caught:
        received(kind, data, where="x")
    assert says in caught.value.why


def test_every_fault_is_told() -> None:
    """What is wrong in several places is told at once."""
    with pytest.raises(WrongData) as caught:
        received(FlowRun, {**RUN, "tags": 1, "name": 2}, where="x")
    assert caught.value.why.count("it must be") == 2
