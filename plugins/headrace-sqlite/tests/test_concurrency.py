"""Several processes and one file: nothing is lost, nobody sees a lock error, and who dies leaves a sound store."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headrace.errors import StoreBusy
from headrace.model.events import Event
from headrace.model.filters import EventFilter, FlowRunFilter, Page
from headrace.ports.run_store import OpenRunStore
from headrace.testing.conformance.run_store import NOW, flow_run, put
from headrace_sqlite.opening import VERSION
from headrace_sqlite.run_store import SqliteRunStore

SECONDS = 120

START = """
import sys
from pathlib import Path
import attrs
import headrace_sqlite.schema  # its slow import would keep processes from meeting
from headrace.model.events import Event
from headrace.testing.conformance.run_store import NOW, RUNNING, flow_run
from headrace_sqlite.run_store import SqliteRunStore

store = SqliteRunStore(path=Path(sys.argv[1]))

def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""

OPENS = """
ready()
with store.open() as opened, opened.writing() as writing:
    writing.append_event(Event(moment=NOW, kind="opened", subject=""))
"""

WATCHES = """
with store.open() as opened:
    seen = last = None
    ready()
    while last != 200:
        version = opened.version()
        if version != seen:
            seen = version
            with opened.reading() as reading:
                last = reading.last_event()
sys.stdin.readline()
"""

COUNTS = """
with store.open() as opened:
    ready()
    for _ in range(200):
        with opened.writing() as writing:
            run = writing.flow_run("flow")
            counted = attrs.evolve(run.entering(RUNNING), parameters={"count": run.parameters["count"] + 1})
            assert writing.update_flow_run(counted, was=run.revision)
"""

HOLDS = """
with store.open() as opened, opened.writing() as writing:
    writing.add_flow_run(flow_run("never", parameters={"text": "x" * 10_000_000}))
    ready()
"""

WRITES = """
with store.open() as opened:
    ready()
    number = 0
    while True:
        number += 1
        with opened.writing() as writing:
            writing.append_event(Event(moment=NOW, kind="written", subject=f"{number:09}"))
            writing.add_flow_run(flow_run(f"{number:09}", parameters={"text": "x" * (number * 997 % 50_000)}))
"""


@contextmanager
def started(script: str, path: Path, count: int = 1) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes, all of them ready and none of them going on; what is left of them is killed in the end."""
    command = [sys.executable, "-c", START + script, str(path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(count)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=SECONDS)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=SECONDS)


def go_on(processes: list[subprocess.Popen[str]]) -> None:
    """Lets them all go on, and sees that they end well."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=SECONDS)
        assert errors == ""
        assert process.returncode == 0


def check(path: Path) -> None:
    """SQLite itself finds nothing wrong."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "headrace.db"


def test_many_processes_open_a_new_file_at_once(path: Path) -> None:
    """Sixteen processes that open a file which is not there, in a folder which is not there, all succeed; one of them makes the schema."""
    with started(OPENS, path, 16) as processes:
        assert not path.parent.exists()
        go_on(processes)
    with SqliteRunStore(path=path).open() as opened, opened.reading() as reading:
        assert [event.sequence for event in reading.events(EventFilter(), 100)] == list(range(1, 17))
    check(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchall() == [(VERSION,)]
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    connection.close()


def test_processes_lose_nothing(path: Path) -> None:
    """Eight processes that read, count and write 200 times each lose nothing and see no lock error."""
    with SqliteRunStore(path=path).open() as opened:
        put(opened, flow_run("flow", parameters={"count": 0}))
        with started(COUNTS, path, 8) as processes:
            go_on(processes)
        with opened.reading() as reading:
            run = reading.flow_run("flow")
            assert run is not None
            assert (run.parameters, run.revision, len(reading.states("flow"))) == ({"count": 1600}, 1601, 1601)


def test_processes_see_that_others_write(path: Path) -> None:
    """Processes that only ask for the version, and look when it is another one, meet all that is written elsewhere, and no lock error."""
    with SqliteRunStore(path=path).open() as opened, started(WATCHES, path, 3) as processes:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for _ in range(200):
            with opened.writing() as writing:
                writing.append_event(Event(moment=NOW, kind="written", subject=""))
        go_on(processes)


def test_a_process_killed_in_a_transaction_leaves_no_trace(path: Path) -> None:
    """What a process wrote that was killed before its transaction ended is not there, and nobody waits for it."""
    with SqliteRunStore(path=path, busy_seconds=SECONDS).open() as opened:
        put(opened, flow_run("before"))
        with started(HOLDS, path) as (process,):
            process.send_signal(signal.SIGKILL)
            process.wait(SECONDS)
            put(opened, flow_run("after"))
    with SqliteRunStore(path=path).open() as opened:
        assert_runs(opened, "after", "before")
    check(path)


def test_a_process_killed_at_any_time_leaves_whole_transactions(path: Path) -> None:
    """Whenever a writer is killed, each of its transactions is there whole or not at all, and none is missing in between."""
    for _ in range(5):
        with SqliteRunStore(path=path).open() as opened, started(WRITES, path) as (process,):
            with opened.reading() as reading:
                before = len(reading.events(EventFilter(), 1_000_000))
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            written = before
            while written < before + 100:
                with opened.reading() as reading:
                    written = len(reading.events(EventFilter(), 1_000_000))
            process.send_signal(signal.SIGKILL)
            process.wait(SECONDS)
        check(path)
        with SqliteRunStore(path=path).open() as opened, opened.reading() as reading:
            subjects = {event.subject for event in reading.events(EventFilter(), 1_000_000)}
            runs = reading.flow_runs(FlowRunFilter(), Page(limit=1_000_000, newest_first=False))
            assert {run.id for run in runs} == subjects
            assert sorted(subjects) == [f"{number:09}" for number in range(1, len(subjects) + 1)]


def test_readers_do_not_wait_for_a_writer(path: Path) -> None:
    """While another process is in a transaction, everybody reads what was before it."""
    with SqliteRunStore(path=path, busy_seconds=0).open() as opened:
        put(opened, flow_run("before"))
        with started(HOLDS, path):
            assert_runs(opened, "before")
            with SqliteRunStore(path=path, busy_seconds=0).open() as other:
                assert_runs(other, "before")


def test_who_waits_too_long_hears_who_is_in_the_way(path: Path) -> None:
    """A store that stays locked is an error that names the process; it goes when the process goes on."""
    with SqliteRunStore(path=path, busy_seconds=0.05).open() as opened:
        with started(HOLDS, path) as processes:
            with pytest.raises(StoreBusy, match=rf"stayed locked for 0.05 seconds by process {processes[0].pid} \(python"):
                put(opened, flow_run("flow"))
            go_on(processes)
        put(opened, flow_run("flow"))
        assert_runs(opened, "never", "flow")


def test_threads_wait_for_each_other_no_longer_than_for_others(path: Path) -> None:
    """A transaction of this process that does not end is an error for the next one too, and not for readers."""
    errors = []

    def write(opened: OpenRunStore) -> None:
        try:
            put(opened, flow_run("second"))
        except StoreBusy as error:
            errors.append(str(error))

    with SqliteRunStore(path=path, busy_seconds=0.05).open() as opened:
        with opened.writing() as writing:
            writing.add_flow_run(flow_run("first"))
            thread = threading.Thread(target=write, args=(opened,))
            thread.start()
            thread.join(SECONDS)
            assert_runs(opened)
        assert_runs(opened, "first")
    (sentence,) = errors
    assert "stayed locked for 0.05 seconds by another transaction of this process;" in sentence


FORKS = """
import os
with store.open() as opened:
    with opened.writing() as writing:
        writing.add_flow_run(flow_run("parent"))
    opened.version()
    with opened.writing() as writing:
        child = os.fork()
        if child == 0:
            for use in (opened.reading().__enter__, opened.writing().__enter__, opened.version):
                try:
                    print("used", use(), flush=True)
                except Exception as error:
                    print(error, flush=True)
            with store.open() as anew, anew.reading() as reading:
                print(reading.flow_run("parent").id, reading.flow_run("late"), flush=True)
            opened.close()
            os._exit(0)
        os.waitpid(child, 0)
        writing.add_flow_run(flow_run("late"))
"""


def test_a_forked_process_opens_anew(path: Path) -> None:
    """What was opened before a fork is refused after it, in a sentence; opening anew works, and the parent notices nothing."""
    command = [sys.executable, "-c", START + FORKS, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    *refusals, anew = done.stdout.splitlines()
    assert len(refusals) == 3
    assert all("was forked from that; open it here anew" in refusal for refusal in refusals)
    assert anew == "parent None"
    with SqliteRunStore(path=path).open() as opened:
        assert_runs(opened, "parent", "late")
    check(path)


def assert_runs(opened: OpenRunStore, *expected: str) -> None:
    with opened.reading() as reading:
        assert [run.id for run in reading.flow_runs(FlowRunFilter(), Page())] == sorted(expected, reverse=True)
