"""Opening the file: making it, switching it to write-ahead logging, bringing its schema up to date.

Any number of processes may do this at once with a file that is not there yet. SQLite can switch the journal mode only outside of a transaction and
only while nobody else looks, so an attempt that finds the file locked starts again from the top; every part of it can be done twice. The schema is
changed in one `BEGIN IMMEDIATE`, in which its version is read again, since another process may have been first.
"""

import logging
import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from headrace.errors import StoreTooNew
from headrace_sqlite.queries import queries
from headrace_sqlite.troubles import Troubles, is_locked

VERSION = 11
"""The schema that this release knows: the number of its migrations."""

OURS = 0x68647263
"""What marks a database as headrace's: `hdrc`."""

LARGE = 256 * 1024 * 1024
"""A file of that size is upgraded in some seconds."""

logger = logging.getLogger("headrace.store")

_OLDEST_SQLITE = (3, 37)
_SHORTEST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.01


def opened_to_write(path: Path, troubles: Troubles) -> sqlite3.Connection:
    """A connection to a store that is as this release needs it; waiting for locks is left to the caller.

    Raises StoreUnusable, StoreTooNew, StoreBusy.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise troubles.unusable(f"it needs SQLite 3.37 or newer, and this Python has {sqlite3.sqlite_version}; use a newer Python")
    _make_private(path, troubles)
    with troubles.told():
        connection = _connected(path, timeout=0)
        try:
            patiently(lambda: _make_ready(connection, troubles), troubles.busy_seconds)
        except BaseException:
            connection.close()
            raise
        return connection


def opened_to_read(path: Path, troubles: Troubles) -> sqlite3.Connection:
    """A connection to a store that is in use; the rare lock that stops a reader is waited for by SQLite."""
    return _connected(path, timeout=troubles.busy_seconds)


def opened_to_watch(path: Path) -> sqlite3.Connection:
    """A connection to a store that is in use, for questions that wait for nobody."""
    return _connected(path, timeout=0)


def patiently(attempt: Callable[[], object], seconds: float) -> None:
    """Tries until it is done, while the store is locked, for so many seconds of waiting; then SQLite's error is raised.

    Pauses are of random length, so that those who wait do not come back together, and longer after each failure.
    """
    waited, longest = 0.0, _SHORTEST_PAUSE
    while True:
        try:
            attempt()
            return
        except sqlite3.OperationalError as error:
            if not is_locked(error) or waited >= seconds:
                raise
        pause = random.uniform(0, longest)
        time.sleep(pause)
        waited += pause
        longest = min(longest * 2, _LONGEST_PAUSE)


def _make_private(path: Path, troubles: Troubles) -> None:
    """Makes the folder and the empty file where they are not there, for nobody else's eyes; SQLite gives its other files the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_dir():
            raise troubles.unusable("a folder lies in its place; move it away, or choose another path")
        # Made without being opened: closing it again would drop the locks that another thread may have on it by then.
        # Where this is not permitted, SQLite makes the file or says why not.
        with suppress(FileExistsError, PermissionError):
            os.mknod(path, 0o600)
    except OSError as error:
        why = f"{error.filename or path} cannot be made: {error.strerror}; see to it that it can, or choose another path"
        raise troubles.unusable(why) from error


def _connected(path: Path, *, timeout: float) -> sqlite3.Connection:
    """A connection that any thread may use, one at a time, and that begins and ends no transaction by itself."""
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


def _make_ready(connection: sqlite3.Connection, troubles: Troubles) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # A commit then survives this process, but perhaps not the power: the log is flushed when it is folded into the file, never half.
    connection.execute("PRAGMA synchronous = NORMAL")
    version = _version(connection, troubles)
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if version == VERSION and mode == "wal":
        return
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise troubles.unusable("its file system cannot share memory between processes; choose a path on a local disk")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if (version := _version(connection, troubles)) < VERSION:
            _tell_if_long(troubles.path, version)
            _migrate(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, troubles: Troubles) -> int:
    """The schema that the file has; 0 for an empty file."""
    application, version, has_tables = connection.execute(queries()["identity"]).fetchone()
    if application != OURS and (application or version or has_tables):
        raise troubles.unusable("it is the database of another program; choose another path")
    if version > VERSION:
        raise StoreTooNew(where=str(troubles.path), found=version, known=VERSION)
    return int(version)


def _tell_if_long(path: Path, version: int) -> None:
    """Says that it takes long, where it does, since whoever waits sees nothing else."""
    size = path.stat().st_size
    if version and size >= LARGE:
        logger.warning(
            "The run store at %s (%.1f GB) is brought from schema %d to %d, which may take minutes; others cannot write to it meanwhile."
            " If it is interrupted, nothing has changed.",
            path,
            size / 1e9,
            version,
            VERSION,
        )


def _migrate(connection: sqlite3.Connection) -> None:
    from headrace_sqlite.schema import migrate  # takes long to import, and is needed once in the life of a file

    migrate(connection)
    connection.execute(f"PRAGMA application_id = {OURS}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
