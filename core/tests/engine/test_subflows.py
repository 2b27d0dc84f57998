"""Flows called by flows."""

import pytest

from headrace import StateType, flow, task
from headrace.errors import UpstreamFailed, WrongParameterType
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter


@task
def number() -> int:
    return 5


@task
def fail() -> int:
    raise ValueError("no")


@flow
def child(value: int) -> int:
    return value * 2


def test_a_subflow_has_a_place_in_its_parent(house: Instance) -> None:
    """A task run there carries the child's states and names its run; futures given to it are recorded as inputs."""

    @flow
    def parent() -> int:
        return child(number.submit())

    assert parent() == 10
    inner, outer = sorted(house.client.read_flow_runs(FlowRunFilter(), Page()), key=lambda run: run.flow_name)
    source, place = house.client.read_task_runs(TaskRunFilter(flow_run_ids=(outer.id,)), Page(newest_first=False))
    assert (inner.root_id, inner.parent_task_run_id, place.child_flow_run_id) == (outer.id, place.id, inner.id)
    assert place.inputs == {"value": (source.id,)}
    assert [state.name for state in house.client.read_states(place.id)] == ["Pending", "Running", "Completed"]
    assert inner.parameters == {"value": 5}


def test_a_failing_subflow_raises_in_its_parent(house: Instance) -> None:
    """There it can be handled, or its state asked for."""

    @flow
    def broken() -> None:
        raise LookupError("gone")

    @flow
    def parent() -> str:
        assert broken(return_state=True).is_failed()
        with pytest.raises(LookupError):
            broken()
        return "went on"

    assert parent() == "went on"
    broken_runs = house.client.read_flow_runs(FlowRunFilter(flow_names=("broken",)), Page())
    assert [run.state.type for run in broken_runs] == [StateType.FAILED, StateType.FAILED]


def test_wrong_parameters_fail_the_child(house: Instance) -> None:
    """The parent hears of it as of any failure."""

    @flow
    def parent() -> None:
        child("many")  # type: ignore[arg-type]

    with pytest.raises(WrongParameterType):
        parent()
    (run,) = house.client.read_flow_runs(FlowRunFilter(flow_names=("child",)), Page())
    assert run.state.type is StateType.FAILED


def test_a_subflow_after_a_failure_does_not_run(house: Instance) -> None:
    """As a task does not."""

    @flow
    def parent() -> None:
        child(fail.submit())

    with pytest.raises(UpstreamFailed):
        parent()
    assert house.client.read_flow_runs(FlowRunFilter(flow_names=("child",)), Page()) == []


def test_a_finished_subflow_is_not_run_again(house: Instance) -> None:
    """When its parent is tried again, with the same inputs."""
    calls: list[str] = []

    @flow
    def counted(name: str) -> str:
        calls.append(name)
        return name

    @flow(retries=1)
    def parent() -> str:
        value = counted("once")
        calls.append("parent")
        if calls.count("parent") < 2:
            raise ValueError
        return value

    assert parent() == "once"
    assert calls == ["once", "parent", "parent"]


def test_a_flow_may_call_itself(house: Instance) -> None:
    """One definition, several runs at once."""

    @flow
    def countdown(left: int) -> int:
        return left if left == 0 else countdown(left - 1) + 1

    assert countdown(4) == 4
    assert len(house.client.read_flow_runs(FlowRunFilter(), Page())) == 5
