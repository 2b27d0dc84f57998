"""What SQLite says when something is wrong, as errors of headrace."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from headrace.errors import HeadraceError, StoreAway, StoreBusy, StoreUnusable

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

_WHY = {
    sqlite3.SQLITE_NOTADB: "it is no SQLite database; move the file away, and a new store is made",
    sqlite3.SQLITE_CORRUPT: "its file is damaged; move it away, or put a copy in its place",
    sqlite3.SQLITE_FULL: "its disk is full; make room and try again",
    sqlite3.SQLITE_READONLY: "its file or folder may not be written; change its permissions, or choose another path",
    sqlite3.SQLITE_PERM: "its file may not be read and written; change its permissions, or choose another path",
    sqlite3.SQLITE_AUTH: "its file may not be read and written; change its permissions, or choose another path",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened; look at the permissions and the kind of what lies there",
    sqlite3.SQLITE_IOERR: "its disk cannot be read or written ({name}); look at the disk, its quotas and the limits of this process",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite can hold",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}

READ_ONLY = "its disk may only be read; mount it so that it can be written, or choose another path"

_PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM})
"""What somebody may mend while this process goes on; a quota that is used up is among the errors of the disk."""

_NO_ROOM = 64 * 1024
"""A disk with fewer bytes free is full: SQLite needs half of that to begin, and tells the lack of it as an error of the disk."""

_WRITE_LOCK = 120
"""The byte of the shared-memory file that whoever writes has locked."""


@attrs.frozen
class Troubles:
    """Turns what SQLite raises into sentences about the store at `path`."""

    path: Path
    busy_seconds: float

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raises StoreBusy, StoreAway and StoreUnusable in place of SQLite's errors; an error that no user can cause stays as it is."""
        try:
            yield
        except sqlite3.Error as error:
            told = self._error(error)
            if told is None:
                raise
            raise told from error

    def unusable(self, why: str) -> StoreUnusable:
        return StoreUnusable(where=str(self.path), why=why)

    def busy(self, holder: str) -> StoreBusy:
        return StoreBusy(where=str(self.path), seconds=self.busy_seconds, holder=holder)

    def _error(self, error: sqlite3.Error) -> HeadraceError | None:
        if is_locked(error):
            return self.busy(_holder(self.path))
        code = _code(error)
        why = self._why(code)
        if why is None:
            return None
        why = why.format(name=error.sqlite_errorname)
        return StoreAway(where=str(self.path), why=why) if code in _PASSING else self.unusable(why)

    def _why(self, code: int) -> str | None:
        """SQLite tells only of the file; what is wrong may be its disk."""
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN) and is_on_read_only_disk(self.path):
            return READ_ONLY
        if code == sqlite3.SQLITE_IOERR and _is_on_full_disk(self.path):
            return _WHY[sqlite3.SQLITE_FULL]
        return _WHY.get(code)


def is_locked(error: sqlite3.Error) -> bool:
    """Whether trying again later may help."""
    return _code(error) in _LOCKED


def _code(error: sqlite3.Error) -> int:
    """The kind of error; SQLite's extended codes say more in the bits above."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def is_full(error: sqlite3.Error) -> bool:
    """Whether a disk has no room."""
    return _code(error) == sqlite3.SQLITE_FULL


def is_on_read_only_disk(path: Path) -> bool:
    """Whether nothing can be written where the file is, whoever writes."""
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _is_on_full_disk(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _NO_ROOM


def _holder(path: Path) -> str:
    """Which process writes, as the system's list of locks has it; empty where there is no such list.

    The file is not opened to ask for its locks: closing it again would drop those that this process itself has.
    """
    try:
        inodes = {os.stat(f"{path}-shm").st_ino: _WRITE_LOCK, os.stat(path).st_ino: None}
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return ""
    for _, *kind, process, file, start, _ in (lock for lock in locks if len(lock) == 8):
        inode = int(file.rpartition(":")[2])
        if "WRITE" in kind and inode in inodes and inodes[inode] in {None, int(start)}:
            return f" by process {process}{_name_of(process)}"
    return ""


def _name_of(process: str) -> str:
    try:
        return f" ({Path('/proc', process, 'comm').read_text().strip()})"
    except OSError:
        return ""
