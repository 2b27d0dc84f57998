"""Emptying a store: all that it remembers is forgotten, in one transaction, while others may look."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from headrace_sqlite.opening import opened_to_write, patiently
from headrace_sqlite.troubles import Troubles

_KEPT = ("_sqlite_migrations", "storages")
"""The storages stay with what is known of the keys in them, since what lies there is to be removed yet; and at once."""

_LONG_AGO = "2000-01-01T00:00:00+00:00"


def emptied(path: Path, busy_seconds: float) -> None:
    """Forgets everything in the store at a path. The last event stays, so that what comes is still after what others have seen."""
    troubles = Troubles(path, busy_seconds)
    with closing(opened_to_write(path, troubles)) as connection, troubles.told():
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"), busy_seconds)
        try:
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall():
                if table == "events":
                    connection.execute("DELETE FROM events WHERE sequence < (SELECT max(sequence) FROM events)")
                elif table == "marks":
                    connection.execute("DELETE FROM marks WHERE name <> 'store id'")
                elif table == "reserved":
                    connection.execute(f"UPDATE reserved SET at = '{_LONG_AGO}'")
                elif table not in _KEPT:
                    connection.execute(f'DELETE FROM "{table}"')
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        with suppress(sqlite3.OperationalError):  # while others look, the file keeps its size, and is filled anew
            connection.execute("VACUUM")
