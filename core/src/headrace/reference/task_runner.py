"""The reference task runner: every call at once, where it is submitted."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, TypeVar

import attrs

from headrace.errors import TaskRunnerClosed
from headrace.ports.task_runner import OpenTaskRunner

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class _Turns:
    """Runs one call at a time, in the thread that submits it; other threads wait for their turn."""

    def __init__(self) -> None:
        self._turn = threading.RLock()
        self._is_closed = False

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        from concurrent.futures import Future  # costs milliseconds that a flow without submitted tasks need not pay

        future: Future[T] = Future()
        with self._turn:
            if self._is_closed:
                raise TaskRunnerClosed()
            future.set_running_or_notify_cancel()
            try:
                result = call()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        return future

    def close(self) -> None:
        with self._turn:
            self._is_closed = True


@attrs.frozen(kw_only=True)
class SequentialTaskRunner:
    """Runs each call when it is submitted, in the calling thread: the order of a plain program, for debugging and for what is not thread-safe."""

    in_process: ClassVar[bool] = True
    in_order: ClassVar[bool] = True

    @contextmanager
    def open(self) -> Iterator[OpenTaskRunner]:
        runner = _Turns()
        try:
            yield runner
        finally:
            runner.close()
