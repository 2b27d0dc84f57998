"""Flows as users write them: what is refused when they are called."""

import asyncio
from typing import Any

import pytest

from headrace import StateType, flow, task
from headrace.errors import AsyncFlowInFlow, FutureOnRunningLoop, NotInstalled
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.settings import load


def runs(house: Instance) -> list[FlowRun]:
    """All flow runs, oldest first."""
    return house.client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))


@pytest.mark.parametrize("wanted", ["nope", Choice("nope")])
def test_a_task_runner_that_there_is_not_is_refused_by_the_call(house: Instance, wanted: Any) -> None:
    """Though nothing is submitted; the error names those that are installed, and the run says why it failed."""
    called = []

    @flow(task_runner=wanted)
    def whole() -> None:
        called.append("whole")

    with pytest.raises(NotInstalled, match=r"no task runner named 'nope'; installed: .*sequential"):
        whole()
    (run,) = runs(house)
    assert (run.state.type, called) == (StateType.FAILED, [])
    assert (run.state.message or "").startswith("Flow run has no task runner. no task runner named 'nope'")


def test_the_task_runner_of_the_settings_is_looked_up_too(house: Instance, tmp_path: Any) -> None:
    """A flow that names one of its own does not need it."""
    import headrace

    chosen = {"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory", "HEADRACE_TASK_RUNNER": "nope"}

    @flow
    def whole() -> int:
        return 1

    with headrace.open(load(chosen)):
        with pytest.raises(NotInstalled):
            whole()
        assert whole.with_options(task_runner="sequential")() == 1


def test_wrong_arguments_are_told_before_the_task_runner(house: Instance) -> None:
    """One thing at a time, and the run says which."""

    @flow(task_runner="nope")
    def whole(number: int) -> None: ...

    state: State = whole("x", return_state=True)  # type: ignore[arg-type,assignment,call-arg]
    assert (state.message or "").startswith("Flow run received invalid parameters.")


# Async flows in plain ones


@task
async def double(number: int) -> int:
    await asyncio.sleep(0)
    return number * 2


@flow
async def inner(number: int) -> int:
    return await double(number)


def test_a_plain_flow_cannot_call_an_async_one(house: Instance) -> None:
    """Nothing would await it; the error says what to do, and nothing of the inner flow has begun."""

    @flow
    def outer() -> Any:
        return inner(1)

    with pytest.raises(
        AsyncFlowInFlow, match=r"async flow 'inner' was called in flow 'outer', which is not async.*`async def` for 'outer'"
    ):
        outer()
    assert [run.flow_name for run in runs(house)] == ["outer"]


def test_a_plain_flow_may_run_an_event_loop_of_its_own(house: Instance) -> None:
    """There async flows and tasks are awaited, side by side too."""

    async def main() -> list[int]:
        return [*await asyncio.gather(inner(1), inner(2)), await double(3)]

    @flow
    def outer() -> list[int]:
        return asyncio.run(main())

    assert outer() == [2, 4, 6]
    assert {run.root_id for run in runs(house)} == {runs(house)[0].id}


def test_a_plain_flow_in_an_async_one_cannot_call_an_async_one_either(house: Instance) -> None:
    """Though an event loop runs: that loop waits for the plain flow."""

    @flow
    def middle() -> Any:
        return inner(1)

    @flow
    async def outer() -> Any:
        with pytest.raises(AsyncFlowInFlow, match="flow 'middle'"):
            middle()
        return await inner(2)

    assert asyncio.run(outer()) == 4


@pytest.mark.parametrize("runner", ["sequential", "concurrent"])
def test_a_plain_flow_in_an_async_one_asks_its_own_futures(house: Instance, runner: str) -> None:
    """They end elsewhere, so it may wait for them, and those that it does not ask are waited for at its end."""
    if not house.registry.has("task runner", runner):
        pytest.skip(f"task runner {runner!r} is not installed")

    @task(retries=1)
    def increase(number: int) -> int:
        return number + 1

    @flow(task_runner=runner)
    def child() -> list[int]:
        increase.submit(5)
        return [double.submit(1).result(), increase.submit(2).result(), *increase.map([3]).result(), double(4)]  # type: ignore[list-item]

    @flow
    async def parent() -> list[int]:
        return [*child(), await double(5)]

    assert asyncio.run(parent()) == [2, 3, 4, 8, 10]


def test_a_plain_flow_in_an_async_one_cannot_wait_for_its_callers_futures(house: Instance) -> None:
    """They need the loop that it holds up, and so does all that waits for them; the sentence says what to do."""

    @flow
    def child(value: Any) -> Any:
        return double.submit(value).result()

    @flow
    async def parent() -> int:
        with pytest.raises(FutureOnRunningLoop, match="await future"):
            child(double.submit(1))
        future = double.submit(2)
        await future
        return child(future)  # type: ignore[no-any-return]

    assert asyncio.run(parent()) == 8
