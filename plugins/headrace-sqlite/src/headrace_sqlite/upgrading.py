"""Bringing a store up to this release on purpose, and making anew what is kept beside the runs and disagrees with them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from headrace_sqlite.counters import count_anew, disagreements
from headrace_sqlite.opening import opened_to_write, patiently
from headrace_sqlite.troubles import Troubles


def upgraded(path: Path, busy_seconds: float) -> Iterator[str]:
    """Upgrades the store at a path; gives sentences about what was mended."""
    troubles = Troubles(path, busy_seconds)
    with closing(opened_to_write(path, troubles)) as connection, troubles.told():
        if not disagreements(connection):  # seen without stopping who writes
            return
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"), busy_seconds)
        try:
            count = disagreements(connection)
            count_anew(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        yield f"{count} {'counter' if count == 1 else 'counters'} of flow runs disagreed with the runs; they were counted anew"
