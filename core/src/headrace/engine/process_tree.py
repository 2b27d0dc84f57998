"""The process tree of a run: nobody in it outlives who looks after it."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


def adopt_orphans() -> None:
    """From now on, descendants whose parents end become children of this process, so that it can end them."""
    _prctl(_ADOPT_ORPHANS, 1)


def die_with(parent: int) -> None:
    """From now on, this process is killed when its parent ends; at once, if it has ended already."""
    _prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Sends a signal to every process of a group; one that has ended hears nothing."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def reap_orphans(child: int) -> None:
    """Takes adopted descendants that have ended out of the system's table, but not this process's own child, whose end is asked for elsewhere."""
    for process in _children():
        if process != child:
            with suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)


def kill_descendants() -> None:
    """Ends all that is left under this process."""
    while descendants := _children():
        for process in descendants:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for process in descendants:
            with suppress(ChildProcessError):
                os.waitpid(process, 0)


def _children() -> list[int]:
    me = os.getpid()
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{me}/task/{me}/children").read_text().split()]
    return []


def _prctl(option: int, value: int) -> None:
    """Asks the kernel, where it is Linux; elsewhere only the process group holds a run together."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
