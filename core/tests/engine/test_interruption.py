"""What becomes of a run whose process is interrupted."""

import asyncio
from typing import Any

import pytest

from headrace import State, StateType, flow, get_run_context, task
from headrace.engine.terminated import Terminated
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter
from headrace.model.moves import Move

INTERRUPTIONS = [
    (Terminated, "Execution was stopped by a signal to end."),
    (KeyboardInterrupt, "Execution was aborted by an interrupt signal."),
    (SystemExit, "Execution was aborted by Python system exit call."),
    (asyncio.CancelledError, "Execution was cancelled by the runtime environment."),
]


def cancel(house: Instance) -> None:
    """What a person does to the run at hand."""
    root = get_run_context().flow_run.root_id
    house.client.move_flow_run(Move(id=house.ids.new(), run_id=root, state=State(type=StateType.CANCELLING, message="by a person")))


def ends(house: Instance) -> dict[str, tuple[StateType, str | None]]:
    """How all runs ended, flow runs and task runs alike."""
    runs = [*house.client.read_flow_runs(FlowRunFilter(), Page()), *house.client.read_task_runs(TaskRunFilter(), Page())]
    return {run.name: (run.state.type, run.state.message) for run in runs}


@pytest.mark.parametrize(("interruption", "message"), INTERRUPTIONS)
@pytest.mark.parametrize("is_cancelled", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_under_way_ends_as_its_root_does(
    house: Instance, interruption: type[BaseException], message: str, is_cancelled: bool, is_async: bool
) -> None:
    """The task, the subflow, its place in the flow and the flow: all crashed, or all cancelled if that is why it was interrupted."""
    heard: list[tuple[str, StateType]] = []

    def hear(_: Any, run: Any, state: State) -> None:
        heard.append((run.name, state.type))

    @task(task_run_name="step", on_crash=[hear], on_cancellation=[hear])
    def step() -> None:
        if is_cancelled:
            cancel(house)
        raise interruption

    @flow(flow_run_name="inner", on_crash=[hear], on_cancellation=[hear])
    def inner() -> None:
        step()

    @flow(flow_run_name="outer", on_crash=[hear], on_cancellation=[hear])
    def outer() -> None:
        inner()

    @flow(flow_run_name="inner", on_crash=[hear], on_cancellation=[hear])
    async def inner_later() -> None:
        step()

    @flow(flow_run_name="outer", on_crash=[hear], on_cancellation=[hear])
    async def outer_later() -> None:
        await inner_later()

    with pytest.raises(interruption):
        asyncio.run(outer_later()) if is_async else outer()
    kind, said = (StateType.CANCELLED, "by a person") if is_cancelled else (StateType.CRASHED, message)
    found = ends(house)
    assert {found[name] for name in found} == {(kind, said)}
    assert (len(found), heard) == (4, [("step", kind), ("inner", kind), ("outer", kind)])


def test_the_place_of_a_subflow_that_was_told_to_stop_is_cancelled_with_it(house: Instance) -> None:
    """It says why, as its flow run does."""

    @task
    def step() -> None: ...

    @flow(flow_run_name="inner")
    def inner() -> None:
        cancel(house)
        context: Any = get_run_context()
        context.live.journal.obey(house.client.renew_lease(context.flow_run.root_id, context.epoch))
        step()

    @flow(flow_run_name="outer")
    def outer() -> None:
        inner()

    with pytest.raises(Exception, match="by a person"):
        outer()
    assert set(ends(house).values()) == {(StateType.CANCELLED, "by a person")}
