"""No list and no count reads more than it must, however many runs there are."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace
from headrace.instance import Instance
from headrace.model.filters import Page
from headrace.ports.client import OpenClient, operations
from headrace.settings import load
from headrace_sqlite import listing

FLOW_RUNS = 20_000
"""With five task runs each; a hundred thousand take a quarter of a minute to make. What is asked for does not depend on it."""

MOST_STEPS = 80_000
"""Of SQLite's machine, which are a millisecond; to look once at each of the flow runs takes more."""

ENOUGH = 1000
"""How many rows may be counted and sorted, which are more where there are a million."""

SMALL = {"deployments", "work_queues", "agents", "limits", "tokens", "json_each", "wanted", "CONSTANT", "slots"}
"""What may be read whole."""

ELSEWHERE = {"follow_flow_run", "read_task_run", "read_deployment", "read_work_queue", "read_tokens"}
"""Operations that give one row, found by its id, or wait for them; and tokens, which are few."""


@attrs.frozen(kw_only=True)
class Asked:
    """A question, with what SQLite was asked and how it went about it."""

    question: str
    statements: tuple[str, ...]
    plans: tuple[tuple[str, ...], ...]
    steps: int
    rows: int


@contextmanager
def beside() -> Iterator[Any]:
    """The modules of the bench, which are beside this file and no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        patch.setattr(listing, "ENOUGH", ENOUGH)
        import lists
        import many_runs

        yield lists, many_runs


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    """Every question of the bench, asked of a store with many runs three times, with other values."""
    home = tmp_path_factory.mktemp("home")
    with beside() as (lists, many_runs):
        many_runs.make(home / "headrace.db", FLOW_RUNS)
        with headrace.open(load({"HEADRACE_HOME": str(home)})) as house:
            found = []
            for question in lists.questions(FLOW_RUNS):
                draw = random.Random(str(question))
                found += [ask(house, str(question), question.operation, question.drawn(draw)) for _ in range(3)]
            return found


def ask(house: Instance, question: str, operation: str, arguments: Any) -> Asked:
    """Asks, and looks over SQLite's shoulder."""
    store: Any = house.client.store  # type: ignore[attr-defined]
    with store.reading():
        pass  # so that there is a connection that reads
    (connection,) = store._idle
    statements: list[str] = []
    steps: list[int] = []
    connection.set_trace_callback(statements.append)
    connection.set_progress_handler(lambda: steps.append(1), 100)
    try:
        result = getattr(house.client, operation)(**arguments)
    finally:
        connection.set_trace_callback(None)
        connection.set_progress_handler(None, 0)
    selects = tuple(dict.fromkeys(each for each in statements if each.lstrip().upper().startswith(("SELECT", "WITH"))))
    plans = tuple(tuple(detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {each}")) for each in selects)
    return Asked(
        question=question,
        statements=selects,
        plans=plans,
        steps=len(steps) * 100,
        rows=len(result) if isinstance(result, list) else 1,
    )


def is_whole(step: str) -> bool:
    """Whether a step reads a large table whole; what is read in order of an index ends with the page, and small is what was made on the way."""
    words = step.split()
    return words[0] == "SCAN" and "INDEX" not in words and words[1] not in SMALL and not words[1].startswith("(")


def test_nothing_reads_a_table_whole(asked: list[Asked]) -> None:
    """With each field of each filter, alone and with others, every row is found by an index; and what is sorted is no more than is given."""
    whole = [(each.question, step) for each in asked for plan in each.plans for step in plan if is_whole(step)]
    assert whole == []
    assert all(each.statements for each in asked)


def test_every_question_takes_few_steps(asked: list[Asked]) -> None:
    """Which says the same of what is read in order of an index, and of what is sorted."""
    slow = [(each.question, each.steps) for each in asked if each.steps > MOST_STEPS]
    assert slow == []


def test_every_list_has_an_end(asked: list[Asked]) -> None:
    """No list gives more than a page, whatever there is."""
    assert max(each.rows for each in asked) == Page().limit


def test_no_question_is_left_out(asked: list[Asked]) -> None:
    """What reads or counts is asked here, or gives one row."""
    there = {each.question.partition(":")[0] for each in asked}
    reads = {name for name in operations(OpenClient) if name.startswith(("read_", "count_", "explain_", "wait_for_", "follow_"))}
    assert reads - ELSEWHERE == there
