"""Deadlines for code that cannot be cancelled: it runs in a thread, and gets an exception there when its time is over."""

import contextvars
import ctypes
import threading
from collections.abc import Callable
from typing import Any

from headrace.engine.terminated import Terminated
from headrace.errors import TimedOut

LAST_SECONDS = 1.0
"""How long code is waited for that is told to end with its process, so that it can put things in order."""


class Overdue(BaseException):
    """Raised inside code whose time is over; nobody is left to hear of it."""


def within(seconds: float, what: str, function: Callable[[], Any]) -> Any:
    """What the function returns, if it does so in time.

    Raises TimedOut at the deadline, at once; the function itself is ended at its next bytecode, so a blocking call in C is first waited for,
    out of sight. Where no time is left, it is not called.
    """
    if seconds <= 0:
        raise TimedOut(what=what, seconds=seconds)
    outcome: list[tuple[bool, Any]] = []
    ended = threading.Event()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcome.append((True, context.run(function)))
        except BaseException as error:
            outcome.append((False, error))
        finally:
            ended.set()

    thread = threading.Thread(target=run, name=f"headrace-deadline-{what}", daemon=True)
    thread.start()
    try:
        if not ended.wait(seconds):
            raise TimedOut(what=what, seconds=seconds)
    except BaseException as error:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Overdue))
        if isinstance(error, Terminated):  # somebody else sees to it that this does not last
            ended.wait(LAST_SECONDS)
        raise
    went_well, value = outcome[0]
    if went_well:
        return value
    if isinstance(value, Overdue):  # it saw by itself that no time is left
        raise TimedOut(what=what, seconds=seconds)
    raise value
