"""The watch: whether anybody wrote, at the price of a look into shared memory.

SQLite tells a connection whether others have written since it was asked before. So the watch has a connection of its own, on which nothing else
happens: a transaction would go on seeing one state of the file, and what a connection writes by itself is not counted.
"""

import sqlite3
import threading
from collections.abc import Callable

from headrace_sqlite.queries import queries
from headrace_sqlite.troubles import is_locked


class Watch:
    """Gives the number, to any thread. `opened` gives the connection, when somebody asks for the first time, and says why not after the end."""

    def __init__(self, opened: Callable[[], sqlite3.Connection]) -> None:
        self._opened = opened
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._last = 0

    def version(self) -> int:
        """The number as it is now; while the file is being mended or closed by another process, and cannot be looked into, as it was."""
        with self._lock:
            try:
                # All rows are fetched, though there is one: until the end is reached, the look goes on.
                ((self._last,),) = self._look().execute(queries()["version"]).fetchall()
            except sqlite3.OperationalError as error:
                if not is_locked(error):
                    raise
            return self._last

    def close(self) -> None:
        """Waits for who is just asking."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _look(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._opened()
        return self._connection
