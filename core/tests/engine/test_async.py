"""Async flows and tasks, and their mixtures with plain ones."""

import asyncio
from typing import Any

import pytest

from headrace import StateType, flow, get_run_context, task
from headrace.errors import FutureOnRunningLoop
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter


@task
async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


@task
def increase(number: int) -> int:
    return number + 1


def test_an_async_flow_is_awaited(house: Instance) -> None:
    """Its async tasks are awaited too, its plain tasks are called."""

    @flow
    async def whole() -> int:
        return increase(await double(4))

    assert asyncio.run(whole()) == 9
    (run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
    assert run.state.type is StateType.COMPLETED


def test_a_plain_flow_calls_async_tasks(house: Instance) -> None:
    """The value comes back as from any call; submitted, as from any future."""

    @flow
    def whole() -> tuple[int, int]:
        return double(1), double.submit(2).result()  # type: ignore[return-value]

    assert whole() == (2, 4)


def test_futures_are_awaited(house: Instance) -> None:
    """In an async flow a future is awaited; asking it to block the loop is refused with a word about await."""

    @flow
    async def whole() -> list[Any]:
        futures = [double.submit(number) for number in range(3)]
        with pytest.raises(FutureOnRunningLoop, match="await"):
            futures[0].result()
        return [await future for future in futures]

    assert asyncio.run(whole()) == [0, 2, 4]


def test_subflows_run_side_by_side(house: Instance) -> None:
    """Async subflows can be gathered; each knows its parent and its root."""

    @flow
    async def child(number: int) -> int:
        return await double(number)

    @flow
    async def parent() -> list[int]:
        return list(await asyncio.gather(child(1), child(2), child(3)))

    assert asyncio.run(parent()) == [2, 4, 6]
    runs = house.client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))
    root = next(run for run in runs if run.flow_name == "parent")
    places = {run.id: run for run in house.client.read_task_runs(TaskRunFilter(flow_run_ids=(root.id,)), Page())}
    children = [run for run in runs if run.flow_name == "child"]
    assert {run.root_id for run in children} == {root.id}
    assert {places[run.parent_task_run_id or ""].child_flow_run_id for run in children} == {run.id for run in children}


def test_the_context_does_not_leak_between_gathered_runs(house: Instance) -> None:
    """Each sees its own run before and after others had their turn."""

    @flow
    async def child(number: int) -> bool:
        before = get_run_context().parameters["number"]
        await asyncio.sleep(0)
        await double(number)
        return before == get_run_context().parameters["number"] == number

    @flow
    async def parent() -> list[bool]:
        return list(await asyncio.gather(*(child(number) for number in range(5))))

    assert asyncio.run(parent()) == [True] * 5


@pytest.mark.parametrize("what", ["flow", "task"])
def test_a_timeout_cancels_what_is_awaited(house: Instance, what: str) -> None:
    """At the next await, with a state named TimedOut; a TimeoutError of the user's own stays one."""
    reached = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            reached.append("cancelled")

    async def own() -> None:
        raise TimeoutError("mine")

    if what == "flow":
        states = [asyncio.run(flow(timeout_seconds=0.01)(each)(return_state=True)) for each in (endless, own)]
    else:

        @flow
        async def whole() -> list[Any]:
            return [[await task(timeout_seconds=0.01)(each)(return_state=True)] for each in (endless, own)]

        states = [state for (state,) in asyncio.run(whole())]
    assert [state.name for state in states] == ["TimedOut", "Failed"]
    assert reached == ["cancelled"]


def test_a_cancelled_flow_has_crashed(house: Instance) -> None:
    """The cancellation goes on, and the run does not stay Running."""

    @flow
    async def endless() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        running = asyncio.ensure_future(endless())
        while not house.client.read_flow_runs(FlowRunFilter(state_types=(StateType.RUNNING,)), Page()):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    (run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
    assert (run.state.type, run.state.message) == (StateType.CRASHED, "Execution was cancelled by the runtime environment.")


def test_a_plain_subflow_in_an_async_flow(house: Instance) -> None:
    """It is called, and blocks as any plain call."""

    @flow
    def child(number: int) -> int:
        return increase(number)

    @flow
    async def parent() -> int:
        return child(1) + await double(1)

    assert asyncio.run(parent()) == 4


def test_an_async_task_is_tried_again(house: Instance) -> None:
    """Directly and submitted, awaiting its delays."""
    tries: list[str] = []

    @task(retries=1)
    async def shaky(name: str) -> str:
        tries.append(name)
        if tries.count(name) < 2:
            raise ValueError
        return name

    @flow
    async def whole() -> list[Any]:
        return [await shaky("direct"), await shaky.submit("submitted")]

    assert asyncio.run(whole()) == ["direct", "submitted"]
    assert sorted(tries) == ["direct", "direct", "submitted", "submitted"]
