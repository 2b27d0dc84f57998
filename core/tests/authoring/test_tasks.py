"""Tasks as users write them: their hooks."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest

from headrace import State, StateType, Task, flow, get_run_context, task
from headrace.instance import Instance
from headrace.model.filters import LogFilter, Page, TaskRunFilter
from headrace.model.moves import Move

HOOKS = ("on_completion", "on_failure", "on_crash", "on_cancellation")

ENDS: list[tuple[Any, str, StateType]] = [
    (None, "on_completion", StateType.COMPLETED),
    (ValueError("no"), "on_failure", StateType.FAILED),
    (KeyboardInterrupt(), "on_crash", StateType.CRASHED),
    (SystemExit(3), "on_crash", StateType.CRASHED),
    (State.crashed("gone"), "on_crash", StateType.CRASHED),
    (State.cancelled("enough"), "on_cancellation", StateType.CANCELLED),
]


class Heard:
    """What the hooks of a task heard, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def hook(self, name: str) -> Any:
        def hear(definition: Any, run: Any, state: Any) -> None:
            self.calls.append((name, definition.name, run.state.type, state.type, get_run_context().task_run.id == run.id))  # type: ignore[union-attr]

        return hear

    def task_of(self, function: Any) -> Task[Any, Any]:
        return task(**{name: self.hook(name) for name in HOOKS})(function)


def cancel(house: Instance) -> None:
    """What a person does to the run at hand; its process is told by a signal, or an exception."""
    root = get_run_context().flow_run.root_id
    house.client.move_flow_run(Move(id=house.ids.new(), run_id=root, state=State(type=StateType.CANCELLING, message="by a person")))


def ended(end: Any) -> Any:
    if isinstance(end, BaseException):
        raise end
    return end


@pytest.mark.parametrize(("end", "hook", "kind"), ENDS)
@pytest.mark.parametrize("is_async", [False, True])
def test_hooks_hear_of_the_end_of_a_task(house: Instance, end: Any, hook: str, kind: StateType, is_async: bool) -> None:
    """Those for this end alone, with the task, its run and the state; what interrupts goes on to the caller."""
    heard = Heard()

    def step() -> Any:
        return ended(end)

    async def step_later() -> Any:
        await asyncio.sleep(0)
        return ended(end)

    step_of = heard.task_of(step_later if is_async else step)

    @flow
    def whole() -> None:
        step_of()

    with pytest.raises(type(end)) if kind is StateType.CRASHED and isinstance(end, BaseException) else nullcontext():
        whole(return_state=True)  # type: ignore[call-arg]
    assert heard.calls == [(hook, step_of.name, kind, kind, True)]
    (run,) = house.client.read_task_runs(TaskRunFilter(), Page())
    assert run.state.type is kind


def test_hooks_hear_of_the_end_of_a_submitted_task(house: Instance) -> None:
    """And may be async."""
    heard: list[str] = []

    async def hear(_task: Any, run: Any, state: Any) -> None:
        await asyncio.sleep(0)
        heard.append(state.name)

    @task(on_crash=[hear], on_failure=hear)
    def step(error: BaseException) -> None:
        raise error

    @flow
    def whole() -> None:
        for error in (SystemExit(3), ValueError("no")):
            step.submit(error).wait()

    whole()
    assert heard == ["Crashed", "Failed"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, asyncio.CancelledError])
def test_a_task_that_is_interrupted_in_a_run_that_is_being_cancelled(house: Instance, interruption: type[BaseException]) -> None:
    """It is cancelled, not crashed, and its hooks hear so; its run says why."""
    heard = Heard()

    def step() -> None:
        cancel(house)
        raise interruption

    step_of = heard.task_of(step)

    @flow
    def whole() -> None:
        step_of()

    with pytest.raises(interruption):
        whole()
    assert [(name, kind) for name, _, kind, *_ in heard.calls] == [("on_cancellation", StateType.CANCELLED)]
    (run,) = house.client.read_task_runs(TaskRunFilter(), Page())
    assert (run.state.type, run.state.message) == (StateType.CANCELLED, "by a person")
    said = [line.message for line in house.client.read_logs(LogFilter(), Page()) if line.task_run_id]
    assert "Finished in state Cancelled('by a person')" in said


def test_a_hook_that_fails_is_told_and_changes_nothing(house: Instance) -> None:
    """The others hear all the same; what is shown begins in the hook."""
    heard = []

    def broken(*_: Any) -> None:
        raise LookupError("nobody home")

    @task(on_crash=[broken, lambda *_: heard.append("second")])
    def step() -> None:
        raise KeyboardInterrupt

    @flow
    def whole() -> None:
        step()

    with pytest.raises(KeyboardInterrupt):
        whole()
    assert heard == ["second"]
    (line,) = [line.message for line in house.client.read_logs(LogFilter(), Page()) if "The hook 'broken' failed" in line.message]
    assert "LookupError: nobody home" in line
    assert "headrace/engine" not in line
