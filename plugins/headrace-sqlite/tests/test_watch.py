"""The watch says at any time whether somebody wrote; it waits for nobody and keeps nothing from being written."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.testing.conformance.run_store import flow_run, put
from headrace_sqlite.run_store import SqliteRunStore
from headrace_sqlite.watch import Watch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "headrace.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a database without a write-ahead log, in which a writer keeps readers out."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE rows (number INTEGER)")
    yield connection
    connection.close()


def watching(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None)


def test_a_lock_is_no_error(path: Path, writer: sqlite3.Connection) -> None:
    """While the file is locked, the version is as it was, from the first time on; when it is not, the version is another one."""
    watch = Watch(lambda: watching(path))
    seen = []
    for _ in range(3):
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("INSERT INTO rows VALUES (1)")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            watching(path).execute("SELECT * FROM rows")
        seen += [watch.version(), watch.version()]
        writer.execute("COMMIT")
        seen.append(watch.version())
    watch.close()
    first, second, third = seen[2], seen[5], seen[8]
    assert seen == [seen[0], seen[0], first, first, first, second, second, second, third]
    assert len({seen[0], first, second, third}) == 4


def test_other_errors_are_errors(path: Path) -> None:
    """A file that is no database is an error, not a version."""
    path.write_text("Dear diary, " * 1000)
    watch = Watch(lambda: watching(path))
    with pytest.raises(sqlite3.DatabaseError, match="file is not a database"):
        watch.version()
    watch.close()


def test_a_watch_opens_one_connection(path: Path, writer: sqlite3.Connection) -> None:
    """The connection is made when the first one asks, is used by all that follow, is closed with the watch, and is not used any more then."""
    made = []

    def opened() -> sqlite3.Connection:
        made.append(watching(path))
        return made[-1]

    watch = Watch(opened)
    watch.close()
    assert made == []
    assert watch.version() == watch.version()
    (connection,) = made
    watch.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    watch.version()  # whoever comes late asks for a connection again, and hears there that it was closed
    assert len(made) == 2
    watch.close()


def test_a_watch_looks_at_no_moment_for_long(path: Path) -> None:
    """Between two questions the watch holds no look, so the log can be folded into the file whole."""
    with SqliteRunStore(path=path).open() as opened:
        opened.version()
        put(opened, flow_run("flow"))
        opened.version()
        put(opened, flow_run("other"))
        folded = opened._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # type: ignore[attr-defined]
    assert folded == (0, 0, 0)
