"""Files of earlier releases are brought up to date when they are opened, whole or not at all."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlite_utils import Database

from headrace.model.counts import CountFilter
from headrace.model.events import Event
from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.states import State, StateType
from headrace.ports.run_store import OpenRunStore, Reading
from headrace.rules.verdicts import refused
from headrace.testing.conformance.run_store import (
    FULL_STATE,
    NOW,
    RUNNING,
    SCHEDULED,
    STRANGE,
    agent,
    counts_of,
    deployment,
    flow_run,
    ids,
    later,
    log_line,
    put,
    stamped,
    task_run,
    work_queue,
)
from headrace.wire.plain import to_text
from headrace_sqlite import opening
from headrace_sqlite.lease_clock import LeaseClock
from headrace_sqlite.opening import OURS, VERSION
from headrace_sqlite.run_store import SqliteRunStore
from headrace_sqlite.schema import MIGRATIONS

SECONDS = 120

RETRIED = stamped(State.scheduled(later(1), name="AwaitingRetry"))
RUNS = [
    flow_run("a", SCHEDULED, tags=("x", "y"), name=STRANGE, parameters={"not a number": float("inf"), STRANGE: [1]}),
    flow_run("b", RETRIED, revision=3, tags=("x",)),
    flow_run("c", RUNNING, deployment_id="deployment", work_queue="before"),
    flow_run("d", FULL_STATE, root_id="c", parent_task_run_id="task"),
]
TASK_RUNS = [task_run("task", of="c", tags=("x",)), task_run("other", of="a")]
LINES = [log_line("1", of="a", message=STRANGE), log_line("2", of="c", task_run_id="task")]
EVENTS = [Event(sequence=number, moment=NOW, kind=f"kind {number}", subject=STRANGE if number % 2 else "flow") for number in range(1, 6)]


NEXT = dict(enumerate(("waits", "arrivals", "tokens", "counts", "lookups", "schedules", "ticks", "storages", "searches"), 2))
"""What comes after each version."""


@pytest.fixture(params=range(1, VERSION))
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file as an earlier release left it, with something in each of the tables that the first one had."""
    path = tmp_path / "headrace.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        MIGRATIONS.apply(Database(connection, execute_plugins=False, recursive_triggers=False), stop_before="deployments")
        connection.execute(f"PRAGMA application_id = {OURS}")
        connection.execute("PRAGMA user_version = 1")
        for table, row in rows():
            names = ", ".join(row)
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
        if request.param > 1:
            MIGRATIONS.apply(Database(connection, execute_plugins=False, recursive_triggers=False), stop_before=NEXT[request.param])
            connection.execute(f"PRAGMA user_version = {request.param}")
        connection.execute("COMMIT")
    return path


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that the first release would have written."""
    for run in RUNS:
        yield (
            "flow_runs",
            {**row_of(run), "flow_name": run.flow_name, "deployment_id": run.deployment_id}
            | {
                "created": run.created.isoformat(),
                "root_id": run.root_id,
                "parent_task_run_id": run.parent_task_run_id,
            },
        )
        yield "flow_run_states", {"run_id": run.id, "revision": run.revision, "value": to_text(run.state)}
    for task in TASK_RUNS:
        yield "task_runs", {**row_of(task), "flow_run_id": task.flow_run_id}
        yield "task_run_states", {"run_id": task.id, "revision": 1, "value": to_text(task.state)}
    for line in LINES:
        yield "logs", attrs.asdict(line) | {"timestamp": line.timestamp.isoformat()}
    boot = LeaseClock.of_this_machine().boot
    yield "leases", {"run_id": "b", "epoch": 1, "holder": STRANGE, "boot": boot, "renewed": 0.0, "expires": 0.0}
    yield "leases", {"run_id": "c", "epoch": 2, "holder": "me", "boot": boot, "renewed": 0.0, "expires": 1e12}
    yield "verdicts", {"move_id": "move", "run_id": "a", "value": to_text(refused("no"))}
    yield "cached", {"cache_key": "key", "run_id": "task", "expires": None, "value": to_text(FULL_STATE)}
    yield "limits", {"tag": "x", "most": 1}
    yield "slots", {"task_run_id": "task", "tag": "x", "root_id": "c", "epoch": 2}
    for event in EVENTS:
        yield "events", {"sequence": event.sequence, "value": to_text(attrs.evolve(event, sequence=0))}


def row_of(run: Any) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "state_type": run.state.type,
        "state_name": run.state.name,
        "tags": json.dumps(run.tags),
        "revision": run.revision,
        "value": to_text(run),
    }


def assert_all_there(reading: Reading) -> None:
    """Everything that was in the file is there, and is found as it was."""
    first = Page(newest_first=False)
    assert reading.flow_runs(FlowRunFilter(), first) == RUNS
    assert ids(reading.flow_runs(FlowRunFilter(tags=("x",)), first)) == ["a", "b"]
    assert ids(reading.flow_runs(FlowRunFilter(deployment_ids=("deployment",)), first)) == ["c"]
    assert ids(reading.flow_runs(FlowRunFilter(root_ids=("c",)), first)) == ["c", "d"]
    assert ids(reading.flow_runs(FlowRunFilter(state_types=(StateType.SCHEDULED,), root_only=True), first)) == ["a", "b"]
    assert reading.task_runs(TaskRunFilter(), first) == sorted(TASK_RUNS, key=lambda run: run.id)
    assert reading.logs(LogFilter(), first) == LINES
    assert [reading.states(run.id) for run in (*RUNS, *TASK_RUNS)] == [[run.state] for run in (*RUNS, *TASK_RUNS)]
    assert reading.lease("b") == Lease(run_id="b", epoch=1, holder=STRANGE, live=False)
    assert reading.lease("c") == Lease(run_id="c", epoch=2, holder="me", live=True)
    assert (reading.verdict("move"), reading.cached("key", NOW)) == (refused("no"), FULL_STATE)
    assert reading.limits() == [ConcurrencyLimit(tag="x", limit=1, holders=("task",))]
    assert reading.events(EventFilter(), 100) == EVENTS
    assert reading.count_flow_runs(CountFilter()) == counts_of(RUNS)
    assert reading.count_flow_runs(CountFilter(flow_names=("etl",), deployment_ids=("deployment",))) == counts_of(RUNS[2:3])
    assert reading.flow_runs(FlowRunFilter(created_before=NOW), first) == [run for run in RUNS if run.created <= NOW]


def tables(path: Path) -> list[Any]:
    """The schema, and what is in each table."""
    with closing(sqlite3.connect(path)) as connection:
        schema = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        contents = [sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for kind, name, _ in schema if kind == "table"]
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return [version, schema, contents]


def test_an_old_file_keeps_what_is_in_it(path: Path) -> None:
    """A file of the first release is opened with all that is in it, is read as before, and is sound."""
    for _ in range(2):
        with SqliteRunStore(path=path).open() as opened, opened.reading() as reading:
            assert_all_there(reading)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_is_new_works_with_what_is_old(path: Path) -> None:
    """Runs and events of the first release are found by what only the second one asks, and go on."""
    with SqliteRunStore(path=path).open() as opened:
        put(opened, deployment("deployment"), work_queue("queue"))
        with opened.writing() as writing:
            for run in RUNS:
                writing.assign(run.id, ["queue"])
            writing.keep_agent(agent("agent"), seconds=60)
        with opened.reading() as reading:
            assert reading.deployments(DeploymentFilter(), Page()) == [deployment("deployment")]
            assert reading.work_queues(WorkQueueFilter(), Page()) == [work_queue("queue")]
            assert reading.due("queue", later(1), 10) == RUNS[:2]
            assert reading.due("queue", NOW, 10) == RUNS[:1]
            assert reading.in_use("queue") == 1
            assert reading.held_by(STRANGE) == [RUNS[1]]
            assert reading.events(EventFilter(subjects=(STRANGE,), kinds=("kind 1", "kind 2", "kind 5")), 10) == [EVENTS[0], EVENTS[4]]
            assert reading.last_event() == 5
            assert reading.agents() == [agent("agent")]
            assert ids(reading.under_way("queue", 10)) == ["c"]
            assert ids(reading.flow_runs(FlowRunFilter(work_queues=(work_queue("queue").name,)), Page(newest_first=False))) == [
                "a",
                "b",
                "c",
                "d",
            ]
            assert ids(reading.flow_runs(FlowRunFilter(work_queues=("before",)), Page())) == ["c"]
            assert ids(reading.flow_runs(FlowRunFilter(text=STRANGE[3:9]), Page())) == ["a"]
            assert (reading.late(later(10), 10), reading.waits("a")) == ([], [])
            assert_all_there(reading)
        with opened.writing() as writing:
            assert writing.update_flow_run(RUNS[0].entering(RUNNING), was=1)
            assert writing.append_event(attrs.evolve(EVENTS[0], sequence=0)).sequence == 6
            assert ids(writing.due("queue", later(1), 10)) == ["b"]
            assert writing.delete_flow_run("c")
            assert ids(writing.flow_runs(FlowRunFilter(), Page(newest_first=False))) == ["a", "b"]


def test_an_upgraded_file_is_like_a_new_one(path: Path, tmp_path: Path) -> None:
    """An upgraded file has the tables, columns, indexes and triggers that a new one has."""
    with SqliteRunStore(path=path).open(), SqliteRunStore(path=tmp_path / "new.db").open():
        pass
    _, upgraded, _ = tables(path)
    _, new, _ = tables(tmp_path / "new.db")
    assert upgraded == new


FIRST_MADE = {
    1: "deployments",
    2: "waits",
    3: "logs_by_arrival",
    4: "tokens",
    5: "flow_run_counts",
    6: "narrow_tags",
    7: "schedule_plans",
    8: "flow_runs_by_tick",
    9: "storages",
    10: "flow_runs_by_work_queue",
}
"""What the upgrade of a file of each version makes first."""

LAST_MADE = "assignments_by_queue"


@pytest.mark.parametrize("at", ["begin", "end"])
def test_a_failed_upgrade_changes_nothing(path: Path, at: str) -> None:
    """An upgrade that cannot be finished leaves the file as an earlier release made it; the next opening brings it up to date."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        in_the_way = FIRST_MADE[version] if at == "begin" else LAST_MADE
        connection.execute(f"CREATE TABLE {in_the_way} (id)")
    before = tables(path)
    with pytest.raises(sqlite3.OperationalError, match="already"), SqliteRunStore(path=path).open():
        pass
    assert tables(path) == before
    assert before[0] < VERSION
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"DROP TABLE {in_the_way}")
    with SqliteRunStore(path=path).open() as opened, opened.reading() as reading:
        assert_all_there(reading)


OPENS = """
import sys
from pathlib import Path
import headrace_sqlite.schema  # its slow import would keep processes from meeting
from headrace.testing.conformance.run_store import NOW
from headrace.model.events import Event
from headrace_sqlite.run_store import SqliteRunStore

print("ready", flush=True)
sys.stdin.readline()
with SqliteRunStore(path=Path(sys.argv[1])).open() as opened, opened.writing() as writing:
    writing.append_event(Event(moment=NOW, kind="opened", subject="here"))
"""


def test_many_processes_upgrade_a_file_at_once(path: Path) -> None:
    """Of eight processes that open an old file at the same time one upgrades it, and all of them succeed."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", OPENS, str(path)]
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(8)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=SECONDS)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.communicate(timeout=SECONDS)[1] for process in processes] == [""] * 8
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=SECONDS)
    with SqliteRunStore(path=path).open() as opened, opened.reading() as reading:
        assert [event.sequence for event in reading.events(EventFilter(subjects=("here",)), 100)] == list(range(6, 14))


def test_who_has_the_file_open_goes_on(path: Path, tmp_path: Path) -> None:
    """A process of the first release that has the file open may write on after it was upgraded; what it writes is read."""
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        assert old.execute("SELECT count(*) FROM flow_runs").fetchone() == (4,)
        with SqliteRunStore(path=path).open() as opened:
            written = attrs.evolve(EVENTS[0], sequence=0)
            old.execute("INSERT INTO events (value) VALUES (?)", (to_text(written),))
            old.execute("UPDATE flow_runs SET revision = 2, value = ? WHERE id = 'a'", (to_text(RUNS[0].entering(RUNNING)),))
            assert_read(opened, attrs.evolve(written, sequence=6))


def assert_read(opened: OpenRunStore, event: Event) -> None:
    with opened.reading() as reading:
        assert reading.flow_run("a") == RUNS[0].entering(RUNNING)
        assert reading.events(EventFilter(after=5), 10) == [event]


def test_a_large_file_tells_that_it_takes_long(path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for an upgrade of minutes is told so, and what of it is seen by others; a small one says nothing, nor does one that is up to date."""
    monkeypatch.setattr(opening, "LARGE", path.stat().st_size)
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    for _ in range(2):
        assert SqliteRunStore(path=path).upgrade() == ()
    (record,) = caplog.records
    assert record.getMessage() == (
        f"The run store at {path} (0.0 GB) is brought from schema {version} to {VERSION}, which may take minutes; others cannot write to it meanwhile."
        " If it is interrupted, nothing has changed."
    )


def test_a_small_file_is_upgraded_in_silence(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said where nobody has to wait."""
    assert SqliteRunStore(path=path).upgrade() == ()
    assert caplog.records == []
