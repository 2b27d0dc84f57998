"""The write-ahead log does not grow for ever."""

import os
from pathlib import Path

from headrace.model.events import Event
from headrace.ports.run_store import OpenRunStore
from headrace.testing.conformance.run_store import NOW, flow_run, put
from headrace_sqlite.folding import MOST_BYTES
from headrace_sqlite.run_store import SqliteRunStore

LARGE = 2_000_000


def write_much(opened: OpenRunStore, first: int, count: int) -> None:
    for number in range(first, first + count):
        put(opened, flow_run(f"{number:04}", parameters={"text": "x" * LARGE}))


def write_little(opened: OpenRunStore) -> None:
    with opened.writing() as writing:
        writing.append_event(Event(moment=NOW, kind="written", subject=""))


def test_a_long_log_is_folded(tmp_path: Path) -> None:
    """It grows while somebody reads what was before; when that is over, whoever finds it long when he has written leaves none, and all is in the file."""
    log = tmp_path / "headrace.db-wal"
    value = SqliteRunStore(path=tmp_path / "headrace.db")
    with value.open() as first, value.open() as second:
        with first.reading():
            write_much(first, 0, 9)
            assert os.stat(log).st_size > MOST_BYTES
        write_little(second)
        assert os.stat(log).st_size == 0
        with second.reading() as reading:
            assert reading.flow_run("0008") is not None


def test_who_reads_for_long_is_not_waited_for_with_every_commit(tmp_path: Path) -> None:
    """Two processes go on writing while somebody reads, and wait for him once in a while; what they wrote is there."""
    value = SqliteRunStore(path=tmp_path / "headrace.db", busy_seconds=0)
    with value.open() as first, value.open() as second, first.reading():
        for number in range(6):
            write_much(first, 2 * number, 1)
            write_much(second, 2 * number + 1, 1)
        for opened in (first, second):
            assert opened._folding._least > MOST_BYTES  # type: ignore[attr-defined]
        write_little(first)
        with second.reading() as reading:
            assert reading.last_event() == 1
            assert reading.flow_run("0011") is not None
