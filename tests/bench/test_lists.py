"""No list and no count reads more than it must, however many runs there are."""

import fcntl
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain, combinations, count, cycle
from math import comb
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace
from headrace.instance import Instance
from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.states import StateType
from headrace.orchestration import retention
from headrace.ports.client import OpenClient, operations
from headrace.settings import load
from headrace_sqlite import listing
from headrace_sqlite.queries import queries

FLOW_RUNS = 100_000
"""With five task runs each, made in a quarter of a minute."""

MOST_STEPS = 200_000
"""Of SQLite's machine, which are some milliseconds; to look once at each of the flow runs takes more."""

LOOKED_THROUGH = 7 * FLOW_RUNS
"""The most steps where a part of a name is looked for, which no index has: the names of all runs are looked through, and nothing else of them."""

COMBINED = 4

ENOUGH = 1000
"""How many rows may be counted and sorted, which are more where there are a million."""

SMALL = {"deployments", "work_queues", "agents", "limits", "tokens", "slots"}
MADE_ON_THE_WAY = {
    "json_each",
    "wanted",
    "ran",
    "known",
    "some",
    "doomed",
    "CONSTANT",
    "sqlite_master",
    "pragma_application_id",
    "pragma_user_version",
}
"""What may be read whole."""

ELSEWHERE = {
    *("follow_flow_run", "follow_events", "read_task_run", "read_deployment", "read_work_queue"),
    *("read_tokens", "read_storages", "read_place", "read_unneeded_keys"),
}
"""Operations that give one row, found by its id, or wait for them; tokens and storages, which are few; and what is asked once a day, in portions."""

NOW = datetime(2026, 1, 10, tzinfo=UTC)
FIELDS: dict[Callable[..., Any], tuple[Callable[..., Any], dict[str, Any]]] = {
    listing.flow_runs: (
        FlowRunFilter,
        {
            "ids": ("a", "b"),
            "id_prefix": "a",
            "names": ("a",),
            "flow_names": ("a", "b"),
            "deployment_ids": ("a",),
            "root_ids": ("a",),
            "schedule_ids": ("a", "b"),
            "state_types": (StateType.RUNNING, StateType.FAILED),
            "state_names": ("a",),
            "tags": ("a", "b"),
            "root_only": True,
            "created_after": NOW,
            "created_before": NOW,
            "text": "a",
            "work_queues": ("a", "b"),
            "due_after": NOW,
            "due_before": NOW,
        },
    ),
    listing.task_runs: (
        TaskRunFilter,
        {
            "ids": ("a", "b"),
            "id_prefix": "a",
            "names": ("a",),
            "flow_run_ids": ("a",),
            "state_types": (StateType.RUNNING, StateType.FAILED),
            "state_names": ("a",),
            "tags": ("a", "b"),
        },
    ),
    listing.logs: (LogFilter, {"flow_run_ids": ("a",), "task_run_id": "a", "least_level": 40, "text": "a"}),
    listing.deployments: (
        DeploymentFilter,
        {"ids": ("a",), "id_prefix": "a", "names": ("a",), "flow_names": ("a",), "tags": ("a",), "text": "a"},
    ),
    listing.work_queues: (WorkQueueFilter, {"ids": ("a",), "id_prefix": "a", "names": ("a",)}),
}
"""Each list by its filter, with a value for every field."""

PAGES = (Page(), Page(after="m", newest_first=False))


@attrs.frozen(kw_only=True)
class Asked:
    """A question, with what SQLite was asked and how it went about it."""

    question: str
    statements: list[str]
    whole: list[str]
    steps: int
    rows: int


@attrs.frozen(kw_only=True)
class Seen:
    """What there is to be seen at a store with many runs: every question of the bench, asked; every named statement, and every list by every combination
    of its filter's fields, explained. `whole`: by what is explained, how it reads a table whole."""

    asked: list[Asked]
    explained: int
    whole: dict[str, list[str]]


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Seen once, by whichever process of the tests comes first; the others read what it saw."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    file = shared / "seen-at-many-runs.json"
    with open(f"{file}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_text(json.dumps(attrs.asdict(look(tmp_path_factory.mktemp("home")))))
    plain = json.loads(file.read_text())
    return Seen(**{**plain, "asked": [Asked(**each) for each in plain["asked"]]})


@contextmanager
def beside() -> Iterator[Any]:
    """The modules of the bench, which are beside this file and no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        patch.setattr(listing, "ENOUGH", ENOUGH)
        patch.setattr(retention, "MOST_COUNTED", ENOUGH)
        import lists
        import many_runs

        yield lists, many_runs


def look(home: Path) -> Seen:
    """Makes a store with many runs, looks at it, and removes it, since it is large."""
    try:
        with beside() as (lists, many_runs):
            many_runs.make(home / "headrace.db", FLOW_RUNS)
            with headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True) as house:
                asked = []
                for question in lists.questions(FLOW_RUNS):
                    draw = random.Random(str(question))
                    asked += [ask(house, str(question), question.operation, question.drawn(draw)) for _ in range(3)]
                connection = connection_of(house)
                explained = 0
                whole: dict[str, list[str]] = {}
                for about, statement, parameters in chain(named(), combined()):
                    explained += 1
                    if found := read_whole(connection, statement, parameters):
                        whole[about] = found
                return Seen(asked=asked, explained=explained, whole=whole)
    finally:
        shutil.rmtree(home)


def connection_of(house: Instance) -> Any:
    """The one by which its store reads."""
    store: Any = house.client.store  # type: ignore[attr-defined]
    with store.reading():
        pass  # so that there is one
    (connection,) = store._idle
    return connection


def ask(house: Instance, question: str, operation: str, arguments: Any) -> Asked:
    """Asks, and looks over SQLite's shoulder."""
    connection = connection_of(house)
    statements: list[str] = []
    steps: list[int] = []
    connection.set_trace_callback(statements.append)
    connection.set_progress_handler(lambda: steps.append(1), 100)
    try:
        result = getattr(house.client, operation)(**arguments)
    finally:
        connection.set_trace_callback(None)
        connection.set_progress_handler(None, 0)
    selects = list(dict.fromkeys(each for each in statements if each.lstrip().upper().startswith(("SELECT", "WITH"))))
    return Asked(
        question=question,
        statements=selects,
        whole=[step for each in selects for step in read_whole(connection, each, ())],
        steps=len(steps) * 100,
        rows=len(result) if isinstance(result, list) else 1,
    )


def named() -> Iterator[tuple[str, str, Any]]:
    """Every statement that has a name."""
    for name, statement in queries().items():
        yield name, statement, dict.fromkeys(re.findall(r":(\w+)", statement)) or [None] * statement.count("?")


def combined() -> Iterator[tuple[str, str, Any]]:
    """Every list by every combination of up to `COMBINED` fields of its filter, and by all of them, driven by each of those that can; and how the rows of
    those are counted before."""
    for ask_for, (kind, values) in FIELDS.items():
        sizes = sorted({*range(min(COMBINED, len(values)) + 1), len(values)})
        for names, page in zip(chain.from_iterable(combinations(values, size) for size in sizes), cycle(PAGES)):
            wanted = kind(**{name: values[name] for name in names})
            for number, statement, parameters in driven(ask_for, wanted, page):
                yield f"{ask_for.__name__} by {', '.join(names)}: {number}, {page}", statement, parameters
    for subjects in ((), ("a",)):
        for kinds in ((), ("a", "b")):
            yield f"events by {subjects} {kinds}", *listing.events(EventFilter(after=5, subjects=subjects, kinds=kinds), 10)


def driven(ask_for: Callable[..., Any], wanted: Any, page: Page) -> Iterator[tuple[int, str, Any]]:
    """The statements for a list: as many as can drive, each by being the one that has few rows; what counts those; and the one if all have many."""
    if ask_for not in (listing.flow_runs, listing.task_runs):
        yield 0, *ask_for(wanted, page)
        return
    for few in count():
        counted: list[tuple[str, Any]] = []

        def size(statement: str, parameters: Any, *, few: int = few, counted: list[tuple[str, Any]] = counted) -> int:
            counted.append((statement, parameters))
            return 1 if len(counted) == few + 1 else int(parameters["most"])

        yield few, *ask_for(wanted, page, size)
        if few >= len(counted):  # none was the one
            yield from ((few, *each) for each in counted)
            return


def read_whole(connection: Any, statement: str, parameters: Any) -> list[str]:
    """How a statement reads large tables whole, if it does."""
    return [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters) if is_whole(detail)]


def is_whole(step: str) -> bool:
    """Whether a step reads a large table whole; what is read in order of an index ends with the page, and small is what was made on the way."""
    words = step.split()
    return words[0] == "SCAN" and "INDEX" not in words and words[1] not in SMALL | MADE_ON_THE_WAY and not words[1].startswith("(")


def test_nothing_reads_a_table_whole(seen: Seen) -> None:
    """With each field of each filter, alone and with others, every row is found by an index; and what is sorted is no more than is given."""
    assert [(each.question, each.whole) for each in seen.asked if each.whole] == []
    assert all(each.statements for each in seen.asked)


def test_no_statement_and_no_combination_reads_a_table_whole(seen: Seen) -> None:
    """Neither those that are asked for nor those that nobody thought of, whichever of the fields drives."""
    assert seen.whole == {}
    assert seen.explained > 2 * sum(comb(len(FIELDS[listing.flow_runs][1]), size) for size in range(COMBINED + 1))


def test_every_field_of_a_filter_is_combined() -> None:
    """A new one is not forgotten here."""
    assert [set(attrs.fields_dict(kind)) - set(values) for kind, values in FIELDS.values()] == [set()] * len(FIELDS)  # type: ignore[arg-type]


def test_every_question_takes_few_steps(seen: Seen) -> None:
    """Which says the same of what is read in order of an index, and of what is sorted."""
    slow = [
        (each.question, each.steps) for each in seen.asked if each.steps > (LOOKED_THROUGH if ": text" in each.question else MOST_STEPS)
    ]
    assert slow == []


def test_every_list_has_an_end(seen: Seen) -> None:
    """No list gives more than a page, whatever there is."""
    assert max(each.rows for each in seen.asked) == Page().limit


def test_no_question_is_left_out(seen: Seen) -> None:
    """What reads or counts is asked here, or gives one row."""
    there = {each.question.partition(":")[0] for each in seen.asked}
    reads = {name for name in operations(OpenClient) if name.startswith(("read_", "count_", "explain_", "wait_for_", "follow_", "plan_"))}
    assert reads - ELSEWHERE == there
