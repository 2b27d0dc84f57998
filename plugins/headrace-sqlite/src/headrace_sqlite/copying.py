"""Copies of a store that is in use: one state of it, whole or not at all."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from headrace.errors import CopyFailed
from headrace_sqlite.diagnosing import opened_to_look
from headrace_sqlite.troubles import Troubles, is_full


def copied(path: Path, target: Path, busy_seconds: float) -> int:
    """Copies the store at a path into a new file, for its owner's eyes only; the size of that in bytes."""
    troubles = Troubles(path, busy_seconds)
    if not os.path.lexists(path):
        raise troubles.unusable("there is none yet")
    if path.is_dir():
        raise troubles.unusable("a folder lies in its place; move it away, or choose another path")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with troubles.told(), opened_to_look(path, troubles) as source, closing(sqlite3.connect(unfinished)) as copy:
            _copy(source, copy, target)
        os.link(unfinished, target)  # unlike a rename, it puts nothing in the place of what is there
    except FileExistsError:
        raise CopyFailed(target=str(target), why="something is there already; choose another path") from None
    except OSError as error:
        raise CopyFailed(target=str(target), why=error.strerror or str(error)) from error
    finally:
        with suppress(OSError):
            os.unlink(unfinished)
    return target.stat().st_size


def _copy(source: sqlite3.Connection, copy: sqlite3.Connection, target: Path) -> None:
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    except sqlite3.OperationalError as error:
        if is_full(error):  # the store itself is only read
            raise CopyFailed(target=str(target), why="its disk is full; make room, or choose another path") from error
        raise
