"""Lists: a filter and a page as one statement that reads no more rows than it must.

One field of the filter drives the list: its values are looked up in the index of that field, which has the id as its second column, so each value's
rows come in the order of the page and stop at its limit. The other fields are tested on those rows. SQLite left alone would often read
all rows that fit and sort them; so the index is named, and which field drives is fixed by how few rows a value of it usually has.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import attrs

from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace_sqlite.columns import moment_text

Question = tuple[str, dict[str, Any]]

LOG_COLUMNS = "t.id, t.flow_run_id, t.task_run_id, t.timestamp, t.level, t.logger, t.message"


@attrs.frozen
class _Clause:
    """One field of a filter that is in use. With `source` it can drive: where its rows come from, narrowed by `lookup` for each of `values`.

    `key` is what the rows of a value are in order of, where that is not the key of the list itself.
    """

    test: str
    parameters: dict[str, Any]
    source: str = ""
    lookup: str = ""
    values: Sequence[str | None] = (None,)
    key: str = ""


def flow_runs(wanted: FlowRunFilter, page: Page) -> Question:
    """The flow runs of a page, as JSON texts."""
    return _question("flow_runs", "t.value", page, _flow_run_clauses(wanted))


def task_runs(wanted: TaskRunFilter, page: Page) -> Question:
    """The task runs of a page, as JSON texts."""
    return _question("task_runs", "t.value", page, _task_run_clauses(wanted))


def logs(wanted: LogFilter, page: Page) -> Question:
    """The log lines of a page, as columns."""
    return _question("logs", LOG_COLUMNS, page, _log_clauses(wanted))


def deployments(wanted: DeploymentFilter, page: Page) -> Question:
    """The deployments of a page, as JSON texts."""
    return _question("deployments", "t.value", page, _deployment_clauses(wanted))


def work_queues(wanted: WorkQueueFilter, page: Page) -> Question:
    """The work queues of a page, as JSON texts."""
    return _question("work_queues", "t.value", page, _work_queue_clauses(wanted))


def events(wanted: EventFilter, limit: int) -> Question:
    """The first events that fit: their sequences and JSON texts."""
    page = Page(limit=limit, newest_first=False)
    return _question("events", "t.sequence, t.value", page, _event_clauses(wanted), key="sequence")


# The clauses of each filter, those that drive first in the order in which they would


def _flow_run_clauses(wanted: FlowRunFilter) -> Iterator[_Clause]:
    yield from _one_of("flow_runs", "id", wanted.ids)
    yield from _starting_with("flow_runs", wanted.id_prefix)
    yield from _one_of("flow_runs", "name", wanted.names)
    yield from _tagged("flow_runs", "flow_run_tags", wanted.tags)
    yield from _one_of("flow_runs", "root_id", wanted.root_ids)
    yield from _one_of("flow_runs", "deployment_id", wanted.deployment_ids)
    yield from _one_of("flow_runs", "flow_name", wanted.flow_names)
    yield from _one_of("flow_runs", "state_name", wanted.state_names)
    yield from _one_of("flow_runs", "state_type", wanted.state_types)
    if wanted.root_only:
        yield _Clause("s.root_id = s.id", {}, source=_indexed("flow_runs", "flow_runs_that_are_roots"), lookup="s.root_id = s.id")
    yield from _created(">=", "created_after", wanted.created_after)
    yield from _created("<=", "created_before", wanted.created_before)


def _task_run_clauses(wanted: TaskRunFilter) -> Iterator[_Clause]:
    yield from _one_of("task_runs", "id", wanted.ids)
    yield from _starting_with("task_runs", wanted.id_prefix)
    yield from _one_of("task_runs", "flow_run_id", wanted.flow_run_ids)
    yield from _tagged("task_runs", "task_run_tags", wanted.tags)
    yield from _one_of("task_runs", "name", wanted.names)
    yield from _one_of("task_runs", "state_name", wanted.state_names)
    yield from _one_of("task_runs", "state_type", wanted.state_types)


def _log_clauses(wanted: LogFilter) -> Iterator[_Clause]:
    yield from _one_of("logs", "task_run_id", () if wanted.task_run_id is None else (wanted.task_run_id,))
    yield from _one_of("logs", "flow_run_id", wanted.flow_run_ids)
    if wanted.least_level > 0:
        yield _Clause("s.level >= :least_level", {"least_level": wanted.least_level})
    if wanted.text:
        yield _Clause("instr(s.message, :text) > 0", {"text": wanted.text})


def _deployment_clauses(wanted: DeploymentFilter) -> Iterator[_Clause]:
    yield from _one_of("deployments", "id", wanted.ids)
    yield from _starting_with("deployments", wanted.id_prefix)
    yield from _one_of("deployments", "name", wanted.names)
    yield from _one_of("deployments", "flow_name", wanted.flow_names)
    for number, tag in enumerate(sorted(set(wanted.tags))):
        yield _Clause(f":tag{number} IN (SELECT value FROM json_each(s.tags))", {f"tag{number}": tag})


def _work_queue_clauses(wanted: WorkQueueFilter) -> Iterator[_Clause]:
    yield from _one_of("work_queues", "id", wanted.ids)
    yield from _starting_with("work_queues", wanted.id_prefix)
    yield from _one_of("work_queues", "name", wanted.names)


def _event_clauses(wanted: EventFilter) -> Iterator[_Clause]:
    """Subjects drive, since whoever waits for news of one comes back to where it began; else it is read from there on."""
    yield from _one_of("events", "subject", wanted.subjects)
    beyond = "s.sequence > :beyond"
    yield _Clause(beyond, {"beyond": wanted.after}, source="events AS s NOT INDEXED", lookup=beyond)
    if wanted.kinds:
        yield _Clause("s.kind IN (SELECT value FROM json_each(:kinds))", {"kinds": json.dumps(wanted.kinds)})


def _one_of(table: str, column: str, values: Sequence[str]) -> Iterator[_Clause]:
    if values:
        each = sorted({str(value) for value in values})
        index = f"sqlite_autoindex_{table}_1" if column == "id" else f"{table}_by_{column}"
        test = f"s.{column} IN (SELECT value FROM json_each(:{column}))"
        yield _Clause(test, {column: json.dumps(each)}, source=_indexed(table, index), lookup=f"s.{column} = wanted.value", values=each)


def _starting_with(table: str, prefix: str | None) -> Iterator[_Clause]:
    if prefix:
        test = "s.id >= :prefix AND s.id < :beyond_prefix"
        parameters = {"prefix": prefix, "beyond_prefix": prefix + "\U0010ffff"}
        yield _Clause(test, parameters, source=_by_id(table), lookup=test)


def _tagged(table: str, tags_table: str, tags: Sequence[str]) -> Iterator[_Clause]:
    """A clause for each tag, since a run must have all of them."""
    for number, tag in enumerate(sorted(set(tags))):
        test = f"EXISTS (SELECT 1 FROM {tags_table} WHERE run_id = s.id AND tag = :tag{number})"
        source = f"{tags_table} AS tagged INDEXED BY {tags_table}_by_tag CROSS JOIN {table} AS s ON s.id = tagged.run_id"
        yield _Clause(test, {f"tag{number}": tag}, source=source, lookup="tagged.tag = wanted.value", values=(tag,), key="tagged.run_id")


def _created(sign: str, name: str, moment: datetime | None) -> Iterator[_Clause]:
    if moment is not None:
        test = f"s.created {sign} :{name}"
        yield _Clause(test, {name: moment_text(moment)}, source=_indexed("flow_runs", "flow_runs_by_created"), lookup=test)


def _indexed(table: str, index: str) -> str:
    return f"{table} AS s INDEXED BY {index}"


def _by_id(table: str) -> str:
    return _indexed(table, f"sqlite_autoindex_{table}_1")


def _question(table: str, columns: str, page: Page, clauses: Iterator[_Clause], *, key: str = "id") -> Question:
    """The whole statement: for each value of the driving clause the rows of a page, and of those together the page."""
    used = list(clauses)
    drivers = [clause for clause in used if clause.source]
    driver = drivers[0] if drivers else _Clause("", {}, source=_by_id(table))
    driver_key = driver.key or f"s.{key}"
    before, order = ("<", "DESC") if page.newest_first else (">", "ASC")
    tests = [driver.lookup, f"{driver_key} {before} :after" if page.after is not None else ""]
    tests += [clause.test for clause in used if clause is not driver]
    parameters: dict[str, Any] = {"values": json.dumps(driver.values), "limit": max(page.limit, 0), "after": page.after}
    for clause in used:
        parameters |= clause.parameters
    return (
        f"SELECT {columns} FROM json_each(:values) AS wanted CROSS JOIN {table} AS t"
        f" WHERE t.rowid IN (SELECT s.rowid FROM {driver.source}"
        f" WHERE {' AND '.join(test for test in tests if test) or 'true'} ORDER BY {driver_key} {order} LIMIT :limit)"
        f" ORDER BY t.{key} {order} LIMIT :limit"
    ), parameters
