"""What headrace-sqlite offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_run_stores() -> Iterator[Provider[Any]]:
    yield Provider("sqlite", "headrace_sqlite.run_store:SqliteRunStore", "Runs in an SQLite file, for all processes of one machine")
