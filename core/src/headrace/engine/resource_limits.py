"""What the system lets each process of a run have, where it can be told to: Linux does, macOS the time only.

The limits are those of the process of the run's code, and of every process that it starts, each by itself; the supervisor has none. Memory is what is
written to and nobody shares (RLIMIT_DATA): code, files that are mapped, and address space that is only reserved do not count. Where it is used up,
Python raises MemoryError, and other programs end as they do. When the time on processors is used up, the process is told by SIGXCPU, and killed some
seconds later.
"""

import resource
import signal
from types import FrameType

from headrace.engine.terminated import Terminated
from headrace.model.orders import OrderedRun

LATE_SECONDS = 5
"""Seconds of a processor that a run has to end when its time is over."""

_OF_MEMORY = frozenset({-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS})
_OF_TIME = frozenset({-signal.SIGKILL, -signal.SIGXCPU})


class OutOfTime(Terminated):
    """Raised in the main thread of a run's process that has used the time on processors which it may use."""


def limit(run: OrderedRun) -> None:
    """Sets the limits for this process and all that it starts."""
    if run.memory is not None:
        _set(resource.RLIMIT_DATA, run.memory, run.memory)
    if run.cpu_seconds is not None:
        signal.signal(signal.SIGXCPU, _out_of_time)
        _set(resource.RLIMIT_CPU, run.cpu_seconds, run.cpu_seconds + LATE_SECONDS)


def _set(kind: int, wanted: int, most: int) -> None:
    """What is set lower already stays."""
    soft, hard = resource.getrlimit(kind)
    bounds = [most if each == resource.RLIM_INFINITY else min(most, each) for each in (soft, hard)]
    resource.setrlimit(kind, (min(wanted, bounds[0]), bounds[1]))


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGXCPU, lambda *_: None)  # it comes every second from now on
    raise OutOfTime


def memory_limit() -> int | None:
    """How many bytes this process may have; None where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if soft == resource.RLIM_INFINITY else soft


def said_of_limits(run: OrderedRun, code: int, seconds: float) -> str:
    """What limits may have to do with how a process ended that has used so many seconds of processors; empty where nothing."""
    if run.cpu_seconds is not None and code in _OF_TIME and seconds >= run.cpu_seconds:
        return f"it had used the {run.cpu_seconds} seconds of processors that it may use (cpu_seconds)"
    if run.memory is not None and code in _OF_MEMORY:
        return f"each of its processes may have {in_megabytes(run.memory)} of memory (memory)"
    return ""


def in_megabytes(count: int) -> str:
    """Bytes, as people say them."""
    return f"{count / 1_000_000:g} MB"
