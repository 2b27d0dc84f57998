"""What becomes of a run whose process is interrupted."""

import asyncio
from typing import Any

import pytest

from headrace import State, StateType, flow, get_run_context, task
from headrace.engine.terminated import Terminated
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, LogFilter, Page, TaskRunFilter
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


def test_an_async_task_that_exits_ends_no_event_loop(house: Instance) -> None:
    """Neither the one of a plain flow nor that of an async one: the task has crashed, and others go on."""

    @task
    async def leave() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    @task
    async def stay() -> int:
        await asyncio.sleep(0)
        return 1

    @flow
    def whole() -> Any:
        futures = leave.submit(), stay.submit()
        return [str(future.wait()) for future in futures]

    @flow
    async def whole_later() -> Any:
        futures = leave.submit(), stay.submit()
        await asyncio.wait([asyncio.wrap_future(future.ended) for future in futures])
        return [str(future.wait()) for future in futures]

    expected = ["Crashed('Execution was aborted by Python system exit call.')", "Completed()"]
    assert (whole(), asyncio.run(whole_later())) == (expected, expected)


@pytest.mark.parametrize("interruption", [Terminated, KeyboardInterrupt])
def test_an_interruption_of_what_is_submitted_and_run_at_once_goes_on(house: Instance, interruption: type[BaseException]) -> None:
    """Whoever wants the process to end is heard in the flow, too; the task's future and its run say the same."""
    futures, after = [], []

    @task(task_run_name="step", on_cancellation=[lambda _task, _run, state: futures.append(state)])
    def step() -> None:
        cancel(house)
        raise interruption

    @flow(flow_run_name="outer")
    def outer() -> None:
        step.submit()
        after.append("went on")

    with pytest.raises(interruption):
        outer()
    assert (str(futures[0]), after) == ("Cancelled('by a person')", [])
    assert set(ends(house).values()) == {(StateType.CANCELLED, "by a person")}


def test_a_subflow_that_was_ended_with_its_root_says_no_other_end(house: Instance) -> None:
    """As one does whose flow is over time, when the exception at last comes through: no hook hears, no line tells of it."""
    heard: list[str] = []

    def hear(_: Any, run: Any, state: State) -> None:
        heard.append(state.name)

    @flow(on_crash=[hear], on_failure=[hear])
    def inner() -> None:
        context: Any = get_run_context()
        root = context.flow_run.root_id
        context.live.journal.flush()
        house.client.move_flow_run(Move(id=house.ids.new(), run_id=root, state=State.crashed("elsewhere")))
        raise KeyboardInterrupt

    @flow
    def outer() -> None:
        inner()

    with pytest.raises(KeyboardInterrupt):
        outer()
    said = [line.message for line in house.client.read_logs(LogFilter(), Page())]
    assert (heard, [message for message in said if message.startswith("Finished")]) == ([], [])
