"""Runs that were told to stop: cancelled by somebody, or taken by somebody else."""

from typing import Any

import pytest

from headrace import flow, get_run_context, task
from headrace.errors import RunStopped
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, LogFilter, Page
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType


def renew(house: Instance) -> None:
    """What the pulse does after a while."""
    context: Any = get_run_context()
    root = context.flow_run.root_id
    context.live.journal.obey(house.client.renew_lease(root, context.epoch))


def cancel(house: Instance) -> None:
    state = State(type=StateType.CANCELLING, message="by a person")
    root = get_run_context().flow_run.root_id
    house.client.move_flow_run(Move(id=house.ids.new(), run_id=root, state=state))


def runs(house: Instance) -> list[FlowRun]:
    return house.client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))


def test_a_run_that_was_cancelled_says_so(house: Instance) -> None:
    """Its next step does not happen; it ends as cancelled, with its hooks and its last line."""
    heard, done = [], []

    @task
    def step() -> None:
        done.append("step")

    @flow(on_cancellation=[lambda _flow, run, state: heard.append((run.name, state.type))], flow_run_name="outer")
    def outer() -> None:
        cancel(house)
        renew(house)
        step()

    with pytest.raises(RunStopped, match="by a person"):
        outer()
    (run,) = runs(house)
    assert (run.state.type, run.state.message) == (StateType.CANCELLED, "by a person")
    assert (heard, done) == ([("outer", StateType.CANCELLED)], [])
    said = [line.message for line in house.client.read_logs(LogFilter(), Page(newest_first=False))]
    assert said[-1] == "Finished in state Cancelled('by a person')"


def test_a_subflow_ends_with_its_root(house: Instance) -> None:
    """Both are cancelled, wherever it was felt."""

    @task
    def step() -> None: ...

    @flow(flow_run_name="inner")
    def inner() -> None:
        cancel(house)
        renew(house)
        step()

    @flow(flow_run_name="outer")
    def outer() -> None:
        inner()

    with pytest.raises(RunStopped):
        outer()
    assert {run.name: run.state.type for run in runs(house)} == {"outer": StateType.CANCELLED, "inner": StateType.CANCELLED}


def test_a_run_that_somebody_else_has(house: Instance) -> None:
    """Who lost a run changes nothing about it."""

    @task
    def step() -> None: ...

    @flow
    def outer() -> None:
        client: Any = house.client
        run = get_run_context().flow_run
        with client.store.writing() as writing:
            writing.grant_lease(run.id, epoch=2, holder="somebody", seconds=60)
        renew(house)
        step()

    with pytest.raises(RunStopped, match="somebody else"):
        outer()
    assert [run.state.type for run in runs(house)] == [StateType.RUNNING]


def test_a_run_that_was_cancelled_behind_its_back(house: Instance) -> None:
    """A run that is cancelled already, since nobody renewed its lease, stays so; it does not say that it ended otherwise."""

    @task
    def step() -> None: ...

    @flow
    def outer() -> None:
        run = get_run_context().flow_run
        house.client.move_flow_run(Move(id=house.ids.new(), run_id=run.id, state=State.cancelled("behind its back")))
        renew(house)
        step()

    with pytest.raises(RunStopped):
        outer()
    (run,) = runs(house)
    assert run.state.message == "behind its back"
    said = [line.message for line in house.client.read_logs(LogFilter(), Page())]
    assert not any(message.startswith("Finished in state") for message in said)


def test_a_run_that_was_deleted(house: Instance) -> None:
    """It stops, and that is all."""

    @task
    def step() -> None: ...

    @flow
    def outer() -> None:
        house.client.delete_flow_run(get_run_context().flow_run.id)
        renew(house)
        step()

    with pytest.raises(RunStopped):
        outer()
    assert runs(house) == []
