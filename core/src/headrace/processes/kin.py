"""What a process has started, and what that has, as far as the system tells: Linux does."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headrace.model.orders import MARK

ENGINE = b"headrace.engine"


def kill_kin(pid: int) -> None:
    """Ends everything under a process, though not the process itself."""
    _kill_all(lambda: _kin(pid))


def kill_left(identity: str, child: int | None) -> None:
    """Ends what is left of a run whose supervisor was killed, so that nobody is above it any more: it began sessions of its own.

    Programs have the run's mark in their environment. What was merely forked has not, but is of the session of the run's process, by its number as the
    supervisor knew it, and is still called what that was.
    """
    mark = f"{MARK}={identity}".encode()
    _kill_all(lambda: {pid for pid in _all() if _is_marked(pid, mark) or (child is not None and _is_fork_in(pid, child))})


def _kill_all(find: Callable[[], set[int]]) -> None:
    killed: set[int] = set()
    while found := find() - killed:  # what was started meanwhile is found in the next round
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        killed |= found


def _all() -> set[int]:
    with suppress(OSError):
        return {int(name) for name in os.listdir("/proc") if name.isdecimal()} - {os.getpid()}
    return set()


def _is_marked(pid: int, mark: bytes) -> bool:
    return mark in _read(pid, "environ").split(b"\0")


def _is_fork_in(pid: int, session: int) -> bool:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return len(fields) > 3 and fields[3] == str(session).encode() and ENGINE in _read(pid, "cmdline")


def _read(pid: int, name: str) -> bytes:
    with suppress(OSError):  # it has just ended, or is somebody else's
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def _kin(pid: int) -> set[int]:
    found: set[int] = set()
    ahead = [pid]
    while ahead:
        children = _children(ahead.pop()) - found
        found |= children
        ahead.extend(children)
    return found


def _children(pid: int) -> set[int]:
    children: set[int] = set()
    for threads in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has just ended
            children.update(map(int, threads.read_text().split()))
    return children
