"""How a store is, looked at from outside: nothing is made, upgraded or repaired, and whoever writes goes on.

Opening a store would do all of that, so this has a connection of its own that only reads. Where there is a log, the connection must not be able to write:
closing it would fold the log into a file that may be damaged. Where there is none, it must be able to, so that what SQLite lays beside the file for
reading goes with it. Where even that cannot be laid there, and no log is, SQLite is told that nobody changes the file, which is true then.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from headrace.errors import HeadraceError, StoreTooNew
from headrace.ports.diagnosis import Diagnosis
from headrace_sqlite.columns import moment_text
from headrace_sqlite.counters import disagreements
from headrace_sqlite.opening import OURS, VERSION
from headrace_sqlite.queries import queries
from headrace_sqlite.troubles import READ_ONLY, Troubles, is_on_read_only_disk

MOST_DAMAGES = 3
"""As many places are named where a file is damaged."""

FIRST_WITH_COUNTERS = 6
"""The schema that has them."""

LONG_LOG = 256 * 1024 * 1024

_COUNTED = {
    "flow_runs": "flow_runs",
    "task_runs": "task_runs",
    "log_lines": "logs",
    "events": "events",
    "deployments": "deployments",
    "work_queues": "work_queues",
}


def diagnosed(path: Path, busy_seconds: float, now: datetime) -> Diagnosis:
    """How the store at this path is."""
    look = _Look(path, Troubles(path, busy_seconds), now)
    try:
        look.take()
    except HeadraceError as error:
        look.faults.append(str(error))
    return look.found()


class _Look:
    """One look, step by step; what was found before a step that fails stays found."""

    def __init__(self, path: Path, troubles: Troubles, now: datetime) -> None:
        self._path = path
        self._troubles = troubles
        self._now = now
        self._facts: dict[str, str | int] = {"sqlite": sqlite3.sqlite_version}
        self._rows: dict[str, int] = {}
        self._oldest: datetime | None = None
        self._newest: datetime | None = None
        self._runs_of_last_day: int | None = None
        self.faults: list[str] = []
        self._remarks: list[str] = []

    def take(self) -> None:
        """Raises what stops the look."""
        if sqlite3.sqlite_version_info < (3, 37):
            raise self._troubles.unusable(
                f"it needs SQLite 3.37 or newer, and this Python has {sqlite3.sqlite_version}; use a newer Python"
            )
        if not os.path.lexists(self._path):
            self._facts["state"] = "not made yet"
            return
        if self._path.is_dir():
            raise self._troubles.unusable("a folder lies in its place; move it away, or choose another path")
        if not (os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK)):
            why = "its file or folder may not be written; change its permissions, or choose another path"
            why = READ_ONLY if is_on_read_only_disk(self._path) else why
            self.faults.append(str(self._troubles.unusable(why)))
        with self._troubles.told(), opened_to_look(self._path, self._troubles) as connection:
            connection.execute("BEGIN")
            if self._schema(connection):
                self._growth(connection)
                self._damage(connection)
                self._counters(connection)

    def found(self) -> Diagnosis:
        """All of it."""
        files = self._files()
        if files.get(f"{self._path.name}-wal", 0) > LONG_LOG:
            self._remarks.append(
                f"the log beside {self._path} has grown, since some program has been reading for long;"
                " end programs that use the store, and the last of them folds it into the file"
            )
        return Diagnosis(
            where=str(self._path),
            facts=self._facts,
            files=files,
            rows=self._rows,
            oldest_run=self._oldest,
            newest_run=self._newest,
            runs_of_last_day=self._runs_of_last_day,
            faults=tuple(self.faults),
            remarks=tuple(self._remarks),
        )

    def _files(self) -> dict[str, int]:
        """The file and those that SQLite keeps beside it, with their sizes."""
        found = {}
        for name in (self._path.name, f"{self._path.name}-wal", f"{self._path.name}-shm"):
            with suppress(OSError):  # not there, or in a folder that may not be looked into; opening it tells
                found[name] = os.stat(self._path.with_name(name)).st_size
        return found

    def _schema(self, connection: sqlite3.Connection) -> bool:
        """Whether it is a store that has something in it."""
        application, version, has_tables = connection.execute(queries()["identity"]).fetchone()
        if not (application or version or has_tables):
            self._facts["state"] = "empty; the next command makes a store of it"
            return False
        if application != OURS:
            raise self._troubles.unusable("it is the database of another program; choose another path")
        self._facts["schema"] = version
        if version > VERSION:
            raise StoreTooNew(where=str(self._path), found=version, known=VERSION)
        if version < VERSION:
            self._facts["state"] = f"of an older headrace; the next command brings it to schema {VERSION}"
        (self._facts["journal"],) = connection.execute("PRAGMA journal_mode").fetchone()
        (free,), (page,) = connection.execute("PRAGMA freelist_count").fetchone(), connection.execute("PRAGMA page_size").fetchone()
        self._facts["unused_bytes"] = free * page
        return True

    def _growth(self, connection: sqlite3.Connection) -> None:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for title, table in _COUNTED.items():
            if table in tables:  # an older store may not have it
                (self._rows[title],) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        self._oldest, self._newest = (
            _moment(connection.execute(f"SELECT {which}(created) FROM flow_runs").fetchone()[0]) for which in ("min", "max")
        )
        since = moment_text(self._now - timedelta(days=1))
        (self._runs_of_last_day,) = connection.execute("SELECT count(*) FROM flow_runs WHERE created >= ?", (since,)).fetchone()

    def _damage(self, connection: sqlite3.Connection) -> None:
        found = [text for (text,) in connection.execute(f"PRAGMA quick_check({MOST_DAMAGES})")]
        if found != ["ok"]:
            what = "; ".join(" ".join(text.split()) for text in found)
            raise self._troubles.unusable(f"its file is damaged ({what}); move it away, or put a copy in its place")

    def _counters(self, connection: sqlite3.Connection) -> None:
        if int(self._facts["schema"]) >= FIRST_WITH_COUNTERS and (count := disagreements(connection)):
            self.faults.append(
                f"{count} {'counter' if count == 1 else 'counters'} of flow runs in {self._path} disagree with the runs,"
                " so that numbers of runs are told wrong; `headrace store upgrade` counts them anew"
            )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@contextmanager
def opened_to_look(path: Path, troubles: Troubles) -> Iterator[sqlite3.Connection]:
    """A connection that can only read."""
    address, has_log = f"file:{quote(os.fsencode(path))}", os.path.exists(f"{path}-wal")
    try:
        connection = _connected(f"{address}?mode={'ro' if has_log else 'rw'}", troubles)
    except sqlite3.OperationalError as error:
        if has_log or (error.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        connection = _connected(f"{address}?mode=ro&immutable=1", troubles)
    try:
        yield connection
    finally:
        connection.close()


def _connected(address: str, troubles: Troubles) -> sqlite3.Connection:
    """A connection with which something could be read."""
    connection = sqlite3.connect(address, uri=True, timeout=troubles.busy_seconds, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute(queries()["identity"]).fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
