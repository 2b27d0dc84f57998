"""Lists: a filter and a page as one statement that reads no more rows than it must.

One field of the filter drives the list: its values are looked up in the index of that field, which has the id as its last column, so each value's
rows come in the order of the page and stop at its limit. The other fields are tested on those rows. SQLite left alone would often read
all rows that fit and sort them; so the index is named, and the field that drives is the one that has the fewest rows: each is counted first, up to
`ENOUGH`, which takes a millisecond at most. Where all have more, the order of the clauses says, and a page is mostly full soon.

Runs are made in the order of their ids, or nearly so. So a window of time is looked for between the least and the greatest id of its hours,
whatever drives.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import product
from typing import Any

import attrs

from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.names import LONGEST
from headrace.model.states import StateType
from headrace_sqlite.columns import hour_text, moment_text, storable

Question = tuple[str, dict[str, Any]]

Count = Callable[[str, dict[str, Any]], int]
"""Answers a question that has one number."""

ENOUGH = 20_000
"""So many rows are read in some milliseconds, and sorted too."""

SOME = 20_000
"""From so many rows is guessed how many fit; they are looked through in a millisecond or two."""

FEW = 500
"""Where so few rows are, nothing else is counted."""

WARNING = 30
"""Lines that are as grave have an index."""

LOG_COLUMNS = "t.id, t.flow_run_id, t.task_run_id, t.timestamp, t.level, t.logger, t.message"


@attrs.frozen
class _Clause:
    """One field of a filter that is in use. With `source` it can drive: where its rows come from, narrowed by `lookup` for each of `values`.

    `gives` is the column by which the rows of the list are found. What is `sorted_by_id` comes in no other order, so that a page of many rows need not
    be sorted; the id is that of the row itself, or stands in `key`. Without a `test` it only drives, for other clauses that test the same. `least` and
    `greatest` say between which keys all rows lie, the latter not being one. What `looks_through` all rows is no lookup: how many fit is
    guessed from some.
    """

    test: str = ""
    parameters: dict[str, Any] = attrs.field(factory=dict)
    source: str = ""
    lookup: str = ""
    values: Sequence[Any] = (None,)
    gives: str = "rowid"
    key: str = ""
    sorted_by_id: bool = True
    looks_through: bool = False
    least: str = ""
    greatest: str = ""


def flow_runs(wanted: FlowRunFilter, page: Page, count: Count | None = None) -> Question:
    """The flow runs of a page, as JSON texts."""
    return _question("flow_runs", "t.value", page, _flow_run_clauses(wanted, _taken_from), count=count)


def flow_runs_waiting(wanted: FlowRunFilter, page: Page, count: Count | None = None) -> Question:
    """As above, but those that wait in the queues that are wanted, in place of those that were taken from them."""
    return _question("flow_runs", "t.value", page, _flow_run_clauses(wanted, _waiting_in), count=count)


def task_runs(wanted: TaskRunFilter, page: Page, count: Count | None = None) -> Question:
    """The task runs of a page, as JSON texts."""
    return _question("task_runs", "t.value", page, _task_run_clauses(wanted), count=count)


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


# The clauses of each filter, in the order in which they would drive


def _flow_run_clauses(wanted: FlowRunFilter, in_queues: Callable[[Sequence[str]], Iterator[_Clause]]) -> Iterator[_Clause]:
    yield from _one_of("flow_runs", "id", wanted.ids)
    yield from _starting_with("flow_runs", wanted.id_prefix)
    yield from _one_of("flow_runs", "name", wanted.names)
    yield from _tagged("flow_run_tags", wanted.tags)
    yield from _one_of("flow_runs", "root_id", wanted.root_ids)
    states = wanted.state_types
    yield from _of_schedules(wanted.schedule_ids, states)
    yield from _in_state("flow_runs_by_deployment_and_state", "flow_runs", "deployment_id", wanted.deployment_ids, states)
    yield from _tested("deployment_id", wanted.deployment_ids) if states else _one_of("flow_runs", "deployment_id", wanted.deployment_ids)
    yield from _in_state("flow_runs_by_flow_and_state", "flow_runs", "flow_name", wanted.flow_names, states)
    yield from _tested("flow_name", wanted.flow_names) if states else _one_of("flow_runs", "flow_name", wanted.flow_names)
    yield from _one_of("flow_runs", "state_name", wanted.state_names)
    is_paired = wanted.schedule_ids or wanted.deployment_ids or wanted.flow_names
    yield from _tested("state_type", states) if is_paired else _one_of("flow_runs", "state_type", states)
    if wanted.root_only:
        yield _Clause("s.root_id = s.id", source=_indexed("flow_runs", "flow_runs_that_are_roots"), lookup="s.root_id = s.id")
    if wanted.work_queues:
        yield from in_queues(wanted.work_queues)
    yield from _created(wanted.created_after, wanted.created_before)
    yield from _due(wanted.due_after, wanted.due_before)
    if wanted.text:
        yield _named_like(wanted.text)


def _task_run_clauses(wanted: TaskRunFilter) -> Iterator[_Clause]:
    yield from _one_of("task_runs", "id", wanted.ids)
    yield from _starting_with("task_runs", wanted.id_prefix)
    yield from _one_of("task_runs", "flow_run_id", wanted.flow_run_ids)
    yield from _tagged("task_run_tags", wanted.tags)
    yield from _in_state("task_runs_by_name_and_state", "task_runs", "name", wanted.names, wanted.state_types or tuple(StateType))
    yield from _tested("name", wanted.names)
    yield from _one_of("task_runs", "state_name", wanted.state_names)
    yield from _one_of("task_runs", "state_type", wanted.state_types)


def _log_clauses(wanted: LogFilter) -> Iterator[_Clause]:
    yield from _one_of("logs", "task_run_id", () if wanted.task_run_id is None else (wanted.task_run_id,))
    yield from _one_of("logs", "flow_run_id", wanted.flow_run_ids)
    if wanted.least_level > 0:
        test, source, lookup = "s.level >= :least_level", "", ""
        if wanted.least_level >= WARNING:  # said as the index says it, since otherwise SQLite does not know that it may be used
            source, lookup = _indexed("logs", "logs_that_warn"), f"s.level >= {WARNING} AND {test}"
        yield _Clause(test, {"least_level": wanted.least_level}, source=source, lookup=lookup)
    if wanted.text:
        yield _Clause("instr(s.message, :text) > 0", {"text": wanted.text})


def _deployment_clauses(wanted: DeploymentFilter) -> Iterator[_Clause]:
    yield from _one_of("deployments", "id", wanted.ids)
    yield from _starting_with("deployments", wanted.id_prefix)
    yield from _one_of("deployments", "name", wanted.names)
    yield from _one_of("deployments", "flow_name", wanted.flow_names)
    for number, tag in enumerate(sorted(set(wanted.tags))):
        yield _Clause(f":tag{number} IN (SELECT value FROM json_each(s.tags))", {f"tag{number}": tag})
    if wanted.text:
        yield _Clause("instr(lower(s.flow_name || '/' || s.name), lower(:text)) > 0", {"text": storable(wanted.text)})


def _work_queue_clauses(wanted: WorkQueueFilter) -> Iterator[_Clause]:
    yield from _one_of("work_queues", "id", wanted.ids)
    yield from _starting_with("work_queues", wanted.id_prefix)
    yield from _one_of("work_queues", "name", wanted.names)


def _event_clauses(wanted: EventFilter) -> Iterator[_Clause]:
    """Subjects drive, since whoever waits for news of one comes back to where it began; then kinds, which may be rare; else it is read from there on."""
    yield from _one_of("events", "subject", wanted.subjects)
    yield from _one_of("events", "kind", wanted.kinds)
    beyond = "s.sequence > :beyond"
    yield _Clause(beyond, {"beyond": wanted.after}, source="events AS s NOT INDEXED", lookup=beyond)


def _one_of(table: str, column: str, values: Sequence[str]) -> Iterator[_Clause]:
    for clause in _tested(column, values):
        index = f"sqlite_autoindex_{table}_1" if column == "id" else f"{table}_by_{column}"
        is_sorted = column != "id"
        each = _each(values)
        yield attrs.evolve(clause, source=_indexed(table, index), lookup=f"s.{column} = wanted.value", values=each, sorted_by_id=is_sorted)


def _tested(column: str, values: Sequence[str]) -> Iterator[_Clause]:
    if values:
        yield _Clause(f"s.{column} IN (SELECT value FROM json_each(:{column}))", {column: json.dumps(_each(values))})


def _of_schedules(schedule_ids: Sequence[str], types: Sequence[StateType]) -> Iterator[_Clause]:
    """Runs of schedules; tested by the id, since a tag does not stand with the schedule."""
    index = "flow_runs_by_schedule_and_state"
    for clause in _in_state(index, "flow_runs", "schedule_id", schedule_ids, types or tuple(StateType)):
        of_schedule = f"SELECT id FROM flow_runs INDEXED BY {index} WHERE schedule_id IN (SELECT value FROM json_each(:schedule_ids))"
        yield attrs.evolve(clause, test=f"s.id IN ({of_schedule})", parameters={"schedule_ids": json.dumps(_each(schedule_ids))})


def _in_state(index: str, table: str, column: str, values: Sequence[str], types: Sequence[StateType]) -> Iterator[_Clause]:
    """Drives two fields at once, where both are in use; neither of them alone has fewer rows, so neither drives beside it."""
    if values and types:
        lookup = f"s.{column} = json_extract(wanted.value, '$[0]') AND s.state_type = json_extract(wanted.value, '$[1]')"
        yield _Clause(source=_indexed(table, index), lookup=lookup, values=list(product(_each(values), _each(types))))


def _each(values: Sequence[str]) -> list[str]:
    return sorted({str(value) for value in values})


def _starting_with(table: str, prefix: str | None) -> Iterator[_Clause]:
    if prefix:
        parameters = {"prefix": prefix, "beyond_prefix": prefix + "\U0010ffff"}
        yield _Clause("", parameters, source=_by_id(table), least=":prefix", greatest=":beyond_prefix")


def _tagged(tags_table: str, tags: Sequence[str]) -> Iterator[_Clause]:
    """A clause for each tag, since a run must have all of them. With a tag stands whatever else may be asked of a run."""
    for number, tag in enumerate(sorted(set(tags))):
        yield _Clause(
            f"EXISTS (SELECT 1 FROM {tags_table} AS other WHERE other.tag = :tag{number} AND other.id = s.id)",
            {f"tag{number}": tag},
            source=f"{tags_table} AS s INDEXED BY sqlite_autoindex_{tags_table}_1",
            lookup="s.tag = wanted.value",
            values=(tag,),
            gives="id",
        )


def _created(after: datetime | None, before: datetime | None) -> Iterator[_Clause]:
    """Drives if there are few in the window; else they are looked for in order of their ids, among those of its hours."""
    parameters: dict[str, Any] = {}
    tests, hours = [], []
    for sign, name, moment in ((">=", "created_after", after), ("<=", "created_before", before)):
        if moment is not None:
            tests.append(f"s.created {sign} :{name}")
            hours.append(f"hour {sign} :{name}_hour")
            parameters |= {name: moment_text(moment), f"{name}_hour": hour_text(moment)}
    if tests:
        test, of_hours = " AND ".join(tests), f"FROM flow_run_hours WHERE {' AND '.join(hours)}"
        yield _Clause(
            test,
            parameters,
            source=_indexed("flow_runs", "flow_runs_by_created"),
            lookup=test,
            sorted_by_id=False,
            least=f"(SELECT min(least_id) {of_hours})",
            greatest=f"(SELECT max(greatest_id) || ' ' {of_hours})",  # no id lies between an id and itself with a blank
        )


def _due(after: datetime | None, before: datetime | None) -> Iterator[_Clause]:
    """Runs that wait are few, beside those that ever were; tested by the id, since a tag does not stand with the moment."""
    given = ((">=", "due_after", after), ("<=", "due_before", before))
    moments = {name: moment_text(moment) for _, name, moment in given if moment is not None}
    test = " AND ".join(f"due {sign} :{name}" for sign, name, moment in given if moment is not None)
    if test:
        yield _Clause(
            f"s.id IN (SELECT id FROM flow_runs INDEXED BY flow_runs_by_due WHERE {test})",
            moments,
            source=_indexed("flow_runs", "flow_runs_by_due"),
            lookup=test,
            sorted_by_id=False,
        )


def _taken_from(names: Sequence[str]) -> Iterator[_Clause]:
    """Tested by the id, since a tag does not stand with the queue."""
    each = [storable(name) for name in _each(names)]
    taken = "SELECT 1 FROM flow_runs AS taken WHERE taken.id = s.id AND taken.work_queue IN (SELECT value FROM json_each(:work_queues))"
    yield _Clause(
        f"EXISTS ({taken})",
        {"work_queues": json.dumps(each)},
        source=_indexed("flow_runs", "flow_runs_by_work_queue"),
        lookup="s.work_queue = wanted.value",
        values=each,
    )


def _waiting_in(names: Sequence[str]) -> Iterator[_Clause]:
    each = [storable(name) for name in _each(names)]
    queues = "SELECT id FROM work_queues WHERE name IN (SELECT value FROM json_each(:work_queues))"
    yield _Clause(
        f"EXISTS (SELECT 1 FROM assignments AS a WHERE a.run_id = s.id AND a.queue_id IN ({queues}))",
        {"work_queues": json.dumps(each)},
        source="assignments AS a INDEXED BY assignments_by_queue CROSS JOIN flow_runs AS s ON s.id = a.run_id",
        lookup="a.queue_id = (SELECT id FROM work_queues WHERE name = wanted.value)",
        values=each,
        key="a.run_id",
    )


def _named_like(text: str) -> _Clause:
    """Looks through the names in the order of the ids, by which a page is full soon where many fit; a million take 60 ms."""
    if "\0" in text or len(text) > LONGEST:  # no name is like that, and SQLite cannot look for it
        return _Clause("false")
    pattern = re.sub(r"([\\%_])", r"\\\1", storable(text))
    test = r"s.name LIKE :text ESCAPE '\'"
    source = _indexed("flow_runs", "flow_runs_by_id_and_name")
    return _Clause(test, {"text": f"%{pattern}%"}, source=source, lookup=test, looks_through=True)


def _indexed(table: str, index: str) -> str:
    return f"{table} AS s INDEXED BY {index}"


def _by_id(table: str) -> str:
    return _indexed(table, f"sqlite_autoindex_{table}_1")


def _question(table: str, columns: str, page: Page, clauses: Iterator[_Clause], *, key: str = "id", count: Count | None = None) -> Question:
    """The whole statement: for each value of the driving clause the rows of a page, and of those together the page."""
    used = list(clauses)
    asked = _Asked(used, page, key, count)
    driver = asked.driver() or _Clause(source=_by_id(table))
    order = f"ORDER BY {driver.key or f's.{key}'} {'DESC' if page.newest_first else 'ASC'}"
    tests = [driver.lookup, *asked.bounds(driver), *(clause.test for clause in used if clause is not driver)]
    return (
        f"SELECT {columns} FROM json_each(:values) AS wanted CROSS JOIN {table} AS t"
        f" WHERE t.{driver.gives} IN (SELECT s.{driver.gives} FROM {driver.source}{_where(tests)} {order} LIMIT :limit)"
        f" ORDER BY t.{key} {'DESC' if page.newest_first else 'ASC'} LIMIT :limit"
    ), asked.parameters | {"values": json.dumps(driver.values)}


class _Asked:
    """The clauses of a question, and which of them drives it."""

    def __init__(self, clauses: list[_Clause], page: Page, key: str, count: Count | None) -> None:
        self._clauses = clauses
        self._page = page
        self._key = key
        self._count = count
        self.parameters: dict[str, Any] = {"limit": max(page.limit, 0), "after": page.after}
        for clause in clauses:
            self.parameters |= clause.parameters

    def bounds(self, driver: _Clause) -> Iterator[str]:
        """Between which keys is looked. Of several bounds on one side SQLite would begin at any, so there is one; where the page before ended is
        excluded without being one (that is what the sign is for)."""
        key, after = driver.key or f"s.{self._key}", self._page.after is not None
        # Whatever has to be sorted is looked at whole, so that its own bounds would save nothing.
        bounding = [clause for clause in self._clauses if clause.sorted_by_id or clause is not driver]
        least = [clause.least for clause in bounding if clause.least]
        greatest = [clause.greatest for clause in bounding if clause.greatest]
        if after and not (greatest if self._page.newest_first else least):
            yield f"{key} {'<' if self._page.newest_first else '>'} :after"
        elif after:
            (greatest if self._page.newest_first else least).append(":after")
            yield f"+{key} <> :after"
        if least:
            yield f"{key} >= {_one('max', least)}"
        if greatest:
            yield f"{key} < {_one('min', greatest)}"

    def driver(self) -> _Clause | None:
        """The clause with the fewest rows; the first of those that have too many to count, unless they would have to be sorted."""
        drivers = [clause for clause in self._clauses if clause.source]
        if self._count is None or (len(drivers) < 2 and all(clause.sorted_by_id for clause in drivers)):
            return drivers[0] if drivers else None
        smallest, least = None, ENOUGH
        for clause in drivers:
            if least > FEW and (found := self._size(clause, least)) < least:
                smallest, least = clause, found
        return smallest or next((clause for clause in drivers if clause.sorted_by_id), None)

    def _size(self, clause: _Clause, most: int) -> int:
        """How many rows a clause would give, counted up to a number."""
        assert self._count is not None, "it is asked only then"
        if clause.looks_through:
            return self._guess(clause, most)
        tests = [clause.lookup, *(self.bounds(clause) if clause.sorted_by_id else ())]
        counted = f"SELECT 1 FROM json_each(:values) AS wanted CROSS JOIN {clause.source}{_where(tests)} LIMIT :most"
        return self._count(f"SELECT count(*) FROM ({counted})", self.parameters | {"values": json.dumps(clause.values), "most": most})

    def _guess(self, clause: _Clause, most: int) -> int:
        """How many rows would be found in a million, by the first of the page."""
        assert self._count is not None, "it is asked only then"
        order = "DESC" if self._page.newest_first else "ASC"
        some = f"SELECT {clause.lookup} AS fits FROM {clause.source}{_where(list(self.bounds(clause)))} ORDER BY s.{self._key} {order} LIMIT {SOME}"
        found = self._count(f"SELECT count(*) FROM ({some}) AS some WHERE fits", self.parameters | {"most": most})
        return min(found * (1_000_000 // SOME), most)


def _one(function: str, bounds: list[str]) -> str:
    """The narrowest of some bounds."""
    return bounds[0] if len(bounds) == 1 else f"{function}({', '.join(bounds)})"


def _where(tests: list[str]) -> str:
    return f" WHERE {' AND '.join(test for test in tests if test) or 'true'}"
