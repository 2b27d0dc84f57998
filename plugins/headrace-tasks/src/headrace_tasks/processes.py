"""Calls in processes of their own.

One thread for each place hands a call to a child process and waits for its answer. So a call waits here until a child is free for it (and is
cancelled here when the runner closes), a child that dies takes one call with it and no other, and the next call gets a new child. Pools of
processes, loky's and the standard library's, fail every call they hold when one process dies, and cannot take back those handed out ahead.
"""

import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import attrs

from headrace.errors import NotSerializable, WrongData
from headrace.model.texts import said_by
from headrace.ports.task_runner import OpenTaskRunner
from headrace_tasks.child import Child, started
from headrace_tasks.concurrent import Threads
from headrace_tasks.places import checked_places

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class _Processes:
    """Child processes that run calls. None exists before the first call; an idle one is taken again before a new one is started."""

    def __init__(self, places: int) -> None:
        self._threads = Threads(places)
        self._lock = threading.Lock()
        self._idle: list[Child] = []

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """The call is pickled here and now, so what the flow changes later does not change it."""
        import cloudpickle  # type: ignore[import-untyped]  # costs milliseconds that a flow without submitted tasks need not pay

        try:
            content = cloudpickle.dumps(call, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            why = f"{said_by(error)}; give it what can be pickled, or choose a task runner without processes"
            return self._threads.submit(partial(_raise, NotSerializable(what="a task call", serializer="cloudpickle", why=why)))
        return self._threads.submit(partial(self._run, content))

    def _run(self, content: bytes) -> Any:
        with self._child() as child:
            answer = child.run(content)
        try:
            result, error = pickle.loads(answer)
        except Exception as problem:
            raise WrongData(where="what a task call returned", why=said_by(problem)) from problem
        if error is not None:
            raise error
        return result

    @contextmanager
    def _child(self) -> Iterator[Child]:
        """A child for one call, kept for the next one unless the call was lost with it."""
        child = self._take_idle() or started()
        try:
            yield child
        except BaseException:
            child.kill()
            raise
        with self._lock:
            self._idle.append(child)

    def _take_idle(self) -> Child | None:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_alive():
                    return child
                child.kill()
        return None

    def close(self) -> None:
        """Cancels the calls that wait, and returns when those that run have ended and every child is gone."""
        self._threads.close()
        for child in self._idle:
            child.dismiss()
        for child in self._idle:
            child.await_end()
        self._idle.clear()


def _raise(error: Exception) -> Any:
    raise error


@attrs.frozen(kw_only=True)
class ProcessTaskRunner:
    """Runs calls in processes: right for computing in Python. Functions of the script itself, lambdas and closures travel too; the script is
    not imported again, so it needs no `if __name__ == "__main__"`."""

    in_process: ClassVar[bool] = False
    in_order: ClassVar[bool] = False

    max_workers: int | None = attrs.field(
        default=None,
        validator=checked_places,
        metadata={"meaning": "how many calls may run at once; None: as many as this process may use cores"},
    )

    @contextmanager
    def open(self) -> Iterator[OpenTaskRunner]:
        processes = _Processes(self.max_workers or _cores())
        try:
            yield processes
        finally:
            processes.close()


def _cores() -> int:
    """Those this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
