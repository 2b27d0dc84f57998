"""Changes of the file."""

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

import attrs

from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment
from headrace.model.events import Event
from headrace.model.explanations import Wait
from headrace.model.journals import RunState
from headrace.model.logs import LogLine
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import SchedulePlan
from headrace.model.states import State, StateType
from headrace.model.storages import NamedStorage, Reserved
from headrace.model.tags import Tags
from headrace.model.tokens import Token
from headrace.rules.verdicts import Verdict
from headrace.wire.plain import to_key, to_text, to_texts
from headrace_sqlite.columns import moment_text, storable
from headrace_sqlite.reading import SqliteReading, place_of

Row = tuple[Any, ...]

AT_ONCE = 100
"""How many flow runs are added by one statement. SQLite notes how to take back a statement, for each page that it touches, and they touch the same ones."""


class SqliteWriting(SqliteReading):
    """Changes what is remembered, inside the transaction that its connection is in."""

    def add_flow_run(self, run: FlowRun) -> bool:
        row, state = _flow_run_rows(run)
        return self._change("add_flow_run", row) and self._enter(state)

    def add_flow_runs(self, runs: Sequence[FlowRun]) -> list[FlowRun]:
        added: list[FlowRun] = []
        states: list[Row] = []
        for first in range(0, len(runs), AT_ONCE):
            portion = runs[first : first + AT_ONCE]
            statement = _of_rows(self._queries["add_flow_run"], len(portion))
            rows, entered = zip(*map(_flow_run_rows, portion), strict=True)
            new = {run_id for (run_id,) in self._connection.execute(statement, tuple(chain.from_iterable(rows)))}
            for run, state in zip(portion, entered, strict=True):
                if run.id in new:
                    new.remove(run.id)
                    added.append(run)
                    states.append(state)
        self._change_all("add_flow_run_state", states)
        return added

    def update_flow_run(self, run: FlowRun, *, was: int) -> bool:
        row, state = _flow_run_rows(run)
        return self._change("update_flow_run", (*row[3:], run.id, was)) and self._enter(state)

    def delete_flow_run(self, run_id: str) -> bool:
        # Triggers have a part in it, so that SQLite keeps in memory how to take it back. What may be very much goes before it, without them.
        self.forget_details(run_id)
        self._change("forget_task_runs", {"run_id": run_id})
        return self._change("delete_flow_run", {"run_id": run_id})

    def put_task_runs(self, runs: Iterable[TaskRun]) -> None:
        self._change_all("put_task_run", map(_task_run_row, runs))

    def add_states(self, states: Iterable[RunState]) -> None:
        self._change_all("add_task_run_state", ((entry.run_id, entry.revision, _json(entry.state)) for entry in states))

    def add_logs(self, lines: Iterable[LogLine]) -> None:
        self._change_all("add_log", map(_log_row, lines))

    def remember(self, move_id: str, run_id: str, verdict: Verdict) -> None:
        self._change("remember", {"move_id": storable(move_id), "run_id": run_id, "value": _json(verdict)})

    def grant_lease(self, run_id: str, *, epoch: int, holder: str, seconds: float) -> None:
        self._change("grant_lease", self._lease_row(run_id, epoch, seconds) | {"holder": storable(holder)})

    def renew_lease(self, run_id: str, *, epoch: int, seconds: float) -> bool:
        return self._change("renew_lease", self._lease_row(run_id, epoch, seconds))

    def end_lease(self, run_id: str) -> None:
        self._change("end_lease", {"run_id": run_id})

    def keep_cached(self, cache_key: str, state: State, run_id: str) -> None:
        expires = state.cache_expiration and moment_text(state.cache_expiration)
        self._change("keep_cached", {"cache_key": storable(cache_key), "run_id": run_id, "expires": expires, "value": _json(state)})

    def hold_slots(self, task_run_id: str, tags: Iterable[str], *, root_id: str, epoch: int) -> None:
        self.free_slots([task_run_id])
        self._change_all("hold_slot", ((task_run_id, tag, root_id, epoch) for tag in tags))

    def free_slots(self, task_run_ids: Iterable[str]) -> None:
        self._change_all("free_slots", ((task_run_id,) for task_run_id in task_run_ids))

    def set_limit(self, tag: str, limit: int) -> None:
        self._change("set_limit", {"tag": tag, "most": limit})

    def delete_limit(self, tag: str) -> bool:
        return self._change("delete_limit", {"tag": tag})

    def put_deployment(self, deployment: Deployment) -> bool:
        return self._change("put_deployment", _deployment_row(deployment))

    def delete_deployment(self, deployment_id: str) -> bool:
        return self._change("delete_deployment", {"deployment_id": deployment_id})

    def add_deployment_version(self, deployment: Deployment) -> None:
        row = {"deployment_id": deployment.id, "version": deployment.version, "value": _json(deployment)}
        self._change("add_deployment_version", row)

    def put_schedule_plan(self, plan: SchedulePlan) -> None:
        moments = (moment and moment_text(moment) for moment in (plan.decided, plan.look_at, plan.looked))
        self._change("put_schedule_plan", (plan.schedule_id, plan.deployment_id, plan.version, plan.revision, *moments))

    def drop_schedule_plan(self, schedule_id: str) -> None:
        self._change("drop_schedule_plan", {"schedule_id": schedule_id})

    def look_again(self, now: datetime) -> None:
        self._change("look_again", {"now": moment_text(now)})

    def forget_ticks(self, schedule_id: str, *, after: datetime | None = None) -> None:
        self._change("forget_ticks", {"schedule_id": schedule_id, "after": after and moment_text(after)})

    def put_work_queue(self, queue: WorkQueue) -> bool:
        return self._change("put_work_queue", {"id": queue.id, "name": storable(queue.name), "value": _json(queue)})

    def delete_work_queue(self, queue_id: str) -> bool:
        return self._change("delete_work_queue", {"queue_id": queue_id})

    def assign(self, run_id: str, queue_ids: Iterable[str]) -> None:
        self._change("unassign", {"run_id": run_id})
        of_run = self._row("assignable", run_id=run_id)
        if of_run is not None:
            self._change_all("assign", ((run_id, queue_id, *of_run) for queue_id in queue_ids))

    def add_wait(self, wait: Wait) -> None:
        until = wait.until and moment_text(wait.until)
        self._change("add_wait", {"run_id": wait.run_id, "since": moment_text(wait.since), "until": until, "value": _json(wait)})

    def end_waits(self, run_id: str, until: datetime) -> None:
        self._change("end_waits", {"run_id": run_id, "until": moment_text(until)})

    def keep_agent(self, agent: Agent, *, seconds: float) -> None:
        self._change("keep_agent", {"id": agent.id, "seconds": seconds, "value": _json(agent), **self._moment()})

    def drop_agent(self, agent_id: str) -> bool:
        return self._change("drop_agent", {"agent_id": agent_id})

    def forget_details(self, run_id: str) -> None:
        self._change("forget_logs", {"run_id": run_id})
        self._change("forget_verdicts", {"run_id": run_id})
        self._change("forget_task_run_states", {"run_id": run_id})
        self._change("forget_waits", {"run_id": run_id})

    def forget_events(self, until: int) -> None:
        self._change("forget_events", {"until": until})

    def add_token(self, token: Token) -> bool:
        return bool(self._change("add_token", {"id": storable(token.id), "value": to_text(token)}))

    def delete_token(self, token_id: str) -> bool:
        return bool(self._change("delete_token", {"token_id": storable(token_id)}))

    def put_storage(self, storage: NamedStorage) -> bool:
        return self._change("put_storage", {"id": storable(storage.id), "name": storable(storage.name), "value": _json(storage)})

    def delete_storage(self, storage_id: str) -> bool:
        return self._change("delete_storage", {"storage_id": storable(storage_id)})

    def put_reserved(self, keys: Iterable[Reserved]) -> None:
        rows = ((*place_of(each), moment_text(each.at), each.removing and moment_text(each.removing)) for each in keys)
        self._change_all("put_reserved", rows)

    def drop_reserved(self, keys: Iterable[Reserved]) -> None:
        self._change_all("drop_reserved", (place_of(each) for each in keys))

    def borrow(self, kept_by: str, run_id: str) -> None:
        self._change("borrow", {"kept_by": storable(kept_by), "run_id": run_id})

    def drop_reserved_in(self, storage: Choice) -> None:
        self._change("drop_reserved_in", {"storage": storable(to_key(storage))})

    def put_mark(self, name: str, value: str) -> None:
        self._change("put_mark", {"name": storable(name), "value": storable(value)})

    def append_event(self, event: Event) -> Event:
        stored = self._connection.execute(self._queries["append_event"], _event_row(event))
        assert stored.lastrowid is not None, "an insert has a row"
        return attrs.evolve(event, sequence=stored.lastrowid)

    def append_events(self, events: Sequence[Event]) -> list[Event]:
        self._change_all("append_event", map(_event_row, events))
        first = self.last_event() - len(events) + 1
        return [attrs.evolve(event, sequence=sequence) for sequence, event in enumerate(events, first)]

    def _enter(self, state: Row) -> bool:
        """Adds a run's state to its history; True, for its callers."""
        self._change("add_flow_run_state", state)
        return True

    def _lease_row(self, run_id: str, epoch: int, seconds: float) -> dict[str, Any]:
        return {"run_id": run_id, "epoch": epoch, "seconds": seconds, **self._moment()}

    def _change(self, name: str, row: Row | dict[str, Any]) -> bool:
        """Whether it changed anything; what belongs to a run that is not known does not, nor does what has the name of another."""
        try:
            return self._connection.execute(self._queries[name], row).rowcount > 0
        except sqlite3.IntegrityError as error:
            if not _is_refused(error):
                raise
            return False

    def _change_all(self, name: str, rows: Iterable[Row]) -> None:
        """All rows by one call; only if one of them belongs to what is not known, each by itself. What is written already stays the same."""
        each = list(rows)
        try:
            self._connection.executemany(self._queries[name], each)
        except sqlite3.IntegrityError as error:
            if not _is_refused(error):
                raise
            for row in each:
                self._change(name, row)


def _is_refused(error: sqlite3.IntegrityError) -> bool:
    """Whether a row belongs to what is not known, or has the name of another; SQLite has taken back the whole statement."""
    return error.sqlite_errorcode in {sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE}


def _flow_run_rows(run: FlowRun) -> tuple[Row, Row]:
    """The columns of a run, of which the first ones are what no change changes; and those of the state that it enters."""
    value, state = map(storable, to_texts(run, "state"))
    row = (
        run.id,
        run.tick and moment_text(run.tick.at),
        run.tick and run.tick.version,
        storable(run.name),
        storable(run.flow_name),
        run.deployment_id,
        run.state.type,
        storable(run.state.name),
        _tags(run.tags),
        moment_text(run.created),
        run.root_id,
        run.parent_task_run_id,
        run.tick and run.tick.schedule_id,
        _start_by(run),
        None if run.work_queue is None else storable(run.work_queue),
        run.revision,
        _due(run.state),
        value,
    )
    return row, (run.id, run.revision, state)


@cache
def _of_rows(statement: str, count: int) -> str:
    """A statement that inserts a row, for so many, answering the ids of those that it inserts."""
    insert, values, rest = re.split(r"VALUES (\([?, ]+\))", statement)
    return f"{insert}VALUES {', '.join([values] * count)}{rest.rstrip().rstrip(';')} RETURNING id"


def _event_row(event: Event) -> Row:
    return storable(event.kind), storable(event.subject), _json(attrs.evolve(event, sequence=0) if event.sequence else event)


def _start_by(run: FlowRun) -> str | None:
    """Until when a run may begin that has not; None for any other."""
    if run.tick is None or run.tick.start_by is None or run.state.type is not StateType.SCHEDULED or run.run_count:
        return None
    return moment_text(run.tick.start_by)


def _due(state: State) -> str | None:
    """When a run is due that is to be started; None for any other."""
    if state.type is not StateType.SCHEDULED or state.scheduled_time is None:
        return None
    return moment_text(state.scheduled_time)


def _task_run_row(run: TaskRun) -> Row:
    return (
        run.id,
        run.flow_run_id,
        storable(run.name),
        run.state.type,
        storable(run.state.name),
        _tags(run.tags),
        run.revision,
        _json(run),
    )


def _log_row(line: LogLine) -> Row:
    return (
        line.id,
        line.flow_run_id,
        line.task_run_id,
        moment_text(line.timestamp),
        line.level,
        storable(line.logger),
        storable(line.message),
    )


def _deployment_row(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "name": storable(deployment.name),
        "flow_name": storable(deployment.flow_name),
        "tags": _tags(deployment.tags),
        "value": _json(deployment),
    }


def _tags(tags: Tags) -> str:
    return json.dumps(tags) if tags else "[]"


def _json(value: object) -> str:
    return storable(to_text(value))
