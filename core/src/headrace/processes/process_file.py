"""The files by which everybody on a machine knows which runs' processes live there.

Each process of a run has one, `<home>/processes/<identity>.lock`. The process holds a lock on it for as long as it lives; the system gives the lock
up when it ends, however it ends. The file says in one line of JSON who holds it, and in the end how that ended. So nobody needs to be a parent to
see a process live, and a process id counts only while its lock is held, never when another process has got it since. What a file says is of one
process: where it was killed and the run is started again, the file is made anew.

Looking at a file takes a shared lock for a moment, since only then do its content and its lock belong together. Whoever wants to hold it may meet
such a look, and tries again; looks do not disturb each other. Removing it takes the lock for a moment too, and a look that meets that looks again.
The lock is the open file's (`flock`), so a forked child shares it until it calls `release`. A file may be removed while somebody opens it: what was
locked counts only if it is still the file of that name.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from headrace.model.orders import ExitStatus

LOCK, ERRORS = ".lock", ".err"
_PAUSE_SECONDS = 0.002
_TRIES, _MOST_TRIES = 10, 5000
"""How often it is tried where somebody seems to hold a file, and where nobody does and only looks are in the way."""


@attrs.frozen(kw_only=True)
class Look:
    """What a file said at one moment. `pid` is of who holds it, or held it last; None where nobody has yet. `child` is the process that this looks
    after. `code` is only of who told it."""

    is_held: bool = False
    pid: int | None = None
    child: int | None = None
    code: int | None = None

    def names_somebody(self) -> bool:
        """Whether there is a process of that number that has not told its end; it need not be the one any more."""
        if self.code is not None or self.pid is None:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # of another user
            return True
        return True


class ProcessFile:
    """The file of the process of one identity. `errors` is another, for what that process has to say if it cannot begin."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.identity = identity
        self.path = folder / f"{identity}{LOCK}"
        self.errors = folder / f"{identity}{ERRORS}"
        self._descriptor: int | None = None

    # For the process itself

    def hold(self) -> bool:
        """Whether this process is now the one of that identity, until `release`. No where another one is, or was and has told its end."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = 0
        for _ in range(_MOST_TRIES):
            descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                is_free = _lock(descriptor, fcntl.LOCK_EX)
                said = _read(descriptor)
                if is_free and self._is_named(descriptor):
                    if said.code is not None:
                        return False
                    if said.pid is None:
                        self._descriptor, descriptor = descriptor, -1
                        self._write({"pid": os.getpid()})
                        return True
                    self.path.unlink()  # of one that was killed; a file tells of one process only
                    continue
                seen += not is_free and said.names_somebody()
                if seen == _TRIES:
                    return False
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            time.sleep(_PAUSE_SECONDS)
        return False

    def write_child(self, pid: int) -> None:
        """Says which process runs the code of the run."""
        self._write({"pid": os.getpid(), "child": pid})

    def write_exit(self, code: int) -> None:
        """Says how it ends; just before `release`."""
        self._write({"pid": os.getpid(), "exit": code})

    def release(self) -> None:
        """Gives it up. In a forked child this gives up the child's share only, and its parent goes on holding it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    # For everybody

    def look(self) -> Look:
        """What it says now; where there is no file, nothing."""
        for _ in range(_TRIES * 10):
            try:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                return Look()
            try:
                is_free = _lock(descriptor, fcntl.LOCK_SH)
                said = _read(descriptor)
                if is_free and self._is_named(descriptor):
                    return said
                if not is_free and said.names_somebody():
                    return Look(is_held=True, pid=said.pid)
            finally:
                os.close(descriptor)
            time.sleep(_PAUSE_SECONDS)  # somebody begins to hold it, ends, or removes it, and will have done so in a moment
        return Look(is_held=True, pid=said.pid)

    def is_held(self) -> bool:
        """Whether its process lives."""
        return self.look().is_held

    def pid(self) -> int | None:
        """The process that holds it; None where none does."""
        look = self.look()
        return look.pid if look.is_held else None

    def exit_status(self) -> ExitStatus:
        """How its process ended, as far as it could tell."""
        return ExitStatus(self.look().code)

    def remove(self) -> None:
        """Removes it, unless somebody holds it."""
        self._remove(lambda _: True)

    def remove_lost(self) -> None:
        """Removes it if whoever held it could not tell how it ended."""
        self._remove(lambda said: said.code is None)

    def _remove(self, is_to_go: Callable[[Look], bool]) -> None:
        for _ in range(_TRIES):
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                return
            try:
                is_free = _lock(descriptor, fcntl.LOCK_EX)
                if is_free and self._is_named(descriptor):
                    if is_to_go(_read(descriptor)):
                        self.path.unlink()
                    return
                if not is_free and _read(descriptor).names_somebody():
                    return
            finally:
                os.close(descriptor)
            time.sleep(_PAUSE_SECONDS)

    def _is_named(self, descriptor: int) -> bool:
        """Whether an open file is the one of this name, still."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _write(self, said: dict[str, int]) -> None:
        if self._descriptor is None:
            raise RuntimeError(f"{self.path} is not held")
        line = json.dumps(said).encode() + b"\n"
        os.pwrite(self._descriptor, line, 0)
        os.ftruncate(self._descriptor, len(line))


@contextmanager
def held(file: ProcessFile) -> Iterator[bool]:
    """Holds a file within the block, if nobody else does; gives whether it does."""
    is_held = file.hold()
    try:
        yield is_held
    finally:
        file.release()


def folder_of(home: Path) -> Path:
    """The folder of these files in a home."""
    return home / "processes"


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Look:
    try:
        said = json.loads(os.pread(descriptor, 1000, 0))
        return Look(pid=said["pid"], child=said.get("child"), code=said.get("exit"))
    except (ValueError, KeyError, TypeError):  # nobody has written yet, or half a line
        return Look()
