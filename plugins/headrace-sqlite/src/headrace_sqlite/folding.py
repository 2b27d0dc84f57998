"""Folding the write-ahead log into the file, where SQLite by itself does not get it done.

By itself SQLite folds after a commit, and lets others write meanwhile; the log begins anew only if nobody did. Where many processes write one after the
other that moment never comes, and the log grows by hundreds of megabytes in a minute. So whoever finds it long keeps the others from writing for as long as it
takes, which are some milliseconds; nobody is kept from reading.
"""

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 16_000_000
"""From this length on the log is folded whole; by itself SQLite begins at a quarter of it, and where one process writes, that is enough."""

_PATIENCE_SECONDS = 0.1
"""How long is waited for those who still read from the log. Who reads for longer, since he copies the store, say, is not waited for."""


class Folding:
    """Keeps the log of the file at a path short."""

    def __init__(self, path: Path) -> None:
        self._log = f"{path}-wal"
        self._least = MOST_BYTES

    def after_commit(self, connection: sqlite3.Connection) -> None:
        """Folds the log if it is long. What was committed is safe either way, so that no error comes of it."""
        size = self._size()
        if size < MOST_BYTES:
            self._least = MOST_BYTES
        if size < self._least:
            return
        begun = time.monotonic()
        with suppress(sqlite3.Error):
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000:.0f}")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute("PRAGMA busy_timeout = 0")
        if time.monotonic() - begun >= _PATIENCE_SECONDS:  # somebody reads for long: it is not tried again with every commit
            self._least = self._size() + MOST_BYTES

    def _size(self) -> int:
        try:
            return os.stat(self._log).st_size
        except OSError:
            return 0
