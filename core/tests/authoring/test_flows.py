"""Flows as users write them: what is refused when they are called."""

import asyncio
import threading
from typing import Any

import pytest

from headrace import StateType, flow, get_run_context, task
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


# What bounds a flow, and what it is called


@pytest.mark.parametrize("is_async", [False, True])
def test_a_timeout_counts_the_waiting_for_what_was_submitted(house: Instance, is_async: bool) -> None:
    """A flow whose function has returned is over time when its tasks are."""
    if not house.registry.has("task runner", "concurrent"):
        pytest.skip("task runner 'concurrent' is not installed")
    release = threading.Event()

    @task
    def endless() -> None:
        release.wait()

    def whole() -> None:
        endless.submit()
        threading.Timer(0.2, release.set).start()

    async def whole_later() -> None:
        whole()

    timed = flow(task_runner="concurrent", timeout_seconds=0.05)(whole_later if is_async else whole)
    given: Any = timed(return_state=True)  # type: ignore[call-arg]
    state = asyncio.run(given) if is_async else given
    assert (state.name, state.type) == ("TimedOut", StateType.FAILED)


def test_the_name_of_a_run_takes_any_value(house: Instance) -> None:
    """What names may not have in them is written otherwise, so that no run fails by the name of a file."""

    @task(task_run_name="load {path}")
    def load_file(path: Any) -> str:
        return get_run_context().task_run.name  # type: ignore[union-attr]

    @flow(flow_run_name="of {path}")
    def whole(path: str) -> list[str]:
        future = load_file.submit(path)
        return [future.result(), load_file(future), load_file("x" * 300)]

    names = whole("data/a\n  50%.csv")
    assert [name[:250] for name in names] == ["load data-a 50-.csv", "load load data-a 50-.csv", f"load {'x' * 245}"]
    assert runs(house)[0].name == "of data-a 50-.csv"


def test_one_task_runner_serves_runs_inside_each_other(house: Instance) -> None:
    """It is a value, opened anew by each."""

    @task
    def double_it(number: int) -> int:
        return number * 2

    @flow(task_runner=house.registry.make("task runner", Choice("sequential")))
    def countdown(left: int) -> int:
        future = double_it.submit(left)
        return future.result() + (countdown(left - 1) if left else 0)

    assert countdown(3) == 12
