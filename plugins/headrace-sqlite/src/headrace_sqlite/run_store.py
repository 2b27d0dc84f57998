"""The run store: one SQLite file for all processes of a machine.

An open store has one connection that writes, guarded by a lock, and as many that read as there are readers at once. The design speaks of a thread of
its own for writing, with group commit. It is not needed: a commit to the write-ahead log costs some 40 µs, which is less than handing work to another
thread and back, so each thread writes by itself, one after the other. Processes come one after the other by `BEGIN IMMEDIATE`; to write
without it would be to start as a reader, and a reader that wants to write after somebody else did fails at once, however long it would have waited.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import attrs

from headrace.ports.diagnosis import Diagnosis
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace_sqlite.folding import Folding
from headrace_sqlite.lease_clock import LeaseClock
from headrace_sqlite.opening import opened_to_read, opened_to_watch, opened_to_write, patiently
from headrace_sqlite.queries import queries
from headrace_sqlite.reading import SqliteReading
from headrace_sqlite.troubles import Troubles
from headrace_sqlite.watch import Watch
from headrace_sqlite.writing import SqliteWriting

_IDLE_READERS = 4
"""How many connections for reading are kept open while nobody reads."""

_WRITTEN_KB = 8000
"""How much of what a transaction writes is kept in memory until its end; what goes beyond that is written to the log, read again and written again."""


class _Sqlite:
    """The open file. It belongs to the process that opened it: locks and logs of SQLite do not survive a fork."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._path = path
        self._troubles = Troubles(path, busy_seconds)
        self._clock = LeaseClock.of_this_machine()
        self._process = os.getpid()
        self._writer = opened_to_write(path, self._troubles)
        # A run touches more pages than SQLite keeps in memory to take a statement back, and a temporary file costs as much as all else of it.
        self._writer.execute("PRAGMA temp_store = MEMORY")
        self._writer.execute(f"PRAGMA cache_size = -{_WRITTEN_KB}")
        self._file = os.stat(path)
        self._folding = Folding(path)
        self._writer_lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._watch = Watch(self._watcher)
        self._is_open = True

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        self._check()
        with self._troubles.told():
            connection = self._reader()
            try:
                connection.execute("BEGIN")
                connection.execute(queries()["look"]).fetchone()
                yield SqliteReading(connection, self._clock)
            finally:
                self._put_back(connection)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        self._check()
        if not self._writer_lock.acquire(timeout=self._troubles.busy_seconds):
            raise self._troubles.busy(" by another transaction of this process")
        try:
            self._check()
            with self._troubles.told():
                yield from self._transaction()
        finally:
            self._writer_lock.release()

    def version(self) -> int:
        self._check()
        with self._troubles.told():
            return self._watch.version()

    def _transaction(self) -> Iterator[Writing]:
        connection = self._writer
        try:
            patiently(lambda: connection.execute("BEGIN IMMEDIATE"), self._troubles.busy_seconds)
            yield SqliteWriting(connection, self._clock)
            connection.execute("COMMIT")
            self._folding.after_commit(connection)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Waits for the transaction under way; does nothing in a forked process, where closing would touch the opener's log."""
        if os.getpid() != self._process:
            return
        with self._writer_lock:
            self._is_open = False
            self._writer.close()
        self._watch.close()
        while self._idle:
            self._idle.pop().close()

    def _check(self) -> None:
        if os.getpid() != self._process:
            raise self._troubles.unusable(f"process {self._process} opened it, and this one was forked from that; open it here anew")
        if not self._is_open:
            raise self._troubles.unusable("it was closed; open it anew")
        try:
            is_there = os.path.samestat(os.stat(self._path), self._file)
        except OSError:
            is_there = False
        if not is_there:  # SQLite would go on with a file that nobody else sees
            raise self._troubles.unusable("its file was deleted or replaced while it was in use; end this process, and start it anew")

    def _reader(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return opened_to_read(self._path, self._troubles)

    def _watcher(self) -> sqlite3.Connection:
        self._check()
        return opened_to_watch(self._path)

    def _put_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if self._is_open and len(self._idle) < _IDLE_READERS:
            self._idle.append(connection)
        else:
            connection.close()


@attrs.frozen(kw_only=True)
class SqliteRunStore:
    """Remembers runs in an SQLite file at `path`; who finds it locked by another process waits up to `busy_seconds`."""

    outlives_process: ClassVar[bool] = True

    path: Path = attrs.field(converter=Path, metadata={"meaning": "the file; made when needed"})
    busy_seconds: float = attrs.field(
        default=30.0,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.ge(0)],
        metadata={"meaning": "seconds to wait for a file that another program has locked"},
    )

    def diagnose(self, now: datetime) -> Diagnosis:
        """How the file is. A busy one is waited for, as by everybody."""
        from headrace_sqlite.diagnosing import diagnosed  # who runs flows never asks

        return diagnosed(self.path.expanduser().absolute(), self.busy_seconds, now)

    def copy(self, target: Path) -> int:
        """A new file with what is in this one, while others write."""
        from headrace_sqlite.copying import copied  # who runs flows never asks

        return copied(self.path.expanduser().absolute(), target, self.busy_seconds)

    def upgrade(self) -> tuple[str, ...]:
        """Opening it does the same, except that counters which disagree with the runs are counted anew."""
        from headrace_sqlite.upgrading import upgraded  # who runs flows never asks

        return tuple(upgraded(self.path.expanduser().absolute(), self.busy_seconds))

    def empty(self) -> None:
        """Nothing is left in the file but its last event."""
        from headrace_sqlite.emptying import emptied  # who runs flows never asks

        emptied(self.path.expanduser().absolute(), self.busy_seconds)

    @contextmanager
    def open(self) -> Iterator[OpenRunStore]:
        store = _Sqlite(self.path.expanduser().absolute(), self.busy_seconds)
        try:
            yield store
        finally:
            store.close()
