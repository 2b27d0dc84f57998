"""Questions to the file."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import attrs

from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.counts import CountFilter, StateCount
from headrace.model.deployments import Archive, Deployment
from headrace.model.events import Event
from headrace.model.explanations import Wait
from headrace.model.filters import DeploymentFilter, EventFilter, FlowFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import SchedulePlan, TickRun
from headrace.model.states import State, StateType
from headrace.model.storages import NamedStorage, Reserved
from headrace.model.tokens import Token
from headrace.rules.verdicts import Verdict
from headrace.wire.plain import from_text, to_key
from headrace_sqlite import listing
from headrace_sqlite.columns import hour_text, moment_text, storable
from headrace_sqlite.lease_clock import LeaseClock
from headrace_sqlite.queries import queries

LAST_HOUR = "9999-12-31T23"


class SqliteReading:
    """Answers questions, inside the transaction that its connection is in."""

    def __init__(self, connection: sqlite3.Connection, clock: LeaseClock) -> None:
        self._connection = connection
        self._clock = clock
        self._queries = queries()

    def flow_run(self, run_id: str) -> FlowRun | None:
        row = self._row("flow_run", run_id=run_id)
        return row and from_text(FlowRun, row[0])

    def flow_runs(self, wanted: FlowRunFilter, page: Page) -> list[FlowRun]:
        found = self._flow_runs(listing.flow_runs(wanted, page, self._count))
        if not wanted.work_queues:
            return found
        merged = {run.id: run for run in (*found, *self._flow_runs(listing.flow_runs_waiting(wanted, page, self._count)))}
        return [merged[run_id] for run_id in sorted(merged, reverse=page.newest_first)[: max(page.limit, 0)]]

    def _flow_runs(self, question: listing.Question) -> list[FlowRun]:
        return [from_text(FlowRun, text) for (text,) in self._connection.execute(*question)]

    def count_flow_runs(self, wanted: CountFilter) -> list[StateCount]:
        first = "" if wanted.created_after is None else hour_text(wanted.created_after)
        last = LAST_HOUR if wanted.created_before is None else hour_text(wanted.created_before)
        rows = self._execute("count_flow_runs", first=first, last=last, **_counted(wanted))
        return [StateCount(type=StateType(kind), name=name, count=count) for kind, name, count in rows]

    def flow_names(self, wanted: FlowFilter, limit: int) -> list[str]:
        text = None if wanted.text is None else storable(wanted.text)
        rows = self._execute("flow_names", after=storable(wanted.after), text=text, limit=max(limit, 0))
        return [name for (name,) in rows]

    def count_ended(self, until: datetime, after: str, most: int) -> int:
        row = self._row("count_ended", until=moment_text(until), hour=hour_text(until), after=after, most=max(most, 0))
        count: int = row[0]
        return count

    def task_run(self, run_id: str) -> TaskRun | None:
        row = self._row("task_run", run_id=run_id)
        return row and from_text(TaskRun, row[0])

    def task_runs(self, wanted: TaskRunFilter, page: Page) -> list[TaskRun]:
        return [from_text(TaskRun, text) for (text,) in self._connection.execute(*listing.task_runs(wanted, page, self._count))]

    def states(self, run_id: str) -> list[State]:
        return [from_text(State, text) for (text,) in self._execute("states", run_id=run_id)]

    def logs(self, wanted: LogFilter, page: Page) -> list[LogLine]:
        return [_log_line(*row) for row in self._connection.execute(*listing.logs(wanted, page))]

    def arrivals(self, flow_run_id: str, after: int, limit: int) -> list[tuple[int, LogLine]]:
        rows = self._execute("arrivals", flow_run_id=flow_run_id, after=after, limit=max(limit, 0))
        return [(number, _log_line(*row)) for number, *row in rows]

    def lease(self, run_id: str) -> Lease | None:
        row = self._row("lease", run_id=run_id, **self._moment())
        return row and Lease(run_id=run_id, epoch=row[0], holder=row[1], live=bool(row[2]))

    def verdict(self, move_id: str) -> Verdict | None:
        row = self._row("verdict", move_id=storable(move_id))
        return row and from_text(Verdict, row[0])

    def cached(self, cache_key: str, now: datetime) -> State | None:
        row = self._row("cached", cache_key=storable(cache_key), now=moment_text(now))
        return row and from_text(State, row[0])

    def limits(self, tags: Iterable[str] | None = None) -> list[ConcurrencyLimit]:
        wanted = None if tags is None else json.dumps(list(tags))
        rows = self._execute("limits", tags=wanted, **self._moment())
        return [
            ConcurrencyLimit(tag=tag, limit=most, holders=tuple(holder for _, _, holder in held if holder is not None))
            for (tag, most), held in groupby(rows, key=lambda row: row[:2])
        ]

    def events(self, wanted: EventFilter, limit: int) -> list[Event]:
        rows = self._connection.execute(*listing.events(wanted, limit))
        return [attrs.evolve(from_text(Event, text), sequence=sequence) for sequence, text in rows]

    def last_event(self) -> int:
        sequence: int = self._row("last_event")[0]
        return sequence

    def deployment(self, deployment_id: str) -> Deployment | None:
        row = self._row("deployment", deployment_id=deployment_id)
        return row and from_text(Deployment, row[0])

    def deployments(self, wanted: DeploymentFilter, page: Page) -> list[Deployment]:
        return [from_text(Deployment, text) for (text,) in self._connection.execute(*listing.deployments(wanted, page))]

    def deployment_versions(self, deployment_id: str, limit: int) -> list[Deployment]:
        rows = self._execute("deployment_versions", deployment_id=deployment_id, limit=max(limit, 0))
        return [from_text(Deployment, text) for (text,) in rows]

    def work_queue(self, queue_id: str) -> WorkQueue | None:
        row = self._row("work_queue", queue_id=queue_id)
        return row and from_text(WorkQueue, row[0])

    def work_queues(self, wanted: WorkQueueFilter, page: Page) -> list[WorkQueue]:
        return [from_text(WorkQueue, text) for (text,) in self._connection.execute(*listing.work_queues(wanted, page))]

    def due(self, queue_id: str, until: datetime, limit: int, *, after: tuple[datetime, str] | None = None) -> list[FlowRun]:
        moment, run_id = ("", "") if after is None else (moment_text(after[0]), after[1])
        beyond = {"after": moment, "after_id": run_id, **self._moment()}
        rows = self._execute("due", queue_id=queue_id, until=moment_text(until), limit=max(limit, 0), **beyond)
        return [from_text(FlowRun, text) for (text,) in rows]

    def in_use(self, queue_id: str) -> int:
        count: int = self._row("in_use", queue_id=queue_id, **self._moment())[0]
        return count

    def under_way(self, queue_id: str, limit: int) -> list[FlowRun]:
        rows = self._execute("under_way", queue_id=queue_id, limit=max(limit, 0), **self._moment())
        return [from_text(FlowRun, text) for (text,) in rows]

    def late(self, before: datetime, limit: int) -> list[FlowRun]:
        rows = self._execute("late", before=moment_text(before), limit=max(limit, 0), **self._moment())
        return [from_text(FlowRun, text) for (text,) in rows]

    def overdue(self, now: datetime, limit: int) -> list[FlowRun]:
        rows = self._execute("overdue", until=moment_text(now), limit=max(limit, 0), **self._moment())
        return [from_text(FlowRun, text) for (text,) in rows]

    def ticks_waiting(self, schedule_id: str, until: datetime, limit: int) -> list[FlowRun]:
        rows = self._execute("ticks_waiting", schedule_id=schedule_id, until=moment_text(until), limit=max(limit, 0))
        return [from_text(FlowRun, text) for (text,) in rows]

    def ticks(self, schedule_ids: Sequence[str], first: datetime, last: datetime, limit: int) -> list[TickRun]:
        between = {"first": moment_text(first), "last": moment_text(last), "limit": max(limit, 0)}
        rows = self._execute("ticks", schedule_ids=json.dumps(sorted(set(schedule_ids))), **between)
        return [
            TickRun(schedule_id=schedule_id, at=datetime.fromisoformat(at), run_id=run_id, state_type=StateType(kind), state_name=name)
            for schedule_id, at, run_id, kind, name in rows
        ]

    def ticks_begun(self, schedule_id: str, limit: int) -> list[FlowRun]:
        rows = self._execute("ticks_begun", schedule_id=schedule_id, limit=max(limit, 0))
        return [from_text(FlowRun, text) for (text,) in rows]

    def schedule_plan(self, schedule_id: str) -> SchedulePlan | None:
        row = self._row("schedule_plan", schedule_id=schedule_id)
        return row and _schedule_plan(*row)

    def schedule_plans(self, until: datetime, limit: int) -> list[SchedulePlan]:
        return [_schedule_plan(*row) for row in self._execute("schedule_plans", until=moment_text(until), limit=max(limit, 0))]

    def looked_after(self, moment: datetime) -> bool:
        return bool(self._row("looked_after", moment=moment_text(moment))[0])

    def waits(self, run_id: str) -> list[Wait]:
        return [_wait(text, until) for until, text in self._execute("waits", run_id=run_id)]

    def held_by(self, holder: str) -> list[FlowRun]:
        return [from_text(FlowRun, text) for (text,) in self._execute("held_by", holder=storable(holder))]

    def lost(self, limit: int) -> list[FlowRun]:
        return [from_text(FlowRun, text) for (text,) in self._execute("lost", limit=max(limit, 0), **self._moment())]

    def token(self, token_id: str) -> Token | None:
        row = self._row("token", token_id=storable(token_id))
        return row and from_text(Token, row[0])

    def tokens(self) -> list[Token]:
        return [from_text(Token, text) for (text,) in self._execute("tokens")]

    def storage(self, name: str) -> NamedStorage | None:
        row = self._row("storage", storage=storable(name))
        return row and from_text(NamedStorage, row[0])

    def storages(self) -> list[NamedStorage]:
        return [from_text(NamedStorage, text) for (text,) in self._execute("storages")]

    def reserved(self, keys: Iterable[str]) -> list[Reserved]:
        return [_reserved(*row) for row in self._execute("reserved", keys=json.dumps([storable(key) for key in keys]))]

    def reserved_before(self, moment: datetime, after: Reserved | None, limit: int) -> list[Reserved]:
        key, storage = place_of(after) if after is not None else ("", "")
        rows = self._execute("reserved_before", moment=moment_text(moment), key=key, storage=storage, limit=max(limit, 0))
        return [_reserved(*row) for row in rows]

    def count_reserved(self, storage: Choice, most: int) -> int:
        count: int = self._row("count_reserved", storage=storable(to_key(storage)), most=max(most, 0))[0]
        return count

    def is_borrowed(self, kept_by: str) -> bool:
        return bool(self._row("is_borrowed", kept_by=storable(kept_by))[0])

    def archives(self, sha256: str) -> list[Archive]:
        return [from_text(Archive, text) for (text,) in self._execute("archives", sha256=storable(sha256))]

    def mark(self, name: str) -> str | None:
        row = self._row("mark", mark=storable(name))
        value: str | None = row and row[0]
        return value

    def agent(self, agent_id: str) -> Agent | None:
        row = self._row("agent", agent_id=agent_id, **self._moment())
        return row and _agent(*row)

    def agents(self) -> list[Agent]:
        return [_agent(*row) for row in self._execute("agents", **self._moment())]

    def _moment(self) -> dict[str, Any]:
        """Now, as leases are judged by it."""
        return {"boot": self._clock.boot, "now": self._clock.seconds()}

    def _count(self, statement: str, parameters: dict[str, Any]) -> int:
        count: int = self._connection.execute(statement, parameters).fetchone()[0]
        return count

    def _execute(self, name: str, **parameters: Any) -> sqlite3.Cursor:
        return self._connection.execute(self._queries[name], parameters)

    def _row(self, name: str, **parameters: Any) -> Any:
        return self._execute(name, **parameters).fetchone()


def place_of(reserved: Reserved) -> tuple[str, str]:
    """Where a key has its row."""
    return storable(reserved.key), storable(to_key(reserved.storage))


def _reserved(key: str, storage: str, at: str, removing: str | None) -> Reserved:
    return Reserved(
        key=key,
        storage=from_text(Choice, storage),
        at=datetime.fromisoformat(at),
        removing=datetime.fromisoformat(removing) if removing else None,
    )


def _counted(wanted: CountFilter) -> dict[str, str | None]:
    """Which counters are wanted: all, or those of flows, or those of deployments, of which some may be of other flows."""
    flow_names = [storable(name) for name in wanted.flow_names]
    if wanted.deployment_ids:
        each = [f"deployment {storable(deployment_id)}" for deployment_id in wanted.deployment_ids]
        return {"counted": json.dumps(each), "flow_names": json.dumps(flow_names) if flow_names else None}
    return {"counted": json.dumps([f"flow {name}" for name in flow_names] or ["all"]), "flow_names": None}


def _schedule_plan(
    schedule_id: str, deployment_id: str, version: int, revision: int, decided: str, look_at: str | None, looked: str | None
) -> SchedulePlan:
    return SchedulePlan(
        schedule_id=schedule_id,
        deployment_id=deployment_id,
        version=version,
        revision=revision,
        decided=datetime.fromisoformat(decided),
        look_at=None if look_at is None else datetime.fromisoformat(look_at),
        looked=None if looked is None else datetime.fromisoformat(looked),
    )


def _agent(text: str, live: int) -> Agent:
    return attrs.evolve(from_text(Agent, text), live=bool(live))


def _wait(text: str, until: str | None) -> Wait:
    return attrs.evolve(from_text(Wait, text), until=None if until is None else datetime.fromisoformat(until))


def _log_line(line_id: str, flow_run_id: str, task_run_id: str | None, timestamp: str, level: int, logger: str, message: str) -> LogLine:
    return LogLine(
        id=line_id,
        flow_run_id=flow_run_id,
        task_run_id=task_run_id,
        timestamp=datetime.fromisoformat(timestamp),
        level=level,
        logger=logger,
        message=message,
    )
