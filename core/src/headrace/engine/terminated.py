"""The signal to end, as an exception."""

import signal
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import asyncio

PATIENCE = 1.0
"""Seconds that an event loop has to hear of the signal, before code that keeps it from that is ended."""


class Terminated(BaseException):
    """Raised in the main thread of a run's process that was asked to end, wherever it is."""


def terminate(_signal: int, _frame: FrameType | None) -> None:
    """A signal handler: it ends what the main thread does, once. What is done about it, hooks among it, is not interrupted again."""
    signal.signal(signal.SIGTERM, _ignore)
    raise Terminated


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Unlike `SIG_IGN`, this does not go on in programs that are started."""


class TerminatedOnLoop:
    """While it is entered, the signal cancels a task of the event loop that runs in the main thread.

    An exception that is raised wherever a loop happens to be would often be lost, or end another task. Only where code does not let the loop hear of
    the signal, as `time.sleep` in a coroutine, is Terminated raised in that code.
    """

    def __init__(self, loop: "asyncio.AbstractEventLoop", task: "asyncio.Task[Any]") -> None:
        self._loop = loop
        self._task = task
        self._main = threading.get_ident()
        self._waiting = threading.Lock()
        self._is_heard = False
        self._has_raised_in_task = False
        self.is_told = False

    def __enter__(self) -> Self:
        self._waiting.acquire()
        with suppress(RuntimeError):  # without a thread left on this machine, code that blocks the loop is not ended before it is killed
            threading.Thread(target=self._watch, name="headrace-terminated", daemon=True).start()
        self._before = signal.signal(signal.SIGTERM, self._told)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        signal.signal(signal.SIGTERM, _ignore if self.is_told else self._before)
        self._is_heard = True
        if not self.is_told:
            self._waiting.release()

    def _told(self, _signal: int, _frame: FrameType | None) -> None:
        import asyncio  # who got here has it already

        if not self.is_told:
            self.is_told = True
            self._loop.call_soon_threadsafe(self._hear)
            self._waiting.release()
        elif not self._is_heard:
            self._is_heard = True
            self._has_raised_in_task = asyncio.current_task(self._loop) is self._task
            raise Terminated

    def _hear(self) -> None:
        self._is_heard = True
        if not self._has_raised_in_task:
            self._task.cancel()

    def _watch(self) -> None:
        """The second signal comes from here."""
        with self._waiting:
            if self._is_heard:
                return
        time.sleep(PATIENCE)
        if not self._is_heard:
            signal.pthread_kill(self._main, signal.SIGTERM)
