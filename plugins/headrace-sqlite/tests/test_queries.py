"""Statements are found by their names, and read no more than they must."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace_sqlite
from headrace.model.events import Event
from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.states import StateType
from headrace.ports.run_store import OpenRunStore
from headrace.testing.conformance.run_store import flow_run, put, work_queue
from headrace_sqlite import listing
from headrace_sqlite.queries import queries
from headrace_sqlite.run_store import SqliteRunStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MAY_SCAN = {
    "limits",
    "tokens",
    "storages",
    "agents",
    "sqlite_master",
    "doomed",
    "CONSTANT",
    "(subquery-2)",
    "json_each",
    "wanted",
    "ran",
    "known",
    "some",
    "pragma_application_id",
    "pragma_user_version",
}
"""What is read whole: what is small, or was made on the way."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Any]:
    with SqliteRunStore(path=tmp_path / "headrace.db").open() as opened, opened.reading() as reading:
        yield reading._connection  # type: ignore[attr-defined]


def steps(connection: Any, statement: str, parameters: Any) -> list[str]:
    """How SQLite goes about a statement."""
    return [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def scanned(plan: list[str]) -> set[str]:
    """What is read whole on the way, except for the leases that may be live, which are few, and for the names of runs, a part of which is looked for."""
    whole = (step for step in plan if step.startswith("SCAN ") and not re.search("INDEX (leases_that_last|flow_runs_by_id_and_name)", step))
    return {step.split()[1] for step in whole}


def test_every_statement_has_a_sentence() -> None:
    """Every statement in the file has a name of its own and a sentence that ends."""
    text = Path(headrace_sqlite.__file__).with_name("queries.sql").read_text()
    heads = re.findall(r"^-- name: (\w+): [A-Z].*\.$", text, re.MULTILINE)
    assert heads == list(queries())
    assert len(heads) == text.count(";\n") == text.count("-- name:")


def test_every_statement_is_used() -> None:
    """Every statement is called by its name somewhere, and no name is called that is not there."""
    folder = Path(headrace_sqlite.__file__).parent
    code = "".join(file.read_text() for file in folder.glob("*.py"))
    used = set(re.findall(r"""(?:_execute|_row|_change|_change_all)\(\s*"(\w+)"|queries(?:\(\))?\["(\w+)"\]""", code))
    assert {one or other for one, other in used} == set(queries())


@pytest.mark.parametrize("name", queries())
def test_no_statement_reads_a_table_whole(connection: Any, name: str) -> None:
    """Every statement finds its rows by an index; read whole is only what is small."""
    statement = queries()[name]
    named = dict.fromkeys(re.findall(r":(\w+)", statement))
    plan = steps(connection, statement, named or [None] * statement.count("?"))
    assert scanned(plan) <= MAY_SCAN


FLOW_RUNS = [
    ({"ids": ("a", "b")}, "sqlite_autoindex_flow_runs_1 (id=?"),
    ({"id_prefix": "a"}, "sqlite_autoindex_flow_runs_1 (id>? AND id<?"),
    ({"names": ("a",)}, "flow_runs_by_name (name=?"),
    ({"flow_names": ("a", "b")}, "flow_runs_by_flow_name (flow_name=?"),
    ({"root_ids": ("a", "b")}, "flow_runs_by_root_id (root_id=?"),
    ({"deployment_ids": ("a",)}, "flow_runs_by_deployment_id (deployment_id=?"),
    ({"state_types": (StateType.RUNNING, StateType.FAILED)}, "flow_runs_by_state_type (state_type=?"),
    ({"state_names": ("Late",)}, "flow_runs_by_state_name (state_name=?"),
    ({"tags": ("a", "b")}, "s USING PRIMARY KEY (tag=?"),
    ({"created_after": NOW}, "flow_runs_by_created (created>?"),
    ({"created_before": NOW}, "flow_runs_by_created (created<?"),
    ({"created_after": NOW, "created_before": NOW}, "flow_runs_by_created (created>? AND created<?"),
    (
        {"state_types": (StateType.RUNNING,), "flow_names": ("a",), "deployment_ids": ("a",)},
        "flow_runs_by_deployment_and_state (deployment_id=? AND state_type=?",
    ),
    ({"state_types": (StateType.RUNNING,), "flow_names": ("a", "b")}, "flow_runs_by_flow_and_state (flow_name=? AND state_type=?"),
    ({"work_queues": ("a", "b")}, "flow_runs_by_work_queue (work_queue=?"),
    ({"due_after": NOW}, "flow_runs_by_due (due>?"),
    ({"due_after": NOW, "due_before": NOW, "tags": ("a",)}, "s USING PRIMARY KEY (tag=?"),
    ({"created_after": NOW, "flow_names": ("a",)}, "flow_runs_by_flow_name (flow_name=? AND id>? AND id<?"),
    ({"names": ("a",), "tags": ("a",), "root_only": True}, "flow_runs_by_name (name=?"),
]

TASK_RUNS = [
    ({"ids": ("a", "b")}, "sqlite_autoindex_task_runs_1 (id=?"),
    ({"id_prefix": "a"}, "sqlite_autoindex_task_runs_1 (id>? AND id<?"),
    ({"names": ("a",)}, "task_runs_by_name_and_state (name=? AND state_type=?"),
    ({"names": ("a",), "state_types": (StateType.RUNNING,)}, "task_runs_by_name_and_state (name=? AND state_type=?"),
    ({"flow_run_ids": ("a", "b")}, "task_runs_by_flow_run_id (flow_run_id=?"),
    ({"state_types": (StateType.RUNNING,)}, "task_runs_by_state_type (state_type=?"),
    ({"state_names": ("Cached",)}, "task_runs_by_state_name (state_name=?"),
    ({"tags": ("a",)}, "s USING PRIMARY KEY (tag=?"),
    ({"flow_run_ids": ("a",), "state_types": (StateType.RUNNING,), "tags": ("a",)}, "task_runs_by_flow_run_id (flow_run_id=?"),
]

LOGS = [
    ({"flow_run_ids": ("a", "b")}, "logs_by_flow_run_id (flow_run_id=?"),
    ({"task_run_id": "a"}, "logs_by_task_run_id (task_run_id=?"),
    ({"flow_run_ids": ("a",), "least_level": 20, "text": "a"}, "logs_by_flow_run_id (flow_run_id=?"),
]

DEPLOYMENTS = [
    ({"ids": ("a", "b")}, "sqlite_autoindex_deployments_1 (id=?"),
    ({"id_prefix": "a"}, "sqlite_autoindex_deployments_1 (id>? AND id<?"),
    ({"names": ("a", "b"), "tags": ("a", "b")}, "deployments_by_name (name=?"),
    ({"flow_names": ("a",)}, "deployments_by_flow_name (flow_name=?"),
]

WORK_QUEUES = [
    ({"ids": ("a", "b")}, "sqlite_autoindex_work_queues_1 (id=?"),
    ({"id_prefix": "a"}, "sqlite_autoindex_work_queues_1 (id>? AND id<?"),
    ({"names": ("a", "b")}, "work_queues_by_name (name=?"),
]

CASES = [
    (listing.flow_runs_waiting, FlowRunFilter(work_queues=("a", "b")), "assignments_by_queue (queue_id=?"),
    (
        listing.flow_runs_waiting,
        FlowRunFilter(work_queues=("a",), state_types=(StateType.RUNNING,)),
        "flow_runs_by_state_type (state_type=?",
    ),
    *((listing.flow_runs, FlowRunFilter(**fields), index) for fields, index in FLOW_RUNS),  # type: ignore[arg-type]
    *((listing.task_runs, TaskRunFilter(**fields), index) for fields, index in TASK_RUNS),  # type: ignore[arg-type]
    *((listing.logs, LogFilter(**fields), index) for fields, index in LOGS),  # type: ignore[arg-type]
    *((listing.deployments, DeploymentFilter(**fields), index) for fields, index in DEPLOYMENTS),  # type: ignore[arg-type]
    *((listing.work_queues, WorkQueueFilter(**fields), index) for fields, index in WORK_QUEUES),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("page", [Page(), Page(after="m"), Page(after="m", newest_first=False)], ids=["newest", "older", "newer"])
@pytest.mark.parametrize(("ask", "wanted", "index"), CASES)
def test_a_filter_is_looked_up(connection: Any, ask: Any, wanted: Any, index: str, page: Page) -> None:
    """A list that is narrowed looks its rows up in the index of the field that drives it; no table is read whole."""
    plan = steps(connection, *ask(wanted, page))
    assert scanned(plan) <= MAY_SCAN
    assert any(index in step for step in plan), plan


SORTED = ("created", "by_due", "(id", "work_queues_by_name")
"""Indexes that have no rows in order of their ids: not at all, or one row for a value."""


@pytest.mark.parametrize(("ask", "wanted", "index"), [case for case in CASES if not any(name in case[2] for name in SORTED)])
def test_pages_are_not_sorted(connection: Any, ask: Any, wanted: Any, index: str) -> None:
    """Only the rows of the page itself are sorted; those behind it are not even read, since the index has them in order."""
    plan = steps(connection, *ask(wanted, Page(after="m")))
    assert [step for step in plan if "TEMP B-TREE" in step] == ["USE TEMP B-TREE FOR ORDER BY"]


@pytest.mark.parametrize(
    ("ask", "wanted", "index"),
    [
        (listing.flow_runs, FlowRunFilter(), "sqlite_autoindex_flow_runs_1"),
        (listing.flow_runs, FlowRunFilter(root_only=True), "flow_runs_that_are_roots"),
        (listing.flow_runs, FlowRunFilter(text="a"), "flow_runs_by_id_and_name"),
        (listing.task_runs, TaskRunFilter(), "sqlite_autoindex_task_runs_1"),
        (listing.logs, LogFilter(text="a"), "sqlite_autoindex_logs_1"),
        (listing.logs, LogFilter(least_level=30), "logs_that_warn"),
        (listing.logs, LogFilter(least_level=40, text="a"), "logs_that_warn"),
        (listing.deployments, DeploymentFilter(tags=("a",)), "sqlite_autoindex_deployments_1"),
        (listing.work_queues, WorkQueueFilter(), "sqlite_autoindex_work_queues_1"),
    ],
)
def test_a_list_of_everything_is_read_in_order(connection: Any, ask: Any, wanted: Any, index: str) -> None:
    """A list that nothing narrows is read along an index, from where the page begins, until the page is full."""
    plan = steps(connection, *ask(wanted, Page(after="m")))
    assert any(f"INDEX {index} (id<?)" in step for step in plan), plan
    assert scanned(plan) <= MAY_SCAN


WINDOW = {"created_after": NOW, "created_before": NOW}


@pytest.mark.parametrize(
    ("ask", "wanted", "rows", "lookup"),
    [
        (
            listing.flow_runs,
            FlowRunFilter(flow_names=("a",), state_names=("b",)),
            {"by_state_name": 5},
            "flow_runs_by_state_name (state_name=?",
        ),
        (
            listing.flow_runs,
            FlowRunFilter(flow_names=("a",), state_names=("b",)),
            {"by_flow_name": 5},
            "flow_runs_by_flow_name (flow_name=?",
        ),
        (listing.flow_runs, FlowRunFilter(flow_names=("a",), state_names=("b",)), {}, "flow_runs_by_flow_name (flow_name=?"),
        (listing.flow_runs, FlowRunFilter(**WINDOW), {"by_created": 5}, "flow_runs_by_created (created>? AND created<?"),  # type: ignore[arg-type]
        (listing.flow_runs, FlowRunFilter(**WINDOW), {}, "sqlite_autoindex_flow_runs_1 (id>? AND id<?"),  # type: ignore[arg-type]
        (listing.flow_runs, FlowRunFilter(tags=("a",), **WINDOW), {}, "s USING PRIMARY KEY (tag=? AND id>? AND id<?"),  # type: ignore[arg-type]
        (listing.flow_runs, FlowRunFilter(root_only=True, **WINDOW), {}, "flow_runs_that_are_roots (id>? AND id<?"),  # type: ignore[arg-type]
        (listing.flow_runs, FlowRunFilter(text="a", state_names=("b",)), {"LIKE": 0}, "flow_runs_by_id_and_name"),
        (listing.flow_runs, FlowRunFilter(text="a", state_names=("b",)), {}, "flow_runs_by_state_name (state_name=?"),
        (
            listing.task_runs,
            TaskRunFilter(tags=("a",), names=("b",)),
            {"by_name_and": 5},
            "task_runs_by_name_and_state (name=? AND state_type=?",
        ),
    ],
)
def test_what_has_the_fewest_rows_drives(connection: Any, ask: Any, wanted: Any, rows: dict[str, int], lookup: str) -> None:
    """Where several fields are in use, the one drives that has the fewest rows; if all have very many, nothing that would have to be sorted."""
    asked: list[tuple[str, Any]] = []

    def count(statement: str, parameters: Any) -> int:
        asked.append((statement, parameters))
        return next((number for index, number in rows.items() if index in statement), parameters["most"])

    statement, parameters = ask(wanted, Page(), count)
    for each in ((statement, parameters), *asked):
        plan = steps(connection, *each)
        assert scanned(plan) <= MAY_SCAN | {"(subquery-3)", "(subquery-1)"}, plan
    plan = steps(connection, statement, parameters)
    assert any(lookup in step for step in plan), plan


def test_no_more_is_counted_than_must_be(connection: Any) -> None:
    """Counting stops where a field has more rows than the best one so far, or than are sorted in a moment; and where there are few, or nothing to choose."""
    asked: list[int] = []

    def count(_: str, parameters: Any) -> int:
        asked.append(parameters["most"])
        return [5000, 300][len(asked) - 1]

    listing.flow_runs(FlowRunFilter(names=("a",), tags=("b",), flow_names=("c",), state_names=("d",)), Page(), count)
    listing.flow_runs(FlowRunFilter(names=("a",)), Page(), count)
    listing.flow_runs(FlowRunFilter(), Page(), count)
    assert asked == [listing.ENOUGH, 5000]


@pytest.mark.parametrize(
    ("wanted", "lookup"),
    [
        (EventFilter(after=5), "INTEGER PRIMARY KEY (rowid>?)"),
        (EventFilter(after=5, kinds=("a", "b")), "INDEX events_by_kind (kind=? AND rowid>?)"),
        (EventFilter(after=5, subjects=("a", "b")), "INDEX events_by_subject (subject=? AND rowid>?)"),
        (EventFilter(kinds=("a",), subjects=("a",)), "INDEX events_by_subject (subject=? AND rowid>?)"),
    ],
)
def test_events_are_read_from_where_somebody_was(connection: Any, wanted: EventFilter, lookup: str) -> None:
    """Events are read in their order, from the one after the last that was seen; those of some subjects along the index of subjects."""
    plan = steps(connection, *listing.events(wanted, 10))
    assert scanned(plan) <= MAY_SCAN
    assert any(lookup in step for step in plan), plan
    assert [step for step in plan if "TEMP B-TREE" in step] == ["USE TEMP B-TREE FOR ORDER BY"]


LOOKUPS = {
    "due": "assignments USING COVERING INDEX assignments_by_due (queue_id=? AND (due,run_id)>(?,?) AND due<?)",
    "in_use": "leases USING COVERING INDEX leases_that_last (boot=? AND expires>?)",
    "held_by": "leases USING COVERING INDEX leases_by_holder (holder=?)",
    "verdict": "verdicts USING INDEX sqlite_autoindex_verdicts_1 (move_id=?)",
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_what_is_claimed_is_looked_up(connection: Any, name: str) -> None:
    """What a claim asks begins in the index that has its rows in order; nothing is sorted, and what comes after the limit is not read."""
    statement = queries()[name]
    first, *others = steps(connection, statement, dict.fromkeys(re.findall(r":(\w+)", statement)))
    assert first == f"SEARCH {LOOKUPS[name]}"
    assert all(step.startswith(("SEARCH ", "CORRELATED SCALAR SUBQUERY ")) for step in others), others


def steps_taken(opened: OpenRunStore, ask: str) -> int:
    """How many steps SQLite takes for a question about the queue, in tens."""
    taken: list[int] = []
    with opened.reading() as reading:
        connection = reading._connection  # type: ignore[attr-defined]
        reading.flow_run("flow")  # the schema is read with the first statement
        connection.set_progress_handler(lambda: taken.append(1), 10)
        if ask == "due":
            assert len(reading.due("queue", NOW, 10)) == 10
        else:
            assert reading.in_use("queue") == 5
        connection.set_progress_handler(None, 0)
    return len(taken)


@pytest.mark.parametrize("ask", ["due", "in_use"])
def test_a_backlog_costs_nothing(tmp_path: Path, ask: str) -> None:
    """The first runs of a queue, and how many are under way, are found in as many steps whether twenty runs wait or two thousand."""
    with SqliteRunStore(path=tmp_path / "headrace.db").open() as opened:
        put(opened, work_queue("queue"))
        taken = []
        for letter, count in (("a", 20), ("b", 2000)):
            runs = [flow_run(f"{letter}{number:04}") for number in range(count)]
            put(opened, *runs)
            with opened.writing() as writing:
                for number, run in enumerate(runs):
                    writing.assign(run.id, ["queue"])
                    # Of the first ones some are under way; all others were, and whoever had them is gone.
                    writing.grant_lease(run.id, epoch=1, holder="me", seconds=3600 if letter == "a" and number < 5 else 0)
            taken.append(steps_taken(opened, ask))
    assert abs(taken[0] - taken[1]) <= 1


@pytest.mark.parametrize(("ask", "table"), [(listing.flow_runs, "flow_runs"), (listing.task_runs, "task_runs")])
def test_what_has_a_tag_is_sifted_without_a_look_at_the_runs(connection: Any, ask: Any, table: str) -> None:
    """Whatever else is asked of what has a tag stands with the tag, so that only runs that fit are read, however many have it; but what has few
    runs, and the queue."""
    tags = table.replace("runs", "run_tags")
    kept = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({tags})")}
    fields = {
        "names": "name",
        "flow_names": "flow_name",
        "flow_run_ids": "flow_run_id",
        "deployment_ids": "deployment_id",
        "root_ids": "root_id",
        "state_types": "state_type",
        "state_names": "state_name",
        "created_after": "created",
        "root_only": "root_id",
        "ids": "id",
        "id_prefix": "id",
        "created_before": "created",
        "text": "name",
    }
    elsewhere = {"tags", "schedule_ids", "due_after", "due_before", "work_queues"}
    kind = FlowRunFilter if table == "flow_runs" else TaskRunFilter
    assert {fields[name] for name in attrs.fields_dict(kind) if name not in elsewhere} <= kept
    wanted = kind(tags=("a", "b"), names=("x",), state_types=(StateType.FAILED,), state_names=("Failed",))
    plan = steps(connection, *ask(wanted, Page(), lambda statement, parameters: 1 if f"{tags} AS s" in statement else parameters["most"]))
    assert not any(step.startswith(f"SEARCH {table}") for step in plan)
    assert sum("SEARCH t " in step for step in plan) == 1, plan
    assert any("SEARCH s USING PRIMARY KEY (tag=?" in step for step in plan), plan


def test_a_rare_kind_of_event_is_looked_up(tmp_path: Path) -> None:
    """Whoever waits for a kind from the beginning takes as many steps among ten events of another kind as among two thousand."""
    with SqliteRunStore(path=tmp_path / "headrace.db").open() as opened:
        taken: list[int] = []
        for others in (10, 2000):
            with opened.writing() as writing:
                for _ in range(others):
                    writing.append_event(Event(moment=NOW, kind="common", subject="run"))
            steps_of: list[int] = []
            with opened.reading() as reading:
                connection = reading._connection  # type: ignore[attr-defined]
                reading.last_event()
                connection.set_progress_handler(lambda steps_of=steps_of: steps_of.append(1), 10)
                assert reading.events(EventFilter(kinds=("rare",)), 100) == []
                connection.set_progress_handler(None, 0)
            taken.append(len(steps_of))
    assert abs(taken[0] - taken[1]) <= 1
