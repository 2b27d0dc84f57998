"""Statements are found by their names, and read no more than they must."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import headrace_sqlite
from headrace.model.filters import FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.states import StateType
from headrace_sqlite import listing
from headrace_sqlite.queries import queries
from headrace_sqlite.run_store import SqliteRunStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAY_SCAN = {
    "limits",
    "sqlite_master",
    "doomed",
    "CONSTANT",
    "(subquery-2)",
    "json_each",
    "wanted",
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
    """What is read whole on the way."""
    return {step.split()[1] for step in plan if step.startswith("SCAN ")}


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
    used = set(re.findall(r"""(?:_execute|_row|_change|_change_all)\(\s*"(\w+)"|queries\(\)\["(\w+)"\]""", code))
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
    ({"deployment_ids": ("a",)}, "flow_runs_by_deployment_id (deployment_id=?"),
    ({"state_types": (StateType.RUNNING, StateType.FAILED)}, "flow_runs_by_state_type (state_type=?"),
    ({"state_names": ("Late",)}, "flow_runs_by_state_name (state_name=?"),
    ({"tags": ("a", "b")}, "flow_run_tags_by_tag (tag=?"),
    ({"created_after": NOW}, "flow_runs_by_created (created>?"),
    ({"created_before": NOW}, "flow_runs_by_created (created<?"),
    ({"created_after": NOW, "created_before": NOW}, "flow_runs_by_created (created>? AND created<?"),
    ({"state_types": (StateType.RUNNING,), "flow_names": ("a",), "deployment_ids": ("a",)}, "flow_runs_by_deployment_id (deployment_id=?"),
    ({"names": ("a",), "tags": ("a",), "root_only": True}, "flow_runs_by_name (name=?"),
]

TASK_RUNS = [
    ({"ids": ("a", "b")}, "sqlite_autoindex_task_runs_1 (id=?"),
    ({"id_prefix": "a"}, "sqlite_autoindex_task_runs_1 (id>? AND id<?"),
    ({"names": ("a",)}, "task_runs_by_name (name=?"),
    ({"flow_run_ids": ("a", "b")}, "task_runs_by_flow_run_id (flow_run_id=?"),
    ({"state_types": (StateType.RUNNING,)}, "task_runs_by_state_type (state_type=?"),
    ({"state_names": ("Cached",)}, "task_runs_by_state_name (state_name=?"),
    ({"tags": ("a",)}, "task_run_tags_by_tag (tag=?"),
    ({"flow_run_ids": ("a",), "state_types": (StateType.RUNNING,), "tags": ("a",)}, "task_runs_by_flow_run_id (flow_run_id=?"),
]

LOGS = [
    ({"flow_run_ids": ("a", "b")}, "logs_by_flow_run_id (flow_run_id=?"),
    ({"task_run_id": "a"}, "logs_by_task_run_id (task_run_id=?"),
    ({"flow_run_ids": ("a",), "least_level": 20, "text": "a"}, "logs_by_flow_run_id (flow_run_id=?"),
]

CASES = [
    *((listing.flow_runs, FlowRunFilter(**fields), index) for fields, index in FLOW_RUNS),  # type: ignore[arg-type]
    *((listing.task_runs, TaskRunFilter(**fields), index) for fields, index in TASK_RUNS),  # type: ignore[arg-type]
    *((listing.logs, LogFilter(**fields), index) for fields, index in LOGS),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("page", [Page(), Page(after="m"), Page(after="m", newest_first=False)], ids=["newest", "older", "newer"])
@pytest.mark.parametrize(("ask", "wanted", "index"), CASES)
def test_a_filter_is_looked_up(connection: Any, ask: Any, wanted: Any, index: str, page: Page) -> None:
    """A list that is narrowed looks its rows up in the index of the field that drives it; no table is read whole."""
    plan = steps(connection, *ask(wanted, page))
    assert scanned(plan) <= MAY_SCAN
    assert any(index in step for step in plan), plan


@pytest.mark.parametrize(("ask", "wanted", "index"), [case for case in CASES if "created" not in case[2] and "(id" not in case[2]])
def test_pages_are_not_sorted(connection: Any, ask: Any, wanted: Any, index: str) -> None:
    """Only the rows of the page itself are sorted; those behind it are not even read, since the index has them in order."""
    plan = steps(connection, *ask(wanted, Page(after="m")))
    assert [step for step in plan if "TEMP B-TREE" in step] == ["USE TEMP B-TREE FOR ORDER BY"]


@pytest.mark.parametrize(
    ("ask", "wanted", "index"),
    [
        (listing.flow_runs, FlowRunFilter(), "sqlite_autoindex_flow_runs_1"),
        (listing.flow_runs, FlowRunFilter(root_only=True), "flow_runs_that_are_roots"),
        (listing.task_runs, TaskRunFilter(), "sqlite_autoindex_task_runs_1"),
        (listing.logs, LogFilter(text="a"), "sqlite_autoindex_logs_1"),
    ],
)
def test_a_list_of_everything_is_read_in_order(connection: Any, ask: Any, wanted: Any, index: str) -> None:
    """A list that nothing narrows is read along an index, from where the page begins, until the page is full."""
    plan = steps(connection, *ask(wanted, Page(after="m")))
    assert any(f"INDEX {index} (id<?)" in step for step in plan), plan
    assert scanned(plan) <= MAY_SCAN
