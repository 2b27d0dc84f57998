"""A store with very many runs, made once and kept: what lists and counts are measured on.

The mix is that of a busy team: a third of all runs is of one flow, most completed, few are late; a flow run in ten is a subflow, and six in ten are of a
deployment. Rows are written by the statements of the store itself, in one transaction. What follows from them (indexes, tags, counters) is made after
them, at once, which takes a third of the time.
"""

import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import attrs

from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.model.events import Event
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import DeploymentSchedule, Tick
from headrace.model.states import State, StateType
from headrace.ports.run_store import Writing
from headrace.wire.plain import to_text
from headrace_sqlite.counters import count_anew
from headrace_sqlite.lease_clock import LeaseClock
from headrace_sqlite.opening import VERSION
from headrace_sqlite.queries import queries
from headrace_sqlite.run_store import SqliteRunStore

TASKS_EACH = 5
SHAPE = 3
"""To be raised whenever other rows are made, so that a file which is kept is made anew."""

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30
LAST = FIRST + timedelta(days=DAYS)
DETAILED = 0.2
"""The part of the runs, the newest, that have their histories and logs still."""

FLOWS = 40
DEPLOYMENTS = 100
TAGS = 50
NAMES = 20_000
QUEUES = 10
BATCH = 2000

STATES = (
    (0.86, StateType.COMPLETED, "Completed"),
    (0.02, StateType.COMPLETED, "Cached"),
    (0.06, StateType.FAILED, "Failed"),
    (0.01, StateType.FAILED, "TimedOut"),
    (0.01, StateType.CRASHED, "Crashed"),
    (0.01, StateType.CANCELLED, "Cancelled"),
    (0.015, StateType.SCHEDULED, "Scheduled"),
    (0.0098, StateType.SCHEDULED, "Late"),
    (0.004, StateType.RUNNING, "Running"),
    (0.001, StateType.PENDING, "Pending"),
    (0.0002, StateType.PAUSED, "Paused"),
)
"""How large a part of the runs is in which state."""

BIG, GOOD, RARE = "flow-00", "flow-01", "rare"
"""The flow of a third of all runs; one that never failed; and a tag that hardly any run has."""


def kept(folder: Path, flow_runs: int) -> Path:
    """A home whose store has so many flow runs, and five times as many task runs; made if there is none of this schema yet, which takes minutes for a
    million. It is to be read only, since it is kept."""
    home = folder / f"{flow_runs}-runs-schema-{VERSION}-shape-{SHAPE}"
    if not home.exists():
        unfinished = folder / f"{home.name}.{os.getpid()}"
        unfinished.mkdir(parents=True)
        try:
            make(unfinished / "headrace.db", flow_runs, told=True)
            unfinished.rename(home)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return home


def run_id(number: int, of: int) -> str:
    """The id of a flow run: a UUID that begins with the time, as all do."""
    return _id(_moment(number, of), number, "7000")


def flow_name(number: int) -> str:
    return f"flow-{number:02}"


def deployment_id(number: int) -> str:
    return _id(FIRST, number, "7d00")


def schedule_id(deployment: str) -> str:
    """The id of a deployment's schedule, which all of its runs were made for."""
    return f"{deployment[:-1]}s"


def queue_id(number: int) -> str:
    return _id(FIRST, number, "7e00")


def queue_name(number: int) -> str:
    return f"queue-{number}"


def task_run_id(number: int, call: int, of: int) -> str:
    return _id(_moment(number, of), number * TASKS_EACH + call, "7111")


def make(path: Path, flow_runs: int, *, told: bool = False) -> None:
    """A new file at a path with so many flow runs."""
    with SqliteRunStore(path=path).open() as opened, opened.writing() as writing:
        _put_deployments(writing)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -300000")
        connection.execute("BEGIN IMMEDIATE")
        later = _put_off(connection)
        rows = _rows(flow_runs)
        done = 0
        writing = pool.submit(int)
        while batch := list(islice(rows, BATCH)):  # SQLite writes the one before meanwhile
            writing.result()
            writing = pool.submit(_write, connection, batch)
            done += len(batch)
            if told and done % 50_000 == 0:
                print(f"\r{done:,} of {flow_runs:,} flow runs are made", end="", file=sys.stderr, flush=True)
        writing.result()
        if told:
            print("\nindexes, tags and counters follow", file=sys.stderr)
        _make_up(connection, later)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")


def _put_off(connection: sqlite3.Connection) -> list[str]:
    """Drops indexes and triggers; the statements that make them anew."""
    there = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall()
    for kind, name, _ in there:
        connection.execute(f"DROP {kind} {name}")
    return [sql for *_, sql in there]


def _make_up(connection: sqlite3.Connection, later: list[str]) -> None:
    """Makes what the triggers would have made, and then those and the indexes."""
    for owner, tags in (("flow_runs", "flow_run_tags"), ("task_runs", "task_run_tags")):
        columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({tags})") if name != "tag"]
        connection.execute(
            f"INSERT INTO {tags} (tag, {', '.join(columns)}) SELECT DISTINCT json_each.value, {', '.join(f's.{name}' for name in columns)}"
            f" FROM {owner} AS s CROSS JOIN json_each(s.tags) WHERE s.tags <> '[]' ORDER BY 1, 2"
        )
    count_anew(connection)
    for statement in later:
        connection.execute(statement)


@attrs.frozen(kw_only=True)
class _Made:
    """A flow run with all that belongs to it, as rows."""

    run: tuple[Any, ...]
    states: list[tuple[Any, ...]]
    task_runs: list[tuple[Any, ...]]
    task_run_states: list[tuple[Any, ...]]
    logs: list[tuple[Any, ...]]
    lease: dict[str, Any] | None
    queue: str | None
    due: str | None


def _write(connection: sqlite3.Connection, made: list[_Made]) -> None:
    def insert(name: str, rows: Iterable[Any]) -> None:
        connection.executemany(queries()[name], rows)

    insert("add_flow_run", (each.run for each in made))
    insert("add_flow_run_state", (row for each in made for row in each.states))
    insert("put_task_run", (row for each in made for row in each.task_runs))
    insert("add_task_run_state", (row for each in made for row in each.task_run_states))
    insert("add_log", (row for each in made for row in each.logs))
    insert("grant_lease", (each.lease for each in made if each.lease))
    insert("assign", ((each.run[0], each.queue, each.due) for each in made if each.queue))
    insert("append_event", (_event(each) for each in made if each.logs))


def _event(made: _Made) -> tuple[Any, ...]:
    event = Event(moment=FIRST, kind=f"flow-run.{made.run[6]}", subject=made.run[0])
    return event.kind, event.subject, to_text(event)


def _rows(count: int) -> Iterator[_Made]:
    draw = random.Random(4)
    boot = LeaseClock.of_this_machine().boot
    texts = _Texts()
    root = ""
    for number in range(count):
        own, moment = run_id(number, count), _moment(number, count).isoformat()
        is_under = bool(root) and draw.random() < 0.1
        root = root if is_under else own
        flow = flow_name(0 if draw.random() < 1 / 3 else draw.randrange(1, FLOWS))
        kind, name = _drawn(draw, never_fails=flow == GOOD)
        deployment = deployment_id(int(flow[5:]) + FLOWS * draw.randrange(2)) if draw.random() < 0.6 else None
        tags = _tags(draw) if draw.random() < 0.5 else "[]"
        run_name = f"run-{draw.randrange(NAMES):05}"
        due = moment if kind is StateType.SCHEDULED else None
        state = texts.state(kind, name, moment)
        value = texts.flow_run(
            ID=own,
            NAME=run_name,
            FLOW=flow,
            ROOT=root,
            DEPLOYMENT=deployment or "",
            SCHEDULE=schedule_id(deployment or "-"),
            STATE=state,
            AT=moment,
        )
        is_detailed = number >= count * (1 - DETAILED)
        tasks, task_states = [], []
        for call in range(TASKS_EACH):
            task_id, task_name = task_run_id(number, call, count), f"task-{flow[5:]}-{call}"
            task_kind, task_state_name = _drawn(draw, never_fails=flow == BIG and call == 0)
            task_state = texts.state(task_kind, task_state_name, moment)
            task_value = texts.task_run(ID=task_id, NAME=task_name, FLOW=own, STATE=task_state, AT=moment)
            tasks.append((task_id, own, task_name, task_kind, task_state_name, tags if call == 0 else "[]", 3, task_value))
            task_states += [(task_id, revision, task_state) for revision in (1, 2, 3) if is_detailed]
        is_held, is_due = kind is StateType.RUNNING, kind is StateType.SCHEDULED
        lease = {"run_id": own, "epoch": 1, "holder": f"agent-{number % 20}", "boot": boot, "now": 0.0, "seconds": 1e12}
        yield _Made(
            run=(
                own,
                moment if deployment else None,
                1 if deployment else None,
                run_name,
                flow,
                deployment,
                kind,
                name,
                tags,
                moment,
                root,
                None,
                deployment and schedule_id(deployment),
                None,
                queue_name(number % QUEUES) if deployment and not is_due else None,
                3,
                due,
                value,
            ),
            states=[(own, revision, state) for revision in (1, 2, 3)],
            task_runs=tasks,
            task_run_states=task_states,
            logs=_lines(own, number, kind, run_name, moment) if is_detailed else [],
            lease=lease if is_held and not is_under else None,
            queue=queue_id(number % QUEUES) if is_held or is_due else None,
            due=due,
        )


def _drawn(draw: random.Random, *, never_fails: bool) -> tuple[StateType, str]:
    ((_, kind, name),) = draw.choices(STATES, cum_weights=_WEIGHTS)
    return (StateType.COMPLETED, "Completed") if never_fails and kind is StateType.FAILED else (kind, name)


def _tags(draw: random.Random) -> str:
    tags = {f"tag-{draw.randrange(TAGS):02}" for _ in range(2)}
    if draw.random() < 0.0001:
        tags.add(RARE)
    return "[" + ", ".join(f'"{tag}"' for tag in sorted(tags)) + "]"


def _lines(own: str, number: int, kind: StateType, name: str, moment: str) -> list[tuple[Any, ...]]:
    levels = (20, 20, 20, 20, 40 if kind is StateType.FAILED else 30 if number % 10 == 0 else 20)
    return [
        (f"{own}-{line}", own, None, moment, level, "headrace.flow_runs", f"line {line} of some length, about {name}")
        for line, level in enumerate(levels)
    ]


def _put_deployments(writing: Writing) -> None:
    for number in range(DEPLOYMENTS):
        writing.put_deployment(
            Deployment(
                id=deployment_id(number),
                name=f"deployment-{number:02}",
                flow_name=flow_name(number % FLOWS),
                code=Code(entrypoint="bench:flow"),
                flow_runner=Choice("subprocess"),
                created=FIRST,
                updated=FIRST,
                tags=(f"tag-{number % TAGS:02}",),
                schedules=(_schedule(deployment_id(number)),),
            )
        )
    for number in range(QUEUES):
        writing.put_work_queue(WorkQueue(id=queue_id(number), name=queue_name(number), created=FIRST, updated=FIRST))


def _schedule(deployment: str) -> DeploymentSchedule:
    """Every seven minutes and a bit, which is how often there are runs of it where there are a million."""
    kind = Choice("interval", {"interval": "432s", "anchor_date": FIRST.isoformat(), "timezone": "Europe/Berlin"})
    return DeploymentSchedule(kind=kind, id=schedule_id(deployment), since=FIRST)


_WEIGHTS = list(accumulate(part for part, *_ in STATES))
_AT = datetime(9999, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class _Texts:
    """Texts of values with places to be filled in: to make a value and write it out takes longer than to store it."""

    def __init__(self) -> None:
        state = State(type=StateType.FAILED, name="§NAME", timestamp=_AT)
        inner = State(type=StateType.FAILED, name="§STATE")
        times = {"created": _AT, "start_time": _AT, "end_time": _AT, "revision": 3, "run_count": 1, "total_run_time": 1.25}
        flow_run = FlowRun(
            id="§ID",
            name="§NAME",
            state=inner,
            flow_name="§FLOW",
            root_id="§ROOT",
            deployment_id="§DEPLOYMENT",
            expected_start_time=_AT,
            parameters={"path": "data/of/the/day.parquet", "limit": 1000},
            epoch=1,
            tick=Tick(schedule_id="§SCHEDULE", version=1, at=_AT),
            **times,
        )
        task_run = TaskRun(id="§ID", name="§NAME", flow_run_id="§FLOW", state=inner, task_name="task", task_key="0a1b2c3d", call=0, **times)
        by_script = attrs.evolve(flow_run, deployment_id=None, tick=None)
        self._state, self._flow_run, self._by_script, self._task_run = (
            to_text(value).replace(_AT.isoformat(), "§AT").replace(to_text(inner), "§STATE")
            for value in (state, flow_run, by_script, task_run)
        )

    def state(self, kind: StateType, name: str, moment: str) -> str:
        return self._state.replace("FAILED", kind).replace("§NAME", name).replace("§AT", moment)

    def flow_run(self, **filled: str) -> str:
        return _filled(self._flow_run if filled["DEPLOYMENT"] else self._by_script, filled)

    def task_run(self, **filled: str) -> str:
        return _filled(self._task_run, filled)


def _filled(text: str, places: dict[str, str]) -> str:
    for place, what in places.items():
        text = text.replace(f"§{place}", what)
    return text


def _moment(number: int, of: int) -> datetime:
    return FIRST + timedelta(microseconds=DAYS * 86_400_000_000 * number // of)


def _id(moment: datetime, number: int, kind: str) -> str:
    at = f"{int(moment.timestamp() * 1000):012x}"
    return f"{at[:8]}-{at[8:]}-{kind}-8000-{number:012x}"


def main() -> None:
    """Makes the home in the folder and with the number of runs that are named."""
    print(kept(Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
