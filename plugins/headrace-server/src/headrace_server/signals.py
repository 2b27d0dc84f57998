"""Signals that end a server."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_heard(end: Callable[[], None]) -> Iterator[None]:
    """Ctrl+C, SIGTERM and SIGHUP call `end`, for as long as the context lasts."""

    def heard(_number: int, _frame: FrameType | None) -> None:
        end()

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    if hasattr(signal, "SIGHUP"):
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, heard)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
