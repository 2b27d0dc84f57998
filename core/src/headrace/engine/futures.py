"""Futures: what `task.submit(...)` gives."""

import sys
from collections.abc import Generator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeout
from typing import Any, Generic, TypeVar, cast

from headrace.errors import FutureOnRunningLoop
from headrace.model.runs import TaskRun
from headrace.model.states import State

T = TypeVar("T")


def running_loop() -> Any:
    """The event loop that runs in this thread, or None."""
    get_running_loop = getattr(sys.modules.get("asyncio.events"), "_get_running_loop", None)  # another thread may be importing it just now
    return get_running_loop() if get_running_loop is not None else None


class Ended(Future[State]):
    """The end of a task run. `loop` is the event loop that must go on for it to come, if there is one."""

    loop: Any = None

    @property
    def is_stopped_here(self) -> bool:
        """Whether waiting for it in this thread would keep it from coming."""
        return self.loop is not None and not self.done() and running_loop() is self.loop


class TaskFuture(Generic[T]):
    """A task run that was submitted. `await` it in async code; use `result()` and `wait()` elsewhere. Pass it to other tasks as it is."""

    def __init__(self, task_run: TaskRun, loop: Any = None) -> None:
        self.task_run_id = task_run.id
        self.name = task_run.name
        self.ended = Ended()
        self.ended.loop = loop
        self.ended.set_running_or_notify_cancel()  # whoever stops waiting for it does not cancel it for the others
        self.asked = False

    def wait(self, timeout: float | None = None) -> State | None:
        """The final state; None if it has not ended after `timeout` seconds. Raises FutureOnRunningLoop."""
        self._may_block("wait")
        self.asked = True
        try:
            return self.ended.result(timeout)
        except WaitTimeout:
            return None

    def result(self, timeout: float | None = None, *, raise_on_failure: bool = True) -> T:
        """The task's value; its failure is raised, or returned where `raise_on_failure` is False.

        Raises TimeoutError after `timeout` seconds, FutureOnRunningLoop, and whatever the task raised.
        """
        self._may_block("result")
        self.asked = True
        try:
            state = self.ended.result(timeout)
        except WaitTimeout:
            raise TimeoutError(f"task run {self.name!r} has not ended after {timeout:g} seconds; it goes on") from None
        return cast(T, state.result(raise_on_failure=raise_on_failure))

    @property
    def state(self) -> State | None:
        """The final state, or None while there is none."""
        return self.ended.result() if self.ended.done() else None

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio

        self.asked = True
        state: State = yield from asyncio.wrap_future(self.ended).__await__()
        return cast(T, state.result())

    def _may_block(self, method: str) -> None:
        if self.ended.is_stopped_here:
            raise FutureOnRunningLoop(method=method)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"TaskFuture({self.name!r}, {self.state or 'not ended'})"


class TaskFutures(list[TaskFuture[T]]):
    """What `task.map(...)` gives: a list of futures, in order of the inputs."""

    def result(self, timeout: float | None = None, *, raise_on_failure: bool = True) -> list[T]:
        """All values, in order; `timeout` is for each."""
        return [future.result(timeout, raise_on_failure=raise_on_failure) for future in self]

    def wait(self, timeout: float | None = None) -> list[State | None]:
        """All final states, in order; `timeout` is for each."""
        return [future.wait(timeout) for future in self]
