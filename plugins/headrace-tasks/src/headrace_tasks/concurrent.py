"""Many calls at once, in threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import attrs

from headrace.errors import NoThread, TaskRunnerClosed
from headrace.ports.task_runner import OpenTaskRunner
from headrace_tasks.places import checked_places

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


class _Call:
    """A call that is made, or given up, by who takes it first."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self.future: Future[Any] = Future()

    def __call__(self) -> Any:
        if not self.future.set_running_or_notify_cancel():
            return None
        try:
            value = self._function()
        except BaseException as error:
            self.future.set_exception(error)
            raise
        self.future.set_result(value)
        return value


class Threads:
    """Threads that run calls. None exists before the first call, and never more than calls were submitted at once."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._is_closed = False

    def submit(self, call: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self._is_closed:
                raise TaskRunnerClosed()
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor  # costs milliseconds that a flow without submitted tasks need not pay

                self._pool = ThreadPoolExecutor(self._places, thread_name_prefix="headrace-task")
            made = _Call(call)
            try:
                return self._pool.submit(made)
            except RuntimeError as error:
                if (
                    not made.future.cancel()
                ):  # a thread that is there took it meanwhile; the pool keeps what it could not begin a thread for
                    return made.future
                raise NoThread(why=str(error)) from error

    def close(self) -> None:
        """Cancels the calls that wait, and returns when those that run have ended."""
        with self._lock:
            self._is_closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


@attrs.frozen(kw_only=True)
class ConcurrentTaskRunner:
    """Runs calls in threads of this process: right for waiting on networks and disks, and for libraries that release the interpreter."""

    in_process: ClassVar[bool] = True
    in_order: ClassVar[bool] = False

    max_workers: int = attrs.field(default=64, validator=checked_places, metadata={"meaning": "how many calls may run at once"})

    @contextmanager
    def open(self) -> Iterator[OpenTaskRunner]:
        threads = Threads(self.max_workers)
        try:
            yield threads
        finally:
            threads.close()
