"""What every run store does."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from itertools import combinations
from typing import Any, TypeVar

import attrs
import pytest

from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.counts import CountFilter, StateCount
from headrace.model.deployments import Archive, Code, Deployment
from headrace.model.events import Event
from headrace.model.explanations import Kind, Obstacle, Wait
from headrace.model.filters import DeploymentFilter, EventFilter, FlowFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.journals import RunState
from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.queues import WorkQueue
from headrace.model.results import ResultReference
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import DeploymentSchedule, Overlap, SchedulePlan, Tick, TickRun
from headrace.model.states import MISSING, State, StateType
from headrace.model.storages import NamedStorage, Reserved
from headrace.model.tokens import Scope, Token, digest_of
from headrace.ports.run_store import OpenRunStore, Reading, RunStore, Writing
from headrace.rules.verdicts import Verdict, accepted, refused, replaced, wait
from headrace.testing.conformance.facts import Facts

NOW = datetime(2026, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
HOUR = 3600.0
AN_INSTANT = 1e-7
"""Seconds of a lease that is over before anybody can look."""
SECONDS = 60
MOMENT = 0.1
"""Seconds given to a thread that may come through at once, or may have to wait until this one is ready."""

STRANGE = "ümläut, 漢字, 😀, \u2028, \"quotes\", 'more', \\, %, _, \t and [] {} -- ;"

Row = TypeVar("Row", FlowRun, TaskRun, LogLine, Deployment, WorkQueue)
Some = TypeVar("Some")


class Interrupted(Exception):
    """Raised by a test in the middle of a transaction."""


def later(seconds: float) -> datetime:
    """So many seconds after the moment of the tests."""
    return NOW + timedelta(seconds=seconds)


def stamped(state: State, moment: datetime = NOW) -> State:
    """The state as it enters a run."""
    return attrs.evolve(state, timestamp=moment)


SCHEDULED = stamped(State.scheduled(NOW))
RUNNING = stamped(State.running())

FULL_STATE = State(
    type=StateType.COMPLETED,
    name="Cached",
    message=STRANGE,
    timestamp=later(0.000001),
    scheduled_time=later(-1),
    cache_key=STRANGE,
    cache_expiration=later(HOUR),
    child_flow_run_id="child",
    reference=ResultReference(
        serializer="json",
        size=2,
        sha256="ab" * 32,
        storage=Choice("local", {"path": "/there", "deep": {"list": [1, None, True]}}),
        key="results/ab",
        inline="{}",
    ),
)

PARAMETERS = {"number": 1, "real": 0.1, "big": 2**70, "none": None, "truth": True, STRANGE: [STRANGE, {"": []}], "half": "\udcff"}


def flow_run(run_id: str, state: State = SCHEDULED, **fields: Any) -> FlowRun:
    """A flow run with what it must have."""
    whole: dict[str, Any] = {"name": f"name of {run_id}", "flow_name": "etl", "created": NOW, "root_id": run_id} | fields
    return FlowRun(id=run_id, state=state, **whole)


def task_run(run_id: str, of: str = "flow", state: State = RUNNING, **fields: Any) -> TaskRun:
    """A task run with what it must have."""
    whole: dict[str, Any] = {
        "name": f"name of {run_id}",
        "created": NOW,
        "task_name": "extract",
        "task_key": "0a1b2c3d",
        "call": 0,
    } | fields
    return TaskRun(id=run_id, flow_run_id=of, state=state, **whole)


def log_line(line_id: str, of: str = "flow", **fields: Any) -> LogLine:
    """A log line with what it must have."""
    whole: dict[str, Any] = {"timestamp": NOW, "level": 20, "logger": "headrace.flow_runs", "message": f"message of {line_id}"} | fields
    return LogLine(id=line_id, flow_run_id=of, **whole)


def counts_of(runs: Iterable[FlowRun]) -> list[StateCount]:
    """What a store counts of these runs."""
    counts = Counter((run.state.type, run.state.name) for run in runs)
    return [StateCount(type=kind, name=name, count=count) for (kind, name), count in sorted(counts.items())]


def deployment(deployment_id: str, **fields: Any) -> Deployment:
    """A deployment with what it must have."""
    whole: dict[str, Any] = {
        "name": f"name of {deployment_id}",
        "flow_name": "etl",
        "code": Code(entrypoint="flows:etl"),
        "created": NOW,
        "updated": NOW,
    } | fields
    return Deployment(id=deployment_id, **whole)


def by_place(keys: Iterable[Reserved]) -> list[Reserved]:
    """Keys in an order that all tests share."""
    return sorted(keys, key=lambda each: (each.key, each.storage.name))


def work_queue(queue_id: str, **fields: Any) -> WorkQueue:
    """A work queue with what it must have."""
    whole: dict[str, Any] = {"name": f"name of {queue_id}", "created": NOW, "updated": NOW} | fields
    return WorkQueue(id=queue_id, **whole)


def agent(agent_id: str, **fields: Any) -> Agent:
    """An agent with what it must have."""
    whole: dict[str, Any] = {
        "name": f"name of {agent_id}",
        "host": "here",
        "process": 1,
        "version": "0.1.0",
        "queues": (),
        "started": NOW,
    } | fields
    return Agent(id=agent_id, **whole)


FLOW_RUNS = {
    "with what it must have": flow_run("flow"),
    "with every field": flow_run(
        "flow",
        FULL_STATE,
        tags=("a", "b"),
        revision=7,
        run_count=2,
        expected_start_time=later(1),
        start_time=later(2),
        end_time=later(3),
        total_run_time=0.1 + 0.2,
        flow_version=STRANGE,
        parameters=PARAMETERS,
        deployment_id="deployment",
        parent_task_run_id="parent",
        root_id="root",
        epoch=3,
        retries=4,
        retry_delay=0.5,
        flow_runner=Choice("subprocess", {"env": {STRANGE: "1"}, "deep": {"list": [1, None, True]}}),
        is_named=True,
        keeps_result=True,
    ),
    "with strange names and tags": flow_run("flow-ü", name=STRANGE, flow_name=STRANGE, tags=tuple(sorted([STRANGE, "two words", "[]"]))),
    "with a megabyte of parameters": flow_run("flow", parameters={"text": "ü" * 1_000_000, "list": list(range(1000))}),
}

TASK_RUNS = {
    "with what it must have": task_run("task"),
    "with every field": task_run(
        "task",
        "flow",
        FULL_STATE,
        name=STRANGE,
        tags=("a", "b"),
        revision=7,
        run_count=2,
        expected_start_time=later(1),
        start_time=later(2),
        end_time=later(3),
        total_run_time=0.1 + 0.2,
        task_name=STRANGE,
        call=5,
        task_version="1",
        inputs={"data": ("one", "two"), "none": ()},
        inputs_hash="cd" * 32,
        child_flow_run_id="child",
    ),
}

STATES = {
    "plain": RUNNING,
    "with every field": FULL_STATE,
    "with half a surrogate pair": stamped(State.failed(message="no file \udcff")),
    "with a character that ends texts elsewhere": stamped(State.failed(message="one\0two")),
    "with a megabyte": stamped(State.failed(message="x" * 1_000_000)),
}

VERDICTS = {
    "accepted": accepted(FULL_STATE),
    "replaced": replaced(RUNNING, STRANGE),
    "wait": wait(later(1), "too early"),
    "refused": refused("stale", stop=True),
}

DEPLOYMENTS = {
    "with what it must have": deployment("deployment"),
    "with every field": deployment(
        "deployment",
        name=STRANGE,
        flow_name=STRANGE,
        code=Code(
            entrypoint=f"{STRANGE}.py",
            archive=Archive(sha256="ab" * 32, files=3, size=2**40, storage=Choice("s3", {"bucket": "code", "deep": {"list": [1, None]}})),
            serializer="pickle",
        ),
        flow_version=STRANGE,
        description=f"{STRANGE}\n" * 1000,
        parameters=PARAMETERS,
        parameter_schema={"type": "object", "properties": {STRANGE: {"type": ["number", "null"]}}, "required": []},
        tags=tuple(sorted([STRANGE, "two words", "[]"])),
        schedules=(DeploymentSchedule(kind=Choice("cron", {"cron": "0 * * * *", "timezone": "Europe/Berlin"}), id="schedule", since=NOW),),
        flow_runner=Choice("docker", {"image": "python", "env": {"A": "1"}}),
        retries=3,
        retry_delay=0.1 + 0.2,
        is_verified=False,
        created=later(0.000001),
        updated=later(HOUR),
    ),
}

WORK_QUEUES = {
    "with what it must have": work_queue("queue"),
    "with every field": work_queue(
        "queue",
        name=STRANGE,
        description=STRANGE,
        criteria={"tags": ["a", STRANGE], "deployments": {STRANGE: [None, 1.5]}},
        is_paused=True,
        concurrency_limit=0,
        is_matched=True,
        created=later(0.000001),
        updated=later(HOUR),
    ),
}

AGENTS = {
    "with what it must have": agent("agent"),
    "with every field": agent("agent", name=STRANGE, host=STRANGE, process=2**22, queues=("b", "a"), limit=0, is_draining=True),
}

TAGGED = {"a": ("x",), "b": ("x", "y"), "c": ("x", "y", "z"), "d": (), "e": ("y",)}

DUE = {letter: later(60 * number) for number, letter in enumerate(TAGGED)}
WAITING = {"a0", "b0", "d0", "b1"}
"""The runs that wait in the queue `waiting`."""

LISTED_FLOW_RUNS = [
    flow_run(
        f"{letter}{number}",
        stamped([State.scheduled(DUE[letter]), RUNNING, State.completed(), State(type=StateType.COMPLETED, name="Cached")][number]),
        name=f"name-{number}",
        flow_name=f"flow-{letter}" if letter in "ab" else "flow-z",
        deployment_id=None if letter == "d" else f"deployment-{number}",
        tags=TAGGED[letter],
        root_id=f"{letter}0",
        created=later(number),
        work_queue={"b": STRANGE, "c": "Taken"}.get(letter) if number else None,
    )
    for letter in TAGGED
    for number in range(4)
]

FLOW_RUN_FILTERS: list[tuple[dict[str, Any], Callable[[FlowRun], bool]]] = [
    ({"ids": ("a1", "b0", "b2", "c3", "e1", "nowhere", "a1")}, lambda run: run.id in {"a1", "b0", "b2", "c3", "e1"}),
    ({"id_prefix": "b"}, lambda run: run.id.startswith("b")),
    ({"names": ("name-1", "name-2")}, lambda run: run.name in {"name-1", "name-2"}),
    ({"flow_names": ("flow-z", "flow-b")}, lambda run: run.flow_name in {"flow-z", "flow-b"}),
    ({"deployment_ids": ("deployment-0", "deployment-2")}, lambda run: run.deployment_id in {"deployment-0", "deployment-2"}),
    ({"state_types": (StateType.COMPLETED, StateType.RUNNING)}, lambda run: run.state.type in {StateType.COMPLETED, StateType.RUNNING}),
    ({"state_names": ("Cached", "Scheduled")}, lambda run: run.state.name in {"Cached", "Scheduled"}),
    ({"tags": ("x",)}, lambda run: "x" in run.tags),
    ({"tags": ("y", "x")}, lambda run: {"x", "y"} <= set(run.tags)),
    ({"root_ids": ("a0", "c0")}, lambda run: run.root_id in {"a0", "c0"}),
    ({"root_only": True}, lambda run: run.root_id == run.id),
    ({"created_after": later(1)}, lambda run: run.created >= later(1)),
    ({"created_before": later(2)}, lambda run: run.created <= later(2)),
    ({"text": "AME-2"}, lambda run: run.name == "name-2"),
    ({"text": "_"}, lambda run: False),
    ({"text": "name-1\0"}, lambda run: False),
    ({"work_queues": ("Taken",)}, lambda run: run.work_queue == "Taken"),
    ({"work_queues": ("waiting", STRANGE, "nothing")}, lambda run: run.id in WAITING or run.work_queue == STRANGE),
    ({"due_after": DUE["b"], "due_before": DUE["d"]}, lambda run: run.id in {"b0", "c0", "d0"}),
    ({"due_before": DUE["b"]}, lambda run: run.id in {"a0", "b0"}),
]

LISTED_TASK_RUNS = [
    task_run(
        f"{letter}{number}",
        f"flow-{letter}",
        stamped([State.pending(), RUNNING, State.completed(), State(type=StateType.COMPLETED, name="Cached")][number]),
        name=f"name-{number}",
        tags=TAGGED[letter],
    )
    for letter in TAGGED
    for number in range(4)
]

TASK_RUN_FILTERS: list[tuple[dict[str, Any], Callable[[TaskRun], bool]]] = [
    ({"ids": ("a1", "b0", "b2", "c3", "e1", "nowhere")}, lambda run: run.id in {"a1", "b0", "b2", "c3", "e1"}),
    ({"id_prefix": "b"}, lambda run: run.id.startswith("b")),
    ({"names": ("name-1", "name-2")}, lambda run: run.name in {"name-1", "name-2"}),
    ({"flow_run_ids": ("flow-a", "flow-b", "flow-e")}, lambda run: run.flow_run_id in {"flow-a", "flow-b", "flow-e"}),
    ({"state_types": (StateType.COMPLETED, StateType.RUNNING)}, lambda run: run.state.type in {StateType.COMPLETED, StateType.RUNNING}),
    ({"state_names": ("Cached", "Pending")}, lambda run: run.state.name in {"Cached", "Pending"}),
    ({"tags": ("x",)}, lambda run: "x" in run.tags),
    ({"tags": ("y", "x")}, lambda run: {"x", "y"} <= set(run.tags)),
]

LISTED_LOGS = [
    log_line(
        f"{letter}{number}",
        f"flow-{letter}",
        task_run_id=f"task-{number}" if number else None,
        level=10 * number,
        message=f"100% of {letter}_{number} Ümlaut",
    )
    for letter in TAGGED
    for number in range(4)
]

LOG_FILTERS: list[tuple[dict[str, Any], Callable[[LogLine], bool]]] = [
    ({"flow_run_ids": ("flow-a", "flow-c")}, lambda line: line.flow_run_id in {"flow-a", "flow-c"}),
    ({"task_run_id": "task-2"}, lambda line: line.task_run_id == "task-2"),
    ({"least_level": 20}, lambda line: line.level >= 20),
    ({"text": "_2 Ü"}, lambda line: "_2 Ü" in line.message),
    ({"text": "100%"}, lambda line: True),
    ({"text": "ümlaut"}, lambda line: False),
]


LISTED_DEPLOYMENTS = [
    deployment(f"{letter}{number}", name=f"name-{number}", flow_name=f"flow-{letter}", tags=TAGGED[letter])
    for letter in TAGGED
    for number in range(4)
]

DEPLOYMENT_FILTERS: list[tuple[dict[str, Any], Callable[[Deployment], bool]]] = [
    ({"ids": ("a1", "b0", "b2", "c3", "e1", "nowhere", "a1")}, lambda each: each.id in {"a1", "b0", "b2", "c3", "e1"}),
    ({"id_prefix": "b"}, lambda each: each.id.startswith("b")),
    ({"names": ("name-1", "name-2", "NAME-3")}, lambda each: each.name in {"name-1", "name-2"}),
    ({"flow_names": ("flow-a", "flow-b", "flow-c", "Flow-e")}, lambda each: each.flow_name in {"flow-a", "flow-b", "flow-c"}),
    ({"tags": ("x",)}, lambda each: "x" in each.tags),
    ({"tags": ("y", "x")}, lambda each: {"x", "y"} <= set(each.tags)),
    ({"text": "W-a/Name"}, lambda each: each.flow_name == "flow-a"),
]

LISTED_WORK_QUEUES = [work_queue(f"{letter}{number}", name=f"name-{number} {letter}") for letter in "abc" for number in range(4)]

WORK_QUEUE_FILTERS: list[tuple[dict[str, Any], Callable[[WorkQueue], bool]]] = [
    ({"ids": ("a1", "b0", "b2", "c3", "nowhere", "a1")}, lambda queue: queue.id in {"a1", "b0", "b2", "c3"}),
    ({"id_prefix": "b"}, lambda queue: queue.id.startswith("b")),
    ({"names": ("name-0 b", "name-2 b", "name-2 c", "Name-1 a")}, lambda queue: queue.name in {"name-0 b", "name-2 b", "name-2 c"}),
]

LISTED_EVENTS = [
    Event(sequence=number + 1, moment=NOW, kind=f"kind-{number % 3}", subject=("one", "two", STRANGE, "")[number // 2 % 4])
    for number in range(24)
]

EVENT_FILTERS: list[tuple[dict[str, Any], Callable[[Event], bool]]] = [
    ({"after": 7}, lambda event: event.sequence > 7),
    ({"kinds": ("kind-1", "kind-2", "nothing")}, lambda event: event.kind in {"kind-1", "kind-2"}),
    ({"subjects": ("two", STRANGE, "nobody")}, lambda event: event.subject in {"two", STRANGE}),
    ({"subjects": ("", "two")}, lambda event: event.subject in {"", "two"}),
]


def alone_and_combined(cases: list[tuple[dict[str, Any], Callable[[Any], bool]]]) -> list[Any]:
    """Every case by itself, and every two that ask for different things, with a name each."""
    together = [
        ((one | other), lambda row, first=first, second=second: first(row) and second(row))
        for (one, first), (other, second) in combinations(cases, 2)
        if not one.keys() & other.keys()
    ]
    return [pytest.param(*case, id=" ".join(f"{name}={value!r}" for name, value in case[0].items())) for case in (*cases, *together)]


def in_threads(count: int, work: Callable[[int], Some]) -> list[Some]:
    """What came of so many calls that start together."""
    barrier = threading.Barrier(count)

    def start(number: int) -> Some:
        barrier.wait(SECONDS)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def pages(ask: Callable[[Page], list[Row]], *, limit: int, newest_first: bool) -> Iterator[list[Row]]:
    """Page after page, until one is empty."""
    after = None
    while page := ask(Page(limit=limit, after=after, newest_first=newest_first)):
        assert after not in ids(page), "a page begins beyond the row that it comes after"
        yield page
        after = page[-1].id


def waited(since: datetime, sentence: str = "it is paused") -> Wait:
    """What keeps the flow run `flow` waiting from a moment on."""
    return Wait(run_id="flow", since=since, obstacles=(Obstacle(kind=Kind.PAUSED, sentence=sentence, queue="q", advice="do"),))


def ids(rows: Iterable[Row]) -> list[str]:
    """Their ids, in the order they have."""
    return [row.id for row in rows]


def history(*states: State, of: str) -> list[RunState]:
    """The states as a run's history."""
    return [RunState(run_id=of, revision=revision, state=state) for revision, state in enumerate(states, start=1)]


def put(opened: OpenRunStore, *rows: FlowRun | TaskRun | LogLine | Deployment | WorkQueue) -> None:
    """Remembers them all, in one transaction."""
    with opened.writing() as writing:
        for row in rows:
            if isinstance(row, FlowRun):
                assert writing.add_flow_run(row)
            if isinstance(row, Deployment):
                assert writing.put_deployment(row)
            if isinstance(row, WorkQueue):
                assert writing.put_work_queue(row)
        writing.put_task_runs([row for row in rows if isinstance(row, TaskRun)])
        writing.add_logs([row for row in rows if isinstance(row, LogLine)])


def interrupted(opened: OpenRunStore, change: Callable[[Writing], object], error: type[BaseException] = Interrupted) -> None:
    """Makes the change in a transaction that then fails."""
    with opened.writing() as writing:
        change(writing)
        raise error


_COUNTED_UNTIL = [(0, "", 10), (2, "", 10), (9, "", 10), (9, "a1", 10), (9, "", 2), (9, "d", 10), (0, "a0", 10)]
"""Hours, after which id, and how far."""


class RunStoreConformance(Facts):
    """Facts about run stores. Override the fixture `run_store`: a store value whose place is empty and belongs to this test alone."""

    @pytest.fixture
    def run_store(self) -> RunStore:
        raise NotImplementedError("override the fixture `run_store`; it gives the run store to try")

    @pytest.fixture
    def open_store(self, run_store: RunStore) -> Iterator[OpenRunStore]:
        with run_store.open() as opened:
            yield opened

    def expire(self, opened: OpenRunStore, run_id: str) -> None:
        """Makes a lease expire; override it where no lease of a moment can be had."""
        with opened.writing() as writing:
            lease = writing.lease(run_id)
            assert lease is not None, "there is a lease to expire"
            assert writing.renew_lease(run_id, epoch=lease.epoch, seconds=AN_INSTANT)

    def outlast(self, opened: OpenRunStore, agent: Agent) -> None:
        """Makes an agent's time be over; override it where none of 0 seconds can be had."""
        with opened.writing() as writing:
            writing.keep_agent(agent, seconds=0)

    # Values

    def test_a_run_store_is_a_value(self, run_store: RunStore) -> None:
        """A run store equals another one with the same fields; opening one changes nothing about that."""
        with run_store.open():
            assert attrs.evolve(run_store) == run_store  # type: ignore[misc]

    def test_a_second_opening_sees_what_outlives_the_process(self, run_store: RunStore) -> None:
        """What is written is seen through another opening of an equal value exactly if the store outlives the process."""
        expected = flow_run("flow") if run_store.outlives_process else None
        with run_store.open() as first, attrs.evolve(run_store).open() as second:  # type: ignore[misc]
            put(first, flow_run("flow"))
            with second.reading() as reading:
                assert reading.flow_run("flow") == expected
        with run_store.open() as third, third.reading() as reading:
            assert reading.flow_run("flow") == expected

    # Flow runs

    @pytest.mark.parametrize("run", FLOW_RUNS.values(), ids=FLOW_RUNS)
    def test_a_flow_run_comes_back_whole(self, open_store: OpenRunStore, run: FlowRun) -> None:
        """Every field of a flow run is read as it was written, by itself and in a list, inside the transaction and after it."""
        with open_store.writing() as writing:
            assert writing.add_flow_run(run)
            assert writing.flow_run(run.id) == run
        with open_store.reading() as reading:
            assert reading.flow_run(run.id) == run
            assert reading.flow_runs(FlowRunFilter(), Page()) == [run]
            assert reading.flow_runs(FlowRunFilter(names=(run.name,), flow_names=(run.flow_name,), tags=run.tags), Page()) == [run]
            assert reading.states(run.id) == [run.state]

    def test_what_is_not_there_is_none(self, open_store: OpenRunStore) -> None:
        """An empty store answers every question, with nothing."""
        with open_store.reading() as reading:
            assert reading.flow_run("flow") is None
            assert reading.task_run("task") is None
            assert reading.lease("flow") is None
            assert reading.verdict("move") is None
            assert reading.cached("key", NOW) is None
            assert reading.states("flow") == []
            assert reading.flow_runs(FlowRunFilter(), Page()) == []
            assert reading.task_runs(TaskRunFilter(), Page()) == []
            assert reading.logs(LogFilter(), Page()) == []
            assert reading.limits() == []
            assert reading.events(EventFilter(), 10) == []
            assert reading.last_event() == 0
            assert reading.deployment("deployment") is None
            assert reading.deployments(DeploymentFilter(), Page()) == []
            assert reading.work_queue("queue") is None
            assert reading.work_queues(WorkQueueFilter(), Page()) == []
            assert reading.due("queue", later(HOUR), 10) == []
            assert reading.in_use("queue") == 0
            assert reading.held_by("me") == []
            assert reading.agents() == []

    def test_a_known_id_is_not_added_again(self, open_store: OpenRunStore) -> None:
        """Adding a run whose id is known says False and changes nothing."""
        put(open_store, flow_run("flow", tags=("a",)))
        with open_store.writing() as writing:
            assert not writing.add_flow_run(flow_run("flow", RUNNING, name="other", tags=("b",)))
        with open_store.reading() as reading:
            assert reading.flow_run("flow") == flow_run("flow", tags=("a",))
            assert reading.states("flow") == [SCHEDULED]
            assert reading.flow_runs(FlowRunFilter(tags=("b",)), Page()) == []

    def test_a_flow_run_goes_on(self, open_store: OpenRunStore) -> None:
        """An update replaces the run, adds its state to the history, and is found by what the run is now, not by what it was."""
        first = flow_run("flow", tags=("a", "b"))
        second = attrs.evolve(first.entering(stamped(State.running(), later(1))), name="other", tags=("b", "c"))
        put(open_store, first)
        with open_store.writing() as writing:
            assert writing.update_flow_run(second, was=1)
            assert writing.flow_run("flow") == second
        with open_store.reading() as reading:
            assert reading.flow_run("flow") == second
            assert reading.states("flow") == [first.state, second.state]
            for now in ({"names": ("other",)}, {"state_types": (StateType.RUNNING,)}, {"tags": ("b", "c")}):
                assert reading.flow_runs(FlowRunFilter(**now), Page()) == [second]
            for before in ({"names": (first.name,)}, {"state_types": (StateType.SCHEDULED,)}, {"tags": ("a",)}):
                assert reading.flow_runs(FlowRunFilter(**before), Page()) == []

    def test_only_the_expected_revision_is_replaced(self, open_store: OpenRunStore) -> None:
        """An update from another revision, or of a run that is not known, says False and changes nothing."""
        first = flow_run("flow")
        second = first.entering(RUNNING)
        put(open_store, first)
        with open_store.writing() as writing:
            assert not writing.update_flow_run(second, was=2)
            assert writing.update_flow_run(second, was=1)
            assert not writing.update_flow_run(attrs.evolve(second, name="other"), was=1)
            assert not writing.update_flow_run(flow_run("unknown"), was=1)
        with open_store.reading() as reading:
            assert reading.flow_run("flow") == second
            assert reading.states("flow") == [first.state, second.state]
            assert reading.flow_run("unknown") is None
            assert reading.states("unknown") == []

    def test_one_of_many_wins(self, open_store: OpenRunStore) -> None:
        """Of eight threads that replace the same revision, exactly one does."""
        put(open_store, flow_run("flow"))

        def move(number: int) -> bool:
            with open_store.writing() as writing:
                return writing.update_flow_run(flow_run("flow", RUNNING, revision=2, name=f"of {number}"), was=1)

        won = in_threads(8, move)
        assert sorted(won) == [False] * 7 + [True]
        with open_store.reading() as reading:
            run = reading.flow_run("flow")
        assert run is not None
        assert run.name == f"of {won.index(True)}"

    def test_live_data_stays_behind(self, open_store: OpenRunStore) -> None:
        """The data of a state is not kept, wherever the state is."""
        done = stamped(State.completed(object()))
        with open_store.writing() as writing:
            writing.add_flow_run(flow_run("flow", done))
            writing.put_task_runs([task_run("task", state=done)])
            writing.add_states(history(done, of="task"))
            writing.remember("move", "flow", accepted(done))
            writing.keep_cached("key", done, "task")
        with open_store.reading() as reading:
            run, task = reading.flow_run("flow"), reading.task_run("task")
            verdict, cached = reading.verdict("move"), reading.cached("key", NOW)
            states = [
                run and run.state,
                task and task.state,
                verdict and verdict.state,
                cached,
                *reading.states("flow"),
                *reading.states("task"),
            ]
        assert [state and state.data for state in states] == [MISSING] * 6

    def test_what_is_kept_does_not_change(self, open_store: OpenRunStore) -> None:
        """A change of parameters or criteria by whoever handed them over does not reach the store."""
        plain = {"list": [1]}
        put(open_store, flow_run("flow", parameters=plain), deployment("one", parameters=plain, parameter_schema=plain))
        put(open_store, work_queue("queue", criteria=plain))
        plain["list"].append(2)
        with open_store.reading() as reading:
            run, kept, queue = reading.flow_run("flow"), reading.deployment("one"), reading.work_queue("queue")
        assert run is not None
        assert kept is not None
        assert queue is not None
        assert [run.parameters, kept.parameters, kept.parameter_schema, queue.criteria] == [{"list": [1]}] * 4

    # Task runs, states and logs

    @pytest.mark.parametrize("run", TASK_RUNS.values(), ids=TASK_RUNS)
    def test_a_task_run_comes_back_whole(self, open_store: OpenRunStore, run: TaskRun) -> None:
        """Every field of a task run is read as it was written, by itself and in a list."""
        put(open_store, flow_run("flow"), run)
        with open_store.reading() as reading:
            assert reading.task_run("task") == run
            assert reading.task_runs(TaskRunFilter(names=(run.name,), tags=run.tags), Page()) == [run]

    def test_an_older_task_run_does_not_replace_a_newer(self, open_store: OpenRunStore) -> None:
        """A task run is replaced by one of the same or a greater revision only, so batches may come late or twice."""
        put(open_store, flow_run("flow"), task_run("task", revision=2, tags=("a",)))
        put(open_store, task_run("task", revision=1, name="older", tags=("b",)))
        with open_store.reading() as reading:
            assert reading.task_run("task") == task_run("task", revision=2, tags=("a",))
            assert reading.task_runs(TaskRunFilter(tags=("b",)), Page()) == []
        same, newer = task_run("task", revision=2, name="same"), task_run("task", state=FULL_STATE, revision=3, tags=("c",))
        for replacement in (same, newer):
            put(open_store, replacement)
            with open_store.reading() as reading:
                assert reading.task_run("task") == replacement
                assert reading.task_runs(TaskRunFilter(), Page()) == [replacement]
                assert reading.task_runs(TaskRunFilter(tags=("a",)), Page()) == []

    @pytest.mark.parametrize("state", STATES.values(), ids=STATES)
    def test_a_state_comes_back_whole(self, open_store: OpenRunStore, state: State) -> None:
        """Every field of a state is read as it was written, in the histories of both kinds of runs."""
        put(open_store, flow_run("flow", state), task_run("task"))
        with open_store.writing() as writing:
            writing.add_states(history(state, of="task"))
        with open_store.reading() as reading:
            assert reading.states("flow") == reading.states("task") == [state]

    def test_states_are_in_the_order_of_the_run(self, open_store: OpenRunStore) -> None:
        """A history is by revision, however it was written, and writing a part of it again changes nothing."""
        states = [stamped(State.pending(f"number {number}"), later(-number)) for number in range(12)]
        entries = history(*states, of="task")
        put(open_store, flow_run("flow"), task_run("task"), task_run("other"))
        with open_store.writing() as writing:
            writing.add_states(history(RUNNING, of="other"))
            writing.add_states(reversed(entries[4:]))
            writing.add_states(iter(entries))
            writing.add_states(attrs.evolve(entry, state=RUNNING) for entry in entries)
        with open_store.reading() as reading:
            assert reading.states("task") == states
            assert reading.states("other") == [RUNNING]

    def test_a_log_line_comes_back_whole(self, open_store: OpenRunStore) -> None:
        """Every field of a log line is read as it was written; of a line whose id is known, the first one stays."""
        plain = log_line("1")
        full = log_line("2", task_run_id="task", timestamp=later(0.000001), level=45, logger=STRANGE, message=f"{STRANGE}\0" * 1000)
        put(open_store, flow_run("flow"), full, plain)
        put(open_store, log_line("1", message="other"), full)
        with open_store.reading() as reading:
            assert reading.logs(LogFilter(), Page(newest_first=False)) == [plain, full]

    def test_storages(self, open_store: OpenRunStore) -> None:
        """A storage is found by its name, is replaced by its id, and takes no other's name."""
        one = NamedStorage(id="1", name="zeta", choice=Choice("s3", {"bucket": "ä"}), created=NOW, updated=NOW)
        two = attrs.evolve(one, id="2", name="alpha", is_default=True, revision=3)
        with open_store.writing() as writing:
            assert (writing.put_storage(one), writing.put_storage(two)) == (True, True)
            assert not writing.put_storage(attrs.evolve(one, name="alpha"))
            assert not writing.put_storage(attrs.evolve(one, id="3"))
        with open_store.reading() as reading:
            assert (reading.storage("zeta"), reading.storage("nobody"), reading.storages()) == (one, None, [two, one])
        changed = attrs.evolve(one, choice=Choice("s3", {"bucket": "b"}), revision=1)
        with open_store.writing() as writing:
            assert writing.put_storage(changed)
            assert (writing.delete_storage("2"), writing.delete_storage("2")) == (True, False)
        with open_store.reading() as reading:
            assert reading.storages() == [changed]

    def test_reserved_keys(self, open_store: OpenRunStore) -> None:
        """A key is known once in each storage, however its options are ordered; keys are listed in one order, and forgotten one by one or by their storage."""
        here, there = Choice("s3", {"bucket": "b", "prefix": "ä"}), Choice("gcs", {"bucket": "b"})
        keys = [Reserved(storage=storage, key=key, at=NOW) for key in ("code/1", "code/2") for storage in (there, here)]
        last = Reserved(storage=here, key="results/3/", at=later(1), removing=later(2))
        with open_store.writing() as writing:
            writing.put_reserved([*keys, last])
            again = Reserved(storage=Choice("s3", {"prefix": "ä", "bucket": "b"}), key="code/1", at=later(1))
            writing.put_reserved([again])
        with open_store.reading() as reading:
            assert by_place(reading.reserved(["code/1", "none"])) == by_place([keys[0], attrs.evolve(keys[1], at=later(1))])
            assert reading.reserved(["results/3/"]) == [last]
            old = reading.reserved_before(later(1), None, 10)
            assert by_place(old) == by_place([keys[0], *keys[2:]])
            assert reading.reserved_before(later(1), old[0], 1) == [old[1]]
            assert (reading.count_reserved(here, 10), reading.count_reserved(here, 2), reading.count_reserved(Choice("s3"), 9)) == (3, 2, 0)
        with open_store.writing() as writing:
            writing.drop_reserved([keys[0], keys[0]])
            writing.drop_reserved_in(here)
        with open_store.reading() as reading:
            assert reading.reserved(["code/1", "code/2", "results/3/"]) == [keys[2]]

    def test_borrowed_results(self, open_store: OpenRunStore) -> None:
        """Results of a run are borrowed as long as another that has taken them is remembered, said once or twice; who is not known takes none."""
        put(open_store, flow_run("taker"), flow_run("other"))
        with open_store.writing() as writing:
            for kept_by, run_id in (("a", "taker"), ("a", "taker"), ("a", "other"), ("b", "nobody")):
                writing.borrow(kept_by, run_id)
        with open_store.reading() as reading:
            assert [reading.is_borrowed(kept_by) for kept_by in ("a", "b", "c")] == [True, False, False]
        for run_id, is_borrowed in (("taker", True), ("other", False)):
            with open_store.writing() as writing:
                writing.delete_flow_run(run_id)
            with open_store.reading() as reading:
                assert reading.is_borrowed("a") is is_borrowed

    def test_archives(self, open_store: OpenRunStore) -> None:
        """What versions of deployments have of an address is told once for each storage, as long as the deployments are known."""
        archive = Archive(sha256="a" * 64, files=1, size=2)
        moved = attrs.evolve(archive, storage=Choice("s3", {"bucket": "b"}))
        one = deployment("1", code=Code(entrypoint="m:f", archive=archive))
        versions = [one, attrs.evolve(one, version=2, code=Code(entrypoint="m:g", archive=moved))]
        versions.append(attrs.evolve(one, version=3, code=Code(entrypoint="m:f", archive=archive)))
        with open_store.writing() as writing:
            writing.put_deployment(one)
            for each in versions:
                writing.add_deployment_version(each)
        with open_store.reading() as reading:
            assert sorted(map(repr, reading.archives("a" * 64))) == sorted(map(repr, [archive, moved]))
            assert reading.archives("b" * 64) == []
        with open_store.writing() as writing:
            writing.delete_deployment("1")
        with open_store.reading() as reading:
            assert reading.archives("a" * 64) == []

    def test_tokens(self, open_store: OpenRunStore) -> None:
        """A token is kept whole; a known id stays as it is, and one that is deleted is gone."""
        full = Token(id="b", name=STRANGE, scope=Scope.ADMIN, created=NOW, expires=later(1), digest=digest_of("secret"))
        plain = Token(id="a", name="plain", scope=Scope.VIEWER, created=NOW, digest=digest_of("other"))
        with open_store.writing() as writing:
            assert (writing.add_token(full), writing.add_token(plain), writing.add_token(attrs.evolve(full, name="else"))) == (
                True,
                True,
                False,
            )
        with open_store.reading() as reading:
            assert (reading.token("b"), reading.token("gone"), reading.tokens()) == (full, None, [plain, full])
        with open_store.writing() as writing:
            assert (writing.delete_token("b"), writing.delete_token("b")) == (True, False)
        with open_store.reading() as reading:
            assert (reading.token("b"), reading.tokens()) == (None, [plain])

    def test_a_task_run_stays_where_it_is(self, open_store: OpenRunStore) -> None:
        """Nobody takes a task run out of its flow run by writing one of the same id in another."""
        put(open_store, flow_run("flow"), flow_run("other"), task_run("task"))
        with open_store.writing() as writing:
            writing.put_task_runs([attrs.evolve(task_run("task", of="other"), revision=9)])
        with open_store.reading() as reading:
            assert reading.task_run("task") == task_run("task")

    def test_lines_are_numbered_as_they_arrive(self, open_store: OpenRunStore) -> None:
        """Lines of a run come in the order in which they were written, each once, whatever their ids and whoever wrote them between; a line
        that is written again keeps its place."""
        put(open_store, flow_run("flow"), flow_run("other"), log_line("5"), log_line("3"))
        put(open_store, log_line("9", of="other"), log_line("4"), log_line("5", message="again"))
        with open_store.reading() as reading:
            (first, one), (second, two) = reading.arrivals("flow", 0, 2)
            ((third, three),) = reading.arrivals("flow", second, 10)
            assert (one.id, two.id, three.id) == ("5", "3", "4")
            assert first < second < third
            assert (reading.arrivals("flow", third, 10), reading.arrivals("flow", 0, 0), reading.arrivals("gone", 0, 10)) == ([], [], [])
        put(open_store, log_line("1"))
        with open_store.writing() as writing:
            writing.delete_flow_run("other")
            writing.add_logs([log_line("2")])
        with open_store.reading() as reading:
            assert [line.id for _, line in reading.arrivals("flow", third, 10)] == ["1", "2"]

    def test_a_log_line_cannot_be_refused(self, open_store: OpenRunStore) -> None:
        """A line with what is no text (a name of a file that no encoding fits) is kept as it can be, and so are those beside it."""
        put(open_store, flow_run("flow"), *(log_line(message[0], message=message) for message in ("1", "2 \udcff", "3")))
        with open_store.reading() as reading:
            first, broken, third = reading.logs(LogFilter(), Page(newest_first=False))
        assert (first.message, third.message) == ("1", "3")
        assert broken.message.startswith("2 ")

    def test_what_belongs_to_no_run_is_left_out(self, open_store: OpenRunStore) -> None:
        """What comes after its run was deleted leaves nothing behind, and what comes with it is written."""
        with open_store.writing() as writing:
            writing.add_flow_run(flow_run("flow"))
            writing.put_task_runs([task_run("1"), task_run("2", of="gone"), task_run("3")])
            writing.add_states(history(RUNNING, of="1") + history(RUNNING, of="2") + history(RUNNING, of="3"))
            writing.add_logs([log_line("1"), log_line("2", of="gone"), log_line("3")])
            writing.remember("move", "gone", refused("no"))
            writing.grant_lease("gone", epoch=1, holder="me", seconds=HOUR)
            writing.put_work_queue(work_queue("queue"))
            writing.assign("gone", ["queue"])
            writing.keep_cached("key", FULL_STATE, "2")
            writing.set_limit("tag", 1)
            writing.hold_slots("2", ["tag"], root_id="flow", epoch=1)
        with open_store.reading() as reading:
            assert ids(reading.task_runs(TaskRunFilter(), Page())) == ["3", "1"]
            assert ids(reading.logs(LogFilter(), Page())) == ["3", "1"]
            assert [len(reading.states(run_id)) for run_id in "123"] == [1, 0, 1]
            assert (reading.verdict("move"), reading.lease("gone"), reading.cached("key", NOW)) == (None, None, None)
            assert (reading.due("queue", NOW, 10), reading.in_use("queue"), reading.held_by("me")) == ([], 0, [])
            assert reading.limits() == [ConcurrencyLimit(tag="tag", limit=1)]

    # Lists

    @pytest.mark.parametrize(("fields", "fits"), alone_and_combined(FLOW_RUN_FILTERS))
    def test_flow_runs_are_filtered(self, open_store: OpenRunStore, fields: dict[str, Any], fits: Callable[[FlowRun], bool]) -> None:
        """A filter's fields are all asked for at once: of tags a run has all, of any other field one."""
        put(open_store, *LISTED_FLOW_RUNS, work_queue("q", name="waiting"))
        with open_store.writing() as writing:
            for run_id in WAITING:
                writing.assign(run_id, ["q"])
        with open_store.reading() as reading:
            found = reading.flow_runs(FlowRunFilter(**fields), Page(newest_first=False))
            newest = reading.flow_runs(FlowRunFilter(**fields), Page(limit=2))
        assert found == [run for run in LISTED_FLOW_RUNS if fits(run)]
        assert newest == found[:-3:-1]

    def test_flow_runs_are_counted(self, open_store: OpenRunStore) -> None:
        """By type and name of their state; of all flows and deployments, or of some, and of whole hours, of which the first and the last are counted."""
        runs = [
            flow_run("a", RUNNING),
            flow_run("b", RUNNING, created=later(-HOUR), flow_name=STRANGE),
            flow_run("c", stamped(State.scheduled(NOW, name="Late")), created=later(HOUR), deployment_id="daily"),
            flow_run("d", SCHEDULED, created=later(HOUR), deployment_id="daily", flow_name="all"),
            flow_run("e", SCHEDULED, created=NOW.astimezone(timezone(timedelta(hours=5, minutes=30))), deployment_id="flow etl"),
        ]
        put(open_store, *runs)
        for wanted, counted in (
            (CountFilter(), "abcde"),
            (CountFilter(flow_names=("etl",)), "ace"),
            (CountFilter(flow_names=("etl", STRANGE, "nothing")), "abce"),
            (CountFilter(flow_names=("all",)), "d"),
            (CountFilter(deployment_ids=("daily",)), "cd"),
            (CountFilter(deployment_ids=("daily", "flow etl"), flow_names=("etl",)), "ce"),
            (CountFilter(deployment_ids=("nothing",)), ""),
            (CountFilter(created_after=NOW), "acde"),
            (CountFilter(created_after=later(-HOUR / 2)), "acde"),
            (CountFilter(created_before=NOW), "abe"),
            (CountFilter(created_before=later(HOUR / 2 - 60)), "abe"),
            (CountFilter(created_after=later(HOUR), created_before=later(HOUR)), "cd"),
            (CountFilter(created_after=later(-HOUR), created_before=NOW, flow_names=("etl",)), "ae"),
            (CountFilter(created_after=later(HOUR), created_before=NOW), ""),
        ):
            with open_store.reading() as reading:
                assert reading.count_flow_runs(wanted) == counts_of([run for run in runs if run.id in counted])

    def test_counts_follow_the_runs(self, open_store: OpenRunStore) -> None:
        """A run is counted in the state that it is in, and nowhere when it was deleted, with its subflows, or was not written; a second one with
        its id does not count."""
        put(open_store, flow_run("a"), flow_run("b", root_id="a"), flow_run("c"))
        seen = []
        with open_store.writing() as writing:
            assert not writing.add_flow_run(flow_run("a", RUNNING))
            assert not writing.update_flow_run(flow_run("a").entering(RUNNING), was=7)
            seen.append(writing.count_flow_runs(CountFilter()))
            assert writing.update_flow_run(flow_run("a").entering(RUNNING), was=1)
            seen.append(writing.count_flow_runs(CountFilter()))
            assert writing.update_flow_run(
                attrs.evolve(flow_run("a", RUNNING, revision=3), flow_name="other", deployment_id="daily"), was=2
            )
            seen.append(writing.count_flow_runs(CountFilter(flow_names=("other",), deployment_ids=("daily",))))
            seen.append(writing.count_flow_runs(CountFilter(flow_names=("etl",))))
        with suppress(Interrupted), open_store.writing() as writing:
            writing.delete_flow_run("c")
            raise Interrupted
        with open_store.writing() as writing:
            writing.delete_flow_run("a")
            seen.append(writing.count_flow_runs(CountFilter()))
        scheduled = StateCount(type=StateType.SCHEDULED, name="Scheduled", count=1)
        running = StateCount(type=StateType.RUNNING, name="Running", count=1)
        two = attrs.evolve(scheduled, count=2)
        assert seen == [[attrs.evolve(scheduled, count=3)], [running, two], [running], [two], [scheduled]]

    def test_flows_have_names(self, open_store: OpenRunStore) -> None:
        """Those of runs and of deployments, each once, in their order; with a text in them, whatever the case of letters from A to Z."""
        put(
            open_store,
            *(flow_run(f"{number}", flow_name=name) for number, name in enumerate(("etl", "Ärger_1", "ETL_2", "etl", "%", STRANGE))),
        )
        put(open_store, deployment("a", flow_name="etl"), deployment("b", flow_name="betel", name="b"))
        names = sorted({"etl", "Ärger_1", "ETL_2", "%", STRANGE, "betel"})
        with open_store.reading() as reading:
            assert reading.flow_names(FlowFilter(), 10) == names
            assert [reading.flow_names(FlowFilter(after=names[1]), limit) for limit in (2, 0, -1)] == [names[2:4], [], []]
            asked = {"eTl": {"ETL_2", "etl"}, "ärg": set(), "RGE": {"Ärger_1"}, "_1": {"Ärger_1"}, "b%": set(), "": set(names)}
            for text, found in asked.items():
                assert reading.flow_names(FlowFilter(text=text), 10) == sorted(found), text
        with open_store.writing() as writing:
            writing.delete_flow_run("2")
            assert "ETL_2" not in writing.flow_names(FlowFilter(), 10)

    def test_what_ended_is_counted(self, open_store: OpenRunStore) -> None:
        """Root runs that have ended, made until a moment, that one included, behind an id; no further than is asked, and none that is under way."""
        ended = stamped(State.completed())
        put(open_store, *(flow_run(f"a{number}", ended, created=later(HOUR * number)) for number in range(4)))
        put(open_store, flow_run("b", RUNNING), flow_run("c", ended, root_id="b"), flow_run("d", stamped(State.failed())))
        with open_store.reading() as reading:
            counts = [reading.count_ended(later(HOUR * hours), after, most) for hours, after, most in _COUNTED_UNTIL]
            assert reading.count_ended(NOW - timedelta(days=1), "", 10) == 0
        assert counts == [2, 4, 5, 3, 2, 0, 1]
        with open_store.writing() as writing:
            writing.update_flow_run(flow_run("b", RUNNING).entering(ended), was=1)
            writing.delete_flow_run("a0")
            assert writing.count_ended(later(0), "", 10) == 2

    @pytest.mark.parametrize(("fields", "fits"), alone_and_combined(TASK_RUN_FILTERS))
    def test_task_runs_are_filtered(self, open_store: OpenRunStore, fields: dict[str, Any], fits: Callable[[TaskRun], bool]) -> None:
        """A filter's fields are all asked for at once: of tags a run has all, of any other field one."""
        put(open_store, *(flow_run(f"flow-{letter}") for letter in TAGGED), *LISTED_TASK_RUNS)
        with open_store.reading() as reading:
            found = reading.task_runs(TaskRunFilter(**fields), Page(newest_first=False))
            newest = reading.task_runs(TaskRunFilter(**fields), Page(limit=2))
        assert found == [run for run in LISTED_TASK_RUNS if fits(run)]
        assert newest == found[:-3:-1]

    @pytest.mark.parametrize(("fields", "fits"), alone_and_combined(LOG_FILTERS))
    def test_logs_are_filtered(self, open_store: OpenRunStore, fields: dict[str, Any], fits: Callable[[LogLine], bool]) -> None:
        """A filter's fields are all asked for at once; text is found as it is written, case and all."""
        put(open_store, *(flow_run(f"flow-{letter}") for letter in TAGGED), *LISTED_LOGS)
        with open_store.reading() as reading:
            found = reading.logs(LogFilter(**fields), Page(newest_first=False))
            newest = reading.logs(LogFilter(**fields), Page(limit=2))
        assert found == [line for line in LISTED_LOGS if fits(line)]
        assert newest == found[:-3:-1]

    @pytest.mark.parametrize("newest_first", [True, False])
    @pytest.mark.parametrize("fields", [{}, {"flow_run_ids": ("flow-a", "flow-b", "flow-c", "flow-e")}], ids=["all", "some"])
    def test_pages_meet_every_row_once(self, open_store: OpenRunStore, fields: dict[str, Any], *, newest_first: bool) -> None:
        """Page after page gives every row that fits once, in order of their ids, also while rows are added where the reader has been."""
        put(open_store, *(flow_run(f"flow-{letter}") for letter in TAGGED), *LISTED_TASK_RUNS)
        expected = [run.id for run in LISTED_TASK_RUNS if run.flow_run_id in fields.get("flow_run_ids", (run.flow_run_id,))]

        def ask(page: Page) -> list[TaskRun]:
            with open_store.reading() as reading:
                return reading.task_runs(TaskRunFilter(**fields), page)

        met: list[str] = []
        for number, page in enumerate(pages(ask, limit=3, newest_first=newest_first)):
            assert len(page) <= 3
            met += ids(page)
            passed = "z" if newest_first else "0"
            put(open_store, task_run(f"{passed}-{number}", of="flow-a"))
        assert met == (expected[::-1] if newest_first else expected)

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_flow_runs_and_logs_have_pages_too(self, open_store: OpenRunStore, *, newest_first: bool) -> None:
        """Flow runs and log lines come in pages like task runs, and a page of no rows has none."""
        put(open_store, *LISTED_FLOW_RUNS, *(attrs.evolve(line, flow_run_id=line.id) for line in LISTED_LOGS))
        expected = sorted(ids(LISTED_FLOW_RUNS), reverse=newest_first)
        types = (StateType.SCHEDULED, StateType.RUNNING, StateType.COMPLETED)
        with open_store.reading() as reading:
            asked: list[Callable[[Page], list[FlowRun]]] = [
                lambda page: reading.flow_runs(FlowRunFilter(), page),
                lambda page: reading.flow_runs(FlowRunFilter(state_types=types), page),
            ]
            for ask in asked:
                assert ids(run for page in pages(ask, limit=7, newest_first=newest_first) for run in page) == expected
            lines = pages(lambda page: reading.logs(LogFilter(), page), limit=7, newest_first=newest_first)
            assert ids(line for page in lines for line in page) == expected
            assert reading.flow_runs(FlowRunFilter(), Page(limit=0)) == []
            assert reading.logs(LogFilter(), Page(limit=0)) == []

    @pytest.mark.parametrize(("fields", "fits"), alone_and_combined(DEPLOYMENT_FILTERS))
    def test_deployments_are_filtered(self, open_store: OpenRunStore, fields: dict[str, Any], fits: Callable[[Deployment], bool]) -> None:
        """A filter's fields are all asked for at once: of tags a deployment has all, of any other field one."""
        put(open_store, *reversed(LISTED_DEPLOYMENTS))
        with open_store.reading() as reading:
            found = reading.deployments(DeploymentFilter(**fields), Page(newest_first=False))
            newest = reading.deployments(DeploymentFilter(**fields), Page(limit=2))
        assert found == [each for each in LISTED_DEPLOYMENTS if fits(each)]
        assert newest == found[:-3:-1]

    @pytest.mark.parametrize(("fields", "fits"), alone_and_combined(WORK_QUEUE_FILTERS))
    def test_work_queues_are_filtered(self, open_store: OpenRunStore, fields: dict[str, Any], fits: Callable[[WorkQueue], bool]) -> None:
        """A filter's fields are all asked for at once, one of each."""
        put(open_store, *reversed(LISTED_WORK_QUEUES))
        with open_store.reading() as reading:
            found = reading.work_queues(WorkQueueFilter(**fields), Page(newest_first=False))
            newest = reading.work_queues(WorkQueueFilter(**fields), Page(limit=2))
        assert found == [queue for queue in LISTED_WORK_QUEUES if fits(queue)]
        assert newest == found[:-3:-1]

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_deployments_and_work_queues_have_pages_too(self, open_store: OpenRunStore, *, newest_first: bool) -> None:
        """Deployments and work queues come in pages like runs, and a page of no rows has none."""
        put(open_store, *LISTED_DEPLOYMENTS, *LISTED_WORK_QUEUES)
        names = tuple(f"name-{number}" for number in range(4))
        with open_store.reading() as reading:
            asked: list[Callable[[Page], list[Deployment]]] = [
                lambda page: reading.deployments(DeploymentFilter(), page),
                lambda page: reading.deployments(DeploymentFilter(names=names), page),
            ]
            for ask in asked:
                met = ids(each for page in pages(ask, limit=7, newest_first=newest_first) for each in page)
                assert met == sorted(ids(LISTED_DEPLOYMENTS), reverse=newest_first)
            queues = pages(lambda page: reading.work_queues(WorkQueueFilter(), page), limit=5, newest_first=newest_first)
            assert ids(queue for page in queues for queue in page) == sorted(ids(LISTED_WORK_QUEUES), reverse=newest_first)
            assert reading.deployments(DeploymentFilter(), Page(limit=0)) == []
            assert reading.work_queues(WorkQueueFilter(), Page(limit=0)) == []

    # Verdicts

    @pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS)
    def test_a_verdict_is_remembered(self, open_store: OpenRunStore, verdict: Verdict) -> None:
        """What came of a move is read as it was written; the first answer stays."""
        put(open_store, flow_run("flow"))
        with open_store.writing() as writing:
            writing.remember("move", "flow", verdict)
            writing.remember("move", "flow", refused("other"))
            assert writing.verdict("move") == verdict
        with open_store.reading() as reading:
            assert reading.verdict("move") == verdict
            assert reading.verdict("other") is None

    def test_a_verdict_of_a_strange_name_is_remembered(self, open_store: OpenRunStore) -> None:
        """Whoever asks makes the id of a move or a claim."""
        put(open_store, flow_run("flow"))
        with open_store.writing() as writing:
            writing.remember(f"{STRANGE}\udcff", "flow", accepted(RUNNING))
        with open_store.reading() as reading:
            assert reading.verdict(f"{STRANGE}\udcff") == accepted(RUNNING)
            assert reading.verdict(STRANGE) is None

    # Leases

    def test_what_was_not_ended_is_lost(self, open_store: OpenRunStore) -> None:
        """Lost are runs whose lease ran out by itself, in order of their ids; not those whose lease lives, or was ended, or never was."""
        put(open_store, *(flow_run(run_id) for run_id in "12345"))
        with open_store.writing() as writing:
            for run_id in "4321":
                writing.grant_lease(run_id, epoch=1, holder="me", seconds=HOUR)
            writing.end_lease("4")
            assert writing.lost(10) == []
        for run_id in "312":
            self.expire(open_store, run_id)
        with open_store.writing() as writing:
            assert ids(writing.lost(10)) == ["1", "2", "3"]
            assert ids(writing.lost(2)) == ["1", "2"]
            writing.end_lease("1")
            assert writing.renew_lease("2", epoch=1, seconds=HOUR)
        with open_store.reading() as reading:
            assert ids(reading.lost(10)) == ["3"]

    @pytest.fixture
    def leased(self, open_store: OpenRunStore) -> OpenRunStore:
        put(open_store, flow_run("flow"))
        with open_store.writing() as writing:
            writing.grant_lease("flow", epoch=1, holder=STRANGE, seconds=HOUR)
        return open_store

    def test_a_lease_is_granted(self, leased: OpenRunStore) -> None:
        """A lease that was granted says who has it, for the how-manieth time, and that it lives."""
        with leased.reading() as reading:
            assert reading.lease("flow") == Lease(run_id="flow", epoch=1, holder=STRANGE, live=True)

    def test_a_lease_is_taken_over(self, leased: OpenRunStore) -> None:
        """Granting it anew takes it from its holder, whose epoch renews nothing any more."""
        with leased.writing() as writing:
            writing.grant_lease("flow", epoch=2, holder="you", seconds=HOUR)
            assert not writing.renew_lease("flow", epoch=1, seconds=HOUR)
            assert writing.renew_lease("flow", epoch=2, seconds=HOUR)
            assert writing.lease("flow") == Lease(run_id="flow", epoch=2, holder="you", live=True)

    def test_an_expired_lease_can_be_renewed(self, leased: OpenRunStore) -> None:
        """Expiry makes a lease takeable and nothing else: while nobody took it, its holder's renewal brings it back."""
        self.expire(leased, "flow")
        with leased.reading() as reading:
            expired = reading.lease("flow")
        with leased.writing() as writing:
            assert writing.renew_lease("flow", epoch=1, seconds=HOUR)
        with leased.reading() as reading:
            renewed = reading.lease("flow")
        assert expired == Lease(run_id="flow", epoch=1, holder=STRANGE, live=False)
        assert renewed == Lease(run_id="flow", epoch=1, holder=STRANGE, live=True)

    def test_an_ended_lease_keeps_its_epoch(self, leased: OpenRunStore) -> None:
        """A lease that was ended lives no more and keeps its epoch; its last holder may bring it back, an earlier one not."""
        with leased.writing() as writing:
            writing.end_lease("flow")
            writing.end_lease("unknown")
        with leased.reading() as reading:
            assert reading.lease("flow") == Lease(run_id="flow", epoch=1, holder=STRANGE, live=False)
        with leased.writing() as writing:
            assert not writing.renew_lease("flow", epoch=0, seconds=HOUR)
            assert writing.renew_lease("flow", epoch=1, seconds=HOUR)
            assert not writing.renew_lease("unknown", epoch=1, seconds=HOUR)
            assert writing.lease("flow") == Lease(run_id="flow", epoch=1, holder=STRANGE, live=True)

    def test_runs_are_found_by_their_holder(self, open_store: OpenRunStore) -> None:
        """The runs that a holder has, or had last, are found by its name as it is written, in order of their ids."""
        put(open_store, *(flow_run(run_id) for run_id in ("c", "a", "b", "lost", "ended", "taken", "yours", "nobody's")))
        with open_store.writing() as writing:
            for run_id in ("c", "a", "b", "lost", "ended", "taken"):
                writing.grant_lease(run_id, epoch=1, holder=STRANGE, seconds=HOUR)
            writing.grant_lease("yours", epoch=1, holder=STRANGE.upper(), seconds=HOUR)
            writing.end_lease("ended")
            writing.grant_lease("taken", epoch=2, holder="you", seconds=HOUR)
            assert writing.held_by("you") == [flow_run("taken")]
        self.expire(open_store, "lost")
        with open_store.writing() as writing:
            assert writing.update_flow_run(flow_run("b").entering(RUNNING), was=1)
            assert writing.delete_flow_run("c")
        with open_store.reading() as reading:
            held = reading.held_by(STRANGE)
            assert ids(held) == ["a", "b", "ended", "lost"]
            assert held[1] == flow_run("b").entering(RUNNING)
            assert ids(reading.held_by(STRANGE.upper())) == ["yours"]
            assert reading.held_by(STRANGE[:-1]) == []

    # Limits and slots

    @pytest.fixture
    def limited(self, leased: OpenRunStore) -> OpenRunStore:
        put(leased, flow_run("other"), *(task_run(run_id) for run_id in "123"), task_run("4", of="other"))
        with leased.writing() as writing:
            writing.grant_lease("other", epoch=5, holder="you", seconds=HOUR)
            writing.set_limit("b", 2)
            writing.set_limit("a", 0)
            writing.hold_slots("2", ["b"], root_id="flow", epoch=1)
            writing.hold_slots("1", ["b", "a", "unlimited"], root_id="flow", epoch=1)
            writing.hold_slots("4", ["b"], root_id="other", epoch=5)
        return leased

    def limit(self, reading: Reading, tag: str) -> tuple[int, tuple[str, ...]]:
        """A tag's limit and who holds its slots."""
        (limit,) = reading.limits([tag])
        return limit.limit, limit.holders

    def test_limits_are_listed(self, limited: OpenRunStore) -> None:
        """Limits come by tag, sorted, all or those asked for, each with its holders, sorted; a tag without a limit has no row."""
        a, b = ConcurrencyLimit(tag="a", limit=0, holders=("1",)), ConcurrencyLimit(tag="b", limit=2, holders=("1", "2", "4"))
        with limited.reading() as reading:
            assert reading.limits() == [a, b]
            assert reading.limits(iter(["b", "unlimited", "b"])) == [b]
            assert reading.limits([]) == []

    def test_limits_are_changed_and_deleted(self, limited: OpenRunStore) -> None:
        """Setting a limit again changes it and keeps its holders; one that was deleted is there no more."""
        with limited.writing() as writing:
            writing.set_limit("b", 7)
            assert writing.delete_limit("a")
            assert not writing.delete_limit("a")
        with limited.reading() as reading:
            assert reading.limits() == [ConcurrencyLimit(tag="b", limit=7, holders=("1", "2", "4"))]

    def test_slots_are_freed(self, limited: OpenRunStore) -> None:
        """A task run that was freed holds no slot of any tag; freeing twice, or what holds nothing, changes nothing."""
        with limited.writing() as writing:
            writing.free_slots(iter(["1", "3", "nowhere"]))
            writing.free_slots(["1"])
        with limited.reading() as reading:
            assert self.limit(reading, "a") == (0, ())
            assert self.limit(reading, "b") == (2, ("2", "4"))

    def test_slots_are_held_once(self, limited: OpenRunStore) -> None:
        """Holding again counts once, and for the tags of the last time only."""
        with limited.writing() as writing:
            writing.hold_slots("1", ["b", "b"], root_id="flow", epoch=1)
        with limited.reading() as reading:
            assert self.limit(reading, "a") == (0, ())
            assert self.limit(reading, "b") == (2, ("1", "2", "4"))

    def test_slots_live_as_long_as_the_lease(self, limited: OpenRunStore) -> None:
        """A slot counts while the lease of its epoch lives: not when it expired, again when it was renewed, no more when it was taken or ended."""
        self.expire(limited, "flow")
        with limited.reading() as reading:
            assert self.limit(reading, "b") == (2, ("4",))
        with limited.writing() as writing:
            writing.renew_lease("flow", epoch=1, seconds=HOUR)
            assert self.limit(writing, "b") == (2, ("1", "2", "4"))
            writing.grant_lease("flow", epoch=2, holder="you", seconds=HOUR)
            assert self.limit(writing, "b") == (2, ("4",))
            writing.hold_slots("2", ["b"], root_id="flow", epoch=2)
            assert self.limit(writing, "b") == (2, ("2", "4"))
            writing.end_lease("other")
            assert self.limit(writing, "b") == (2, ("2",))

    # The cache

    def test_the_newest_unexpired_state_is_found(self, open_store: OpenRunStore) -> None:
        """Of the states under a cache key, the one kept last that has not expired is found; others' keys play no part."""
        put(open_store, flow_run("flow"), *(task_run(run_id) for run_id in "1234"))
        done = stamped(State.completed(message="for ever"))
        kept = [done, *(attrs.evolve(done, message=f"for {hours} h", cache_expiration=later(hours * HOUR)) for hours in (3, 1))]
        with open_store.writing() as writing:
            for run_id, state in zip("123", kept, strict=True):
                writing.keep_cached(STRANGE, state, run_id)
            writing.keep_cached("other", FULL_STATE, "4")
        with open_store.reading() as reading:
            assert reading.cached(STRANGE, NOW) == kept[2]
            assert reading.cached(STRANGE, later(HOUR)) == kept[1]
            assert reading.cached(STRANGE, later(2 * HOUR)) == kept[1]
            assert reading.cached(STRANGE, later(4 * HOUR)) == kept[0]
            assert reading.cached("other", NOW) == FULL_STATE
            assert reading.cached("nobody's", NOW) is None

    def test_a_run_keeps_one_state_under_a_key(self, open_store: OpenRunStore) -> None:
        """What a task run keeps again under a key replaces what it kept there."""
        put(open_store, flow_run("flow"), task_run("1"))
        brief = attrs.evolve(stamped(State.completed()), cache_expiration=later(1))
        with open_store.writing() as writing:
            writing.keep_cached("key", stamped(State.completed()), "1")
            writing.keep_cached("key", brief, "1")
        with open_store.reading() as reading:
            assert reading.cached("key", NOW) == brief
            assert reading.cached("key", later(2)) is None

    # Deployments

    @pytest.mark.parametrize("whole", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
    def test_a_deployment_comes_back_whole(self, open_store: OpenRunStore, whole: Deployment) -> None:
        """Every field of a deployment is read as it was written, by itself and in a list, inside the transaction and after it."""
        with open_store.writing() as writing:
            assert writing.put_deployment(whole)
            assert writing.deployment("deployment") == whole
        with open_store.reading() as reading:
            assert reading.deployment("deployment") == whole
            assert reading.deployments(DeploymentFilter(), Page()) == [whole]
            wanted = DeploymentFilter(names=(whole.name,), flow_names=(whole.flow_name,), tags=whole.tags)
            assert reading.deployments(wanted, Page()) == [whole]

    def test_a_deployment_is_replaced(self, open_store: OpenRunStore) -> None:
        """Putting a deployment again replaces it, and it is found by what it is now; its old name is free."""
        put(open_store, deployment("one", name="old", tags=("a",)))
        now = deployment("one", name="new", flow_name="other", tags=("b",), description="changed", updated=later(1))
        put(open_store, now, deployment("two", name="old"))
        with open_store.reading() as reading:
            assert reading.deployment("one") == now
            assert reading.deployments(DeploymentFilter(names=("new",), flow_names=("other",), tags=("b",)), Page()) == [now]
            assert ids(reading.deployments(DeploymentFilter(names=("old",)), Page())) == ["two"]
            assert reading.deployments(DeploymentFilter(tags=("a",)), Page()) == []

    def test_a_deployment_has_its_name_for_itself(self, open_store: OpenRunStore) -> None:
        """Another deployment of the flow's with the same name is refused, new or renamed, and nothing is changed; case counts."""
        first, second = deployment("one", name="daily", tags=("a",)), deployment("two", name="Daily", tags=("a",))
        put(open_store, first, second, deployment("three", name="daily", flow_name="ETL"))
        with open_store.writing() as writing:
            assert not writing.put_deployment(deployment("new", name="daily", tags=("b",)))
            assert not writing.put_deployment(attrs.evolve(second, name="daily", tags=("b",), retries=9))
            assert writing.put_deployment(attrs.evolve(first, retries=1))
        with open_store.reading() as reading:
            assert reading.deployments(DeploymentFilter(tags=("a",)), Page()) == [second, attrs.evolve(first, retries=1)]
            assert reading.deployments(DeploymentFilter(tags=("b",)), Page()) == []
            assert reading.deployment("new") is None

    def test_a_deleted_deployment_leaves_its_runs(self, open_store: OpenRunStore) -> None:
        """A deployment that was deleted is there no more and its name is free; its runs stay as they are, in their queues."""
        run = flow_run("flow", deployment_id="one")
        put(open_store, deployment("one", name="daily"), deployment("two"), work_queue("queue"), run)
        with open_store.writing() as writing:
            writing.assign("flow", ["queue"])
            assert writing.delete_deployment("one")
            assert not writing.delete_deployment("one")
            assert writing.put_deployment(deployment("three", name="daily"))
        with open_store.reading() as reading:
            assert reading.deployment("one") is None
            assert ids(reading.deployments(DeploymentFilter(), Page(newest_first=False))) == ["three", "two"]
            assert reading.flow_runs(FlowRunFilter(deployment_ids=("one",)), Page()) == [run]
            assert reading.due("queue", NOW, 10) == [run]

    def test_versions_of_a_deployment_are_remembered(self, open_store: OpenRunStore) -> None:
        """Each comes back whole, the newest first, and stays what it was; they go with the deployment, and none is kept of one that is not known."""
        made = [deployment("one", version=version, description=STRANGE * version) for version in (1, 2, 10)]
        with open_store.writing() as writing:
            writing.add_deployment_version(made[0])
            assert writing.put_deployment(made[2])
            for each in made:
                writing.add_deployment_version(each)
            writing.add_deployment_version(attrs.evolve(made[0], description="changed"))
            assert writing.deployment_versions("one", 2) == [made[2], made[1]]
        with open_store.reading() as reading:
            assert reading.deployment_versions("one", 10) == made[::-1]
            assert [reading.deployment_versions("one", limit) for limit in (0, -1)] == [[], []]
            assert reading.deployment_versions("two", 10) == []
        with open_store.writing() as writing:
            assert writing.delete_deployment("one")
            assert writing.deployment_versions("one", 10) == []

    # Work queues

    @pytest.mark.parametrize("queue", WORK_QUEUES.values(), ids=WORK_QUEUES)
    def test_a_work_queue_comes_back_whole(self, open_store: OpenRunStore, queue: WorkQueue) -> None:
        """Every field of a work queue is read as it was written, by itself and in a list, inside the transaction and after it."""
        with open_store.writing() as writing:
            assert writing.put_work_queue(queue)
            assert writing.work_queue("queue") == queue
        with open_store.reading() as reading:
            assert reading.work_queue("queue") == queue
            assert reading.work_queues(WorkQueueFilter(), Page()) == [queue]
            assert reading.work_queues(WorkQueueFilter(names=(queue.name,)), Page()) == [queue]

    def test_a_work_queue_has_its_name_for_itself(self, open_store: OpenRunStore) -> None:
        """Another queue with the same name is refused, new or renamed, and nothing is changed; case counts, and an old name is free."""
        first, second = work_queue("one", name="fast"), work_queue("two", name="Fast")
        put(open_store, first, second)
        with open_store.writing() as writing:
            assert not writing.put_work_queue(work_queue("new", name="fast"))
            assert not writing.put_work_queue(attrs.evolve(second, name="fast", is_paused=True))
        with open_store.reading() as reading:
            assert reading.work_queues(WorkQueueFilter(), Page()) == [second, first]
        renamed = attrs.evolve(first, name="slow", is_paused=True)
        put(open_store, renamed, work_queue("new", name="fast"))
        with open_store.reading() as reading:
            assert reading.work_queue("one") == renamed
            assert ids(reading.work_queues(WorkQueueFilter(names=("fast", "slow")), Page(newest_first=False))) == ["new", "one"]

    def test_a_work_queue_keeps_its_runs(self, open_store: OpenRunStore) -> None:
        """A queue that is put again keeps what is assigned to it; one that is deleted does not, nor does one that comes after it."""
        put(open_store, work_queue("one"), work_queue("two"), flow_run("flow"), flow_run("held"))
        with open_store.writing() as writing:
            writing.grant_lease("held", epoch=1, holder="me", seconds=HOUR)
            writing.assign("flow", ["one", "two"])
            writing.assign("held", ["one", "two"])
        put(open_store, work_queue("one", name="other", is_paused=True))
        with open_store.writing() as writing:
            assert (ids(writing.due("one", NOW, 10)), writing.in_use("one")) == (["flow"], 1)
            assert writing.delete_work_queue("one")
            assert not writing.delete_work_queue("one")
        put(open_store, work_queue("one"))
        with open_store.reading() as reading:
            assert (ids(reading.due("one", NOW, 10)), reading.in_use("one")) == ([], 0)
            assert (ids(reading.due("two", NOW, 10)), reading.in_use("two")) == (["flow"], 1)
            assert reading.flow_run("flow") == flow_run("flow")

    # What is due

    def put_due(self, opened: OpenRunStore, runs: Mapping[str, datetime | None]) -> None:
        """Puts runs that are SCHEDULED into the queue."""
        put(opened, *(flow_run(run_id, attrs.evolve(SCHEDULED, scheduled_time=moment)) for run_id, moment in runs.items()))
        with opened.writing() as writing:
            writing.put_work_queue(work_queue("queue"))
            for run_id in runs:
                writing.assign(run_id, ["queue"])

    def test_due_runs_come_earliest_first(self, open_store: OpenRunStore) -> None:
        """Runs of a queue that are due come in order of their moments, then of their ids, up to the last moment and the limit."""
        whole = NOW.replace(microsecond=0)
        elsewhere = timezone(timedelta(hours=5, minutes=30))
        moments = {
            "z": whole - timedelta(hours=5),
            "a": whole,
            "d": whole + timedelta(microseconds=1),
            "c": (whole + timedelta(microseconds=1)).astimezone(elsewhere),
            "e": (whole + timedelta(milliseconds=100)).astimezone(elsewhere),
            "b": whole + timedelta(seconds=1),
            "late": whole + timedelta(seconds=1, microseconds=1),
            "never": None,
        }
        self.put_due(open_store, moments)
        with open_store.reading() as reading:
            due = reading.due("queue", whole + timedelta(seconds=1), 10)
            assert ids(due) == ["z", "a", "c", "d", "e", "b"]
            assert due[0] == flow_run("z", attrs.evolve(SCHEDULED, scheduled_time=moments["z"]))
            assert ids(reading.due("queue", (whole + timedelta(microseconds=1)).astimezone(elsewhere), 10)) == ["z", "a", "c", "d"]
            assert ids(reading.due("queue", whole, 10)) == ["z", "a"]
            assert ids(reading.due("queue", datetime.max.replace(tzinfo=UTC), 10))[-1] == "late"
            assert ids(reading.due("queue", datetime.max.replace(tzinfo=UTC), 3)) == ["z", "a", "c"]
            assert reading.due("queue", datetime.min.replace(tzinfo=UTC), 10) == []
            assert [reading.due("queue", NOW, limit) for limit in (0, -1)] == [[], []]
            end = datetime.max.replace(tzinfo=UTC)
            after = [
                (each.state.scheduled_time, each.id) for each in reading.due("queue", end, 10) if each.state.scheduled_time is not None
            ]
            for place, position in enumerate(after):
                assert ids(reading.due("queue", end, 10, after=position)) == [run_id for _, run_id in after[place + 1 :]]
                assert ids(reading.due("queue", end, 1, after=(position[0].astimezone(elsewhere), ""))) == [
                    next(run_id for moment, run_id in after if moment == position[0])
                ]

    def test_only_what_is_scheduled_is_due(self, open_store: OpenRunStore) -> None:
        """A run is due as its state says now: not after it was taken, again after it was scheduled anew, for the moment that was said last."""
        self.put_due(open_store, {"flow": NOW, "other": later(1)})

        def enter(state: State) -> list[str]:
            with open_store.writing() as writing:
                run = writing.flow_run("flow")
                assert run is not None
                assert writing.update_flow_run(run.entering(stamped(state)), was=run.revision)
                assert not writing.update_flow_run(run.entering(stamped(State.scheduled(NOW))), was=run.revision)
                inside = ids(writing.due("queue", later(10), 10))
            with open_store.reading() as reading:
                assert ids(reading.due("queue", later(10), 10)) == inside
            return inside

        assert enter(State.scheduled(later(0.5), name="Late")) == ["flow", "other"]
        assert enter(State.pending()) == ["other"]
        assert enter(attrs.evolve(State.running(), scheduled_time=NOW)) == ["other"]
        assert enter(State.scheduled(later(2), name="AwaitingRetry")) == ["other", "flow"]
        assert enter(State.scheduled(later(3))) == ["other", "flow"]
        with open_store.reading() as reading:
            assert ids(reading.due("queue", later(2), 10)) == ["other"]
        assert enter(State.scheduled(NOW)) == ["flow", "other"]
        assert enter(FULL_STATE) == ["other"]
        assert enter(State.scheduled(later(20))) == ["other"]

    # Schedules

    def test_plans_of_schedules(self, open_store: OpenRunStore) -> None:
        """How far each schedule is decided is kept, and those that are to be looked at come in the order of their moments."""
        elsewhere = timezone(timedelta(hours=-7))
        look_ats = {"b": later(2), "a": later(2), "first": later(1).astimezone(elsewhere), "never": None}
        plans = {
            name: SchedulePlan(schedule_id=name, deployment_id="deployment", version=1, decided=later(0.000001), look_at=look_at)
            for name, look_at in look_ats.items()
        }
        put(open_store, deployment("deployment"), deployment("other", name="other"))
        with open_store.writing() as writing:
            for plan in plans.values():
                writing.put_schedule_plan(plan)
            assert writing.schedule_plan("a") == plans["a"]
        with open_store.reading() as reading:
            assert reading.schedule_plans(later(5), 10) == [plans["first"], plans["a"], plans["b"]]
            assert reading.schedule_plans(later(5), 2) == [plans["first"], plans["a"]]
            assert reading.schedule_plans(later(1), 10) == [plans["first"]]
            assert [reading.schedule_plans(later(5), limit) for limit in (0, -1)] == [[], []]
            assert reading.schedule_plan("unknown") is None
        moved = attrs.evolve(plans["first"], deployment_id="other", version=2, decided=later(5), look_at=None)
        with open_store.writing() as writing:
            writing.put_schedule_plan(moved)
            writing.drop_schedule_plan("a")
            writing.drop_schedule_plan("unknown")
        with open_store.reading() as reading:
            assert reading.schedule_plans(later(5), 10) == [plans["b"]]
            assert reading.schedule_plan("first") == moved
        with open_store.writing() as writing:
            writing.delete_deployment("deployment")
        with open_store.reading() as reading:
            assert [reading.schedule_plan(name) for name in plans] == [None, None, moved, None]

    def test_runs_of_schedules(self, open_store: OpenRunStore) -> None:
        """Runs are found by their schedules, with whatever else is asked of them."""
        runs = [
            flow_run(f"{number}", state, tick=Tick(schedule_id=schedule, version=2, at=later(number), overlap=Overlap.SKIP), tags=tags)
            for number, (schedule, state, tags) in enumerate(
                [("s", SCHEDULED, ("x",)), ("s", RUNNING, ()), ("t", SCHEDULED, ()), (STRANGE, RUNNING, ("x",))]
            )
        ]
        put(open_store, *runs, flow_run("none"))
        with open_store.reading() as reading:

            def found(*schedule_ids: str, **fields: Any) -> list[str]:
                wanted = FlowRunFilter(schedule_ids=schedule_ids, **fields)
                return ids(reading.flow_runs(wanted, Page(newest_first=False)))

            assert reading.flow_runs(FlowRunFilter(schedule_ids=("s",)), Page(newest_first=False)) == runs[:2]
            assert found("s", "t") == ["0", "1", "2"]
            assert found(STRANGE) == ["3"]
            assert found("s", state_types=(StateType.SCHEDULED,)) == ["0"]
            assert found("s", "t", tags=("x",)) == ["0"]
            assert found("s", "t", names=("name of 2",)) == ["2"]
            assert found("s", names=("name of 2",)) == found("unknown") == []

    def test_what_has_not_begun_in_time(self, open_store: OpenRunStore) -> None:
        """Runs that were to begin by a moment are told, earliest first, as long as they wait for their first start and nobody owns them."""
        ticks = [Tick(schedule_id="s", version=1, at=later(number), start_by=later(2)) for number in range(7)]
        elsewhere = timezone(timedelta(hours=9))
        put(
            open_store,
            flow_run("b", SCHEDULED, tick=ticks[0]),
            flow_run("a", SCHEDULED, tick=ticks[1]),
            flow_run("first", SCHEDULED, tick=attrs.evolve(ticks[2], start_by=later(1).astimezone(elsewhere))),
            flow_run("runs", RUNNING, tick=ticks[3]),
            flow_run("tried", SCHEDULED, tick=ticks[4], run_count=1),
            flow_run("owned", SCHEDULED, tick=ticks[5]),
            flow_run("patient", SCHEDULED, tick=attrs.evolve(ticks[6], start_by=None)),
            flow_run("none", SCHEDULED),
        )
        with open_store.writing() as writing:
            writing.grant_lease("owned", epoch=1, holder="me", seconds=60)
        with open_store.reading() as reading:
            assert ids(reading.overdue(later(2), 10)) == ["first", "a", "b"]
            assert ids(reading.overdue(later(1), 10)) == ["first"]
            assert ids(reading.overdue(later(2), 2)) == ["first", "a"]
            assert [reading.overdue(later(2), limit) for limit in (0, -1)] == [[], []]
        with open_store.writing() as writing:
            run = writing.flow_run("first")
            assert run is not None
            writing.update_flow_run(run.entering(stamped(State.pending())), was=run.revision)
            assert ids(writing.overdue(later(2), 10)) == ["a", "b"]

    def test_a_time_has_one_run(self, open_store: OpenRunStore) -> None:
        """Of a version of a schedule: a second run for the same moment is not kept, however it is written, until the first is gone."""
        tick = Tick(schedule_id="s", version=1, at=NOW)
        same = attrs.evolve(tick, at=NOW.astimezone(timezone(timedelta(hours=9))), start_by=later(1))
        others = [attrs.evolve(tick, version=2), attrs.evolve(tick, schedule_id="t"), attrs.evolve(tick, at=later(1))]
        put(open_store, flow_run("first", tick=tick))
        with open_store.writing() as writing:
            assert not writing.add_flow_run(flow_run("second", tick=same))
            assert [writing.add_flow_run(flow_run(f"{number}", tick=other)) for number, other in enumerate(others)] == [True] * 3
            run = writing.flow_run("first")
            assert run is not None
            assert writing.update_flow_run(run.entering(stamped(State.cancelled())), was=run.revision)
            assert not writing.add_flow_run(flow_run("second", tick=same))
        with open_store.reading() as reading:
            assert reading.flow_run("second") is None
            assert reading.states("second") == []
        with open_store.writing() as writing:
            writing.delete_flow_run("first")
            assert writing.add_flow_run(flow_run("second", tick=same))

    def test_runs_are_added_at_once(self, open_store: OpenRunStore) -> None:
        """Of many runs those are added, in their order, that one by one would be: none whose id is known, or stands twice, or whose time of a schedule
        has a run. All of them are taken back with their transaction."""
        tick = Tick(schedule_id="s", version=1, at=NOW)
        put(open_store, flow_run("known"), flow_run("first", tick=tick))
        new = [flow_run(f"{number:03}", tick=attrs.evolve(tick, at=later(number + 1)), tags=("new",)) for number in range(120)]
        twice = attrs.evolve(new[70], id="other", root_id="other")
        whole = [attrs.evolve(run, id=f"whole-{number}") for number, run in enumerate(FLOW_RUNS.values())]
        runs = [flow_run("known", RUNNING), *new[:60], flow_run("second", tick=tick), new[3], *new[60:], twice, *whole]
        with suppress(Interrupted), open_store.writing() as writing:
            assert writing.add_flow_runs(runs) == new + whole
            raise Interrupted
        with open_store.writing() as writing:
            assert writing.count_flow_runs(CountFilter()) == counts_of([flow_run("known"), flow_run("first")])
            assert writing.add_flow_runs(runs) == new + whole
            assert writing.add_flow_runs(runs) == []
            assert writing.add_flow_runs([]) == []
        with open_store.reading() as reading:
            assert reading.flow_run("known") == flow_run("known")
            assert [reading.flow_run(run.id) for run in new + whole] == new + whole
            assert [reading.states(run.id) for run in new] == [[run.state] for run in new]
            assert reading.flow_runs(FlowRunFilter(tags=("new",)), Page(newest_first=False)) == new
            assert reading.count_flow_runs(CountFilter()) == counts_of([flow_run("known"), flow_run("first"), *new, *whole])

    def test_who_waits_and_who_is_under_way(self, open_store: OpenRunStore) -> None:
        """Of a schedule, in the order of their times, whatever they are called: those that wait for their first start, and those that began."""
        states = {
            "paused": (State.paused(), 0),
            "waits": (SCHEDULED, 0),
            "late": (State.scheduled(NOW, name="Late"), 0),
            "tried": (State.scheduled(NOW, name="AwaitingRetry"), 1),
            "asked": (State.scheduled(NOW, name="AwaitingRetry"), 0),
            "lost": (State.scheduled(NOW, name="AwaitingRestart"), 0),
            "pending": (State.pending(), 0),
            "running": (RUNNING, 1),
            "goes on": (State.paused(), 1),
            "stops": (State(type=StateType.CANCELLING), 1),
            "ended": (State.completed(), 1),
            "skipped": (State.skipped("why"), 0),
        }
        put(
            open_store,
            *(
                flow_run(name, stamped(state), run_count=count, tick=Tick(schedule_id="s", version=1, at=later(-number)))
                for number, (name, (state, count)) in enumerate(states.items())
            ),
            flow_run("of another", SCHEDULED, tick=Tick(schedule_id="t", version=1, at=NOW)),
        )
        with open_store.reading() as reading:
            assert ids(reading.ticks_waiting("s", NOW, 10)) == ["late", "waits"]
            assert ids(reading.ticks_waiting("s", later(-2), 10)) == ["late"]
            assert ids(reading.ticks_waiting("s", NOW, 1)) == ["late"]
            assert ids(reading.ticks_begun("s", 10)) == ["stops", "goes on", "running", "pending", "lost", "tried"]
            assert ids(reading.ticks_begun("s", 2)) == ["stops", "goes on"]
            assert [reading.ticks_waiting("s", NOW, limit) + reading.ticks_begun("s", limit) for limit in (0, -1)] == [[], []]
            assert ids(reading.ticks_begun("unknown", 10)) == []

    def test_runs_of_times(self, open_store: OpenRunStore) -> None:
        """In short, by schedule and time: those for times between two moments, and of each schedule the latest, whatever state they are in."""
        states = [stamped(State.completed()), stamped(State.skipped("why")), SCHEDULED, SCHEDULED]
        runs = [
            flow_run(f"{schedule}{number}", state, tick=Tick(schedule_id=schedule, version=1, at=later(number)))
            for schedule in "ts"
            for number, state in enumerate(states)
        ]
        put(open_store, flow_run("by hand"), *runs)

        def told(schedule: str, *numbers: int) -> list[TickRun]:
            return [
                TickRun(
                    schedule_id=schedule,
                    at=later(number),
                    run_id=f"{schedule}{number}",
                    state_type=states[number].type,
                    state_name=states[number].name,
                )
                for number in numbers
            ]

        with open_store.reading() as reading:
            assert reading.ticks(("t", "s", "t", "unknown"), NOW, later(2), 10) == [*told("s", 0, 1, 2), *told("t", 0, 1, 2)]
            assert reading.ticks(("s", "t"), later(1), later(9), 2) == [*told("s", 2, 3), *told("t", 2, 3)]
            assert reading.ticks(("s",), later(2), later(1), 10) == reading.ticks((), NOW, later(9), 10) == []
            assert [reading.ticks(("s",), NOW, later(9), limit) for limit in (0, -1)] == [[], []]

    @pytest.mark.parametrize(
        ("after", "left"),
        [
            (None, ["ahead skipped", "other version begun", "skipped"]),
            (0.0, ["other version begun", "paused", "skipped", "waits"]),
        ],
    )
    def test_what_never_began_is_forgotten(self, open_store: OpenRunStore, after: float | None, left: list[str]) -> None:
        """All that waits of a schedule, or what lies ahead of a moment with what was skipped before its time; nothing that ever began."""
        runs = {
            "waits": (SCHEDULED, 0, 0),
            "ahead": (SCHEDULED, 1, 0),
            "other version begun": (SCHEDULED, 2, 1),
            "paused": (State.paused(), 3, 0),
            "skipped": (State.skipped("why"), -1, 0),
            "ahead skipped": (State.skipped("why"), 4, 0),
        }
        put(
            open_store,
            *(
                flow_run(name, stamped(state), run_count=count, tick=Tick(schedule_id="s", version=1, at=later(hours)))
                for name, (state, hours, count) in runs.items()
            ),
            flow_run("of another", SCHEDULED, tick=Tick(schedule_id="t", version=1, at=later(1))),
        )
        with open_store.writing() as writing:
            writing.forget_ticks("s", after=None if after is None else later(after))
            writing.forget_ticks("unknown")
        with open_store.reading() as reading:
            found = reading.flow_runs(FlowRunFilter(schedule_ids=("s",)), Page())
            assert sorted(ids(found)) == left
            assert reading.flow_run("of another") is not None
            assert reading.states("ahead") == []

    def test_schedules_are_looked_at_again(self, open_store: OpenRunStore) -> None:
        """Whether one was looked at after a moment, and all that are to be looked at later are so at once; one that never is stays so."""
        plan = SchedulePlan(schedule_id="a", deployment_id="deployment", version=1, decided=later(5), look_at=later(4), looked=later(1))
        put(open_store, deployment("deployment"))
        with open_store.writing() as writing:
            writing.put_schedule_plan(plan)
            writing.put_schedule_plan(attrs.evolve(plan, schedule_id="never", look_at=None, looked=later(9)))
            writing.put_schedule_plan(attrs.evolve(plan, schedule_id="before", look_at=later(-1), looked=None))
        with open_store.reading() as reading:
            assert [reading.looked_after(later(hours)) for hours in (0.5, 1, 2)] == [True, False, False]
            assert reading.schedule_plan("a") == plan
        with open_store.writing() as writing:
            writing.look_again(NOW)
        with open_store.reading() as reading:
            looks = {each.schedule_id: each.look_at for each in reading.schedule_plans(later(9), 10)}
            assert looks == {"a": NOW, "before": later(-1)}
            never = reading.schedule_plan("never")
            assert never is not None
            assert never.look_at is None

    def test_a_run_may_move_before_it_is_assigned(self, open_store: OpenRunStore) -> None:
        """A run that comes into a queue late is due there as its state says, whatever it was before."""
        put(open_store, work_queue("queue"), *(flow_run(run_id) for run_id in ("moved", "taken", "back")))
        with open_store.writing() as writing:
            for run_id, states in {"moved": [State.scheduled(later(1))], "taken": [RUNNING], "back": [RUNNING, SCHEDULED]}.items():
                for revision, state in enumerate(states, start=1):
                    run = writing.flow_run(run_id)
                    assert run is not None
                    assert writing.update_flow_run(run.entering(stamped(state)), was=revision)
                writing.assign(run_id, ["queue"])
        with open_store.reading() as reading:
            assert ids(reading.due("queue", NOW, 10)) == ["back"]
            assert ids(reading.due("queue", later(1), 10)) == ["back", "moved"]

    def test_what_somebody_owns_is_not_due(self, open_store: OpenRunStore) -> None:
        """A run that a live lease is on is left out and takes nobody's place; it is due again when the lease has expired or ended."""
        self.put_due(open_store, {"1": NOW, "2": NOW, "3": NOW, "4": NOW})
        with open_store.writing() as writing:
            for run_id in "123":
                writing.grant_lease(run_id, epoch=1, holder="me", seconds=HOUR)
            assert ids(writing.due("queue", NOW, 1)) == ["4"]
            writing.end_lease("3")
        with open_store.reading() as reading:
            assert ids(reading.due("queue", NOW, 10)) == ["3", "4"]
        self.expire(open_store, "2")
        with open_store.reading() as reading:
            assert ids(reading.due("queue", NOW, 10)) == ["2", "3", "4"]
        with open_store.writing() as writing:
            assert writing.renew_lease("2", epoch=1, seconds=HOUR)
        with open_store.reading() as reading:
            assert ids(reading.due("queue", NOW, 10)) == ["3", "4"]

    def test_late_runs_come_earliest_first(self, open_store: OpenRunStore) -> None:
        """Late is what a deployment's runs are that were due before a moment and that nobody owns, whether or not a queue has them."""
        put(open_store, flow_run("called", attrs.evolve(SCHEDULED, scheduled_time=NOW)))
        moments = {"b": NOW, "a": later(1), "c": later(1), "later": later(3), "never": None, "held": NOW}
        made = [flow_run(run_id, attrs.evolve(SCHEDULED, scheduled_time=at), deployment_id="deployment") for run_id, at in moments.items()]
        put(open_store, *made, flow_run("runs", RUNNING, deployment_id="deployment"), work_queue("queue"))
        with open_store.writing() as writing:
            writing.assign("a", ["queue"])
            writing.grant_lease("held", epoch=1, holder="me", seconds=HOUR)
            assert ids(writing.late(later(2), 10)) == ["b", "a", "c"]
        with open_store.reading() as reading:
            assert reading.late(later(2), 10)[0] == made[0]
            assert ids(reading.late(later(1), 10)) == ["b"]
            assert ids(reading.late(later(9), 2)) == ["b", "a"]
            assert [reading.late(later(9), limit) for limit in (0, -1)] == [[], []]
        self.expire(open_store, "held")
        with open_store.reading() as reading:
            assert ids(reading.late(later(2), 10)) == ["b", "held", "a", "c"]

    def test_waits_are_remembered(self, open_store: OpenRunStore) -> None:
        """What kept a run waiting comes back whole and in order; only what has not ended is ended, and it goes with its run."""
        first, second = waited(NOW, sentence=STRANGE), waited(later(2))
        put(open_store, flow_run("flow"))
        with open_store.writing() as writing:
            writing.add_wait(attrs.evolve(first, run_id="unknown"))
            writing.add_wait(first)
            assert writing.waits("flow") == [first]
            writing.end_waits("flow", later(1))
            writing.add_wait(second)
            writing.end_waits("unknown", later(1))
        with open_store.reading() as reading:
            assert reading.waits("flow") == [attrs.evolve(first, until=later(1)), second]
            assert reading.waits("unknown") == []
        changed = waited(later(2), sentence="another")
        with open_store.writing() as writing:
            writing.add_wait(changed)
            writing.end_waits("flow", later(3))
            writing.end_waits("flow", later(4))
        with open_store.reading() as reading:
            assert reading.waits("flow")[1:] == [attrs.evolve(changed, until=later(3))]
        with open_store.writing() as writing:
            assert writing.delete_flow_run("flow")
            assert writing.waits("flow") == []

    def test_a_run_is_in_the_queues_that_were_said_last(self, open_store: OpenRunStore) -> None:
        """Assigning replaces what was said before; queues that are not known are left out, also when they become known later."""

        def seen() -> dict[str, list[str]]:
            with open_store.reading() as reading:
                return {queue: ids(reading.due(queue, NOW, 10)) for queue in ("a", "b", "c")}

        put(open_store, work_queue("a"), work_queue("b"), flow_run("1"), flow_run("2"))
        with open_store.writing() as writing:
            writing.assign("1", iter(["a", "b", "c", "a"]))
            writing.assign("2", ["c", "a"])
            assert ids(writing.due("a", NOW, 10)) == ["1", "2"]
        assert seen() == {"a": ["1", "2"], "b": ["1"], "c": []}
        put(open_store, work_queue("c"))
        assert seen() == {"a": ["1", "2"], "b": ["1"], "c": []}
        with open_store.writing() as writing:
            writing.assign("1", ["c", "b"])
            writing.assign("2", [])
            writing.assign("3", ["a"])
        put(open_store, flow_run("3"))
        assert seen() == {"a": [], "b": ["1"], "c": ["1"]}

    def test_a_deleted_run_is_in_no_queue(self, open_store: OpenRunStore) -> None:
        """A run that was deleted is out of its queues, and one that comes after it with its id is in none."""
        self.put_due(open_store, {"1": NOW, "2": NOW, "3": NOW})
        with open_store.writing() as writing:
            writing.grant_lease("2", epoch=1, holder="me", seconds=HOUR)
            assert writing.delete_flow_run("1")
            assert writing.delete_flow_run("2")
        put(open_store, flow_run("1"), flow_run("2"))
        with open_store.writing() as writing:
            writing.grant_lease("2", epoch=1, holder="me", seconds=HOUR)
        with open_store.reading() as reading:
            assert ids(reading.due("queue", NOW, 10)) == ["3"]
            assert reading.in_use("queue") == 0

    def test_runs_under_way_are_counted(self, open_store: OpenRunStore) -> None:
        """A queue's runs count as long as a live lease is on them, whatever their state, in each of their queues; others' do not."""
        put(open_store, work_queue("a"), work_queue("b"), *(flow_run(run_id) for run_id in ("1", "2", "3", "4", "idle", "elsewhere")))
        with open_store.writing() as writing:
            for run_id in ("1", "2", "3", "4", "elsewhere"):
                writing.grant_lease(run_id, epoch=1, holder="me", seconds=HOUR)
            for run_id in ("1", "2", "3", "4", "idle"):
                writing.assign(run_id, ["a"] if run_id != "2" else ["a", "b"])
            assert writing.update_flow_run(flow_run("1").entering(RUNNING), was=1)
            assert (writing.in_use("a"), writing.in_use("b"), writing.in_use("c")) == (4, 1, 0)
            assert [len(writing.under_way(name, 10)) for name in "abc"] == [4, 1, 0]
            assert [len(writing.under_way("a", limit)) for limit in (3, 0, -1)] == [3, 0, 0]
            writing.end_lease("3")
            writing.assign("4", ["b"])
        with open_store.reading() as reading:
            assert (reading.in_use("a"), reading.in_use("b")) == (2, 2)
        self.expire(open_store, "2")
        with open_store.writing() as writing:
            assert (writing.in_use("a"), writing.in_use("b")) == (1, 1)
            assert writing.renew_lease("2", epoch=1, seconds=HOUR)
            writing.grant_lease("3", epoch=2, holder="you", seconds=HOUR)
            assert (writing.in_use("a"), writing.in_use("b")) == (3, 2)

    # Retention

    def test_details_are_forgotten(self, open_store: OpenRunStore) -> None:
        """What was said and how it went goes, of subflows too; the runs stay with their states, and nothing of other runs goes."""
        put(open_store, flow_run("flow"), flow_run("sub", root_id="flow", parent_task_run_id="task"), flow_run("other"))
        put(open_store, *(task_run(f"task{of}", of=of) for of in ("flow", "sub", "other")))
        put(open_store, *(log_line(f"line {of}", of=of) for of in ("flow", "sub", "other")))
        with open_store.writing() as writing:
            for run_id in ("flow", "sub", "other"):
                writing.add_states([RunState(run_id=f"task{run_id}", revision=1, state=stamped(State.running()))])
                writing.remember(f"move {run_id}", run_id, refused("no"))
            writing.add_wait(waited(NOW))
            writing.forget_details("flow")
            assert writing.states("taskflow") == []
        with open_store.reading() as reading:
            assert ids(reading.logs(LogFilter(), Page())) == ["line other"]
            assert [bool(reading.states(f"task{of}")) for of in ("flow", "sub", "other")] == [False, False, True]
            assert [reading.verdict(f"move {of}") is None for of in ("flow", "sub", "other")] == [True, True, False]
            assert reading.waits("flow") == []
            assert [len(reading.states(of)) for of in ("flow", "sub", "other")] == [1, 1, 1]
            assert len(reading.task_runs(TaskRunFilter(), Page())) == 3

    def test_events_are_forgotten(self, open_store: OpenRunStore) -> None:
        """Old ones go, the newest never does, and the next sequence comes after it."""
        event = Event(moment=NOW, kind="kind", subject="flow")
        with open_store.writing() as writing:
            for _ in range(4):
                writing.append_event(event)
            writing.forget_events(2)
            assert [each.sequence for each in writing.events(EventFilter(), 10)] == [3, 4]
            writing.forget_events(1)
            assert writing.append_event(event).sequence == 5
            writing.forget_events(99)
            assert [each.sequence for each in writing.events(EventFilter(), 10)] == [5]
            writing.forget_events(99)
        with open_store.reading() as reading:
            assert reading.last_event() == 5
            assert reading.events(EventFilter(after=1, kinds=("kind",)), 10)[0].sequence == 5
        with open_store.writing() as writing:
            assert writing.append_event(event).sequence == 6

    def test_marks_are_remembered(self, open_store: OpenRunStore) -> None:
        """A text under a name, the last that was put."""
        with open_store.writing() as writing:
            writing.put_mark(STRANGE, "one")
            writing.put_mark(STRANGE, STRANGE)
            assert writing.mark(STRANGE) == STRANGE
        with open_store.reading() as reading:
            assert (reading.mark(STRANGE), reading.mark("other")) == (STRANGE, None)

    # Agents

    @pytest.mark.parametrize("whole", AGENTS.values(), ids=AGENTS)
    def test_an_agent_comes_back_whole(self, open_store: OpenRunStore, whole: Agent) -> None:
        """Every field of an agent is read as it was written, inside the transaction and after it."""
        with open_store.writing() as writing:
            writing.keep_agent(whole, seconds=HOUR)
            assert writing.agents() == [whole]
        with open_store.reading() as reading:
            assert reading.agents() == [whole]

    def test_an_agent_lives_as_long_as_it_says(self, open_store: OpenRunStore) -> None:
        """An agent is live until its time is over, whatever was said of it; it is kept then, and its next word brings it back."""
        one, two = agent("one", live=False), agent("two")
        with open_store.writing() as writing:
            writing.keep_agent(two, seconds=HOUR)
            writing.keep_agent(one, seconds=HOUR)
        with open_store.reading() as reading:
            assert [(each.id, each.live) for each in reading.agents()] == [("one", True), ("two", True)]
        self.outlast(open_store, two)
        with open_store.reading() as reading:
            assert [(each.id, each.live) for each in reading.agents()] == [("one", True), ("two", False)]
            assert [reading.agent(each.id) for each in reading.agents()] == reading.agents()
            assert reading.agent("nobody") is None
        again = attrs.evolve(two, is_draining=True, queues=("a",))
        with open_store.writing() as writing:
            writing.keep_agent(again, seconds=HOUR)
        with open_store.reading() as reading:
            assert reading.agents() == [attrs.evolve(one, live=True), again]

    def test_an_agent_is_dropped(self, open_store: OpenRunStore) -> None:
        """An agent that was dropped is there no more."""
        with open_store.writing() as writing:
            writing.keep_agent(agent("one"), seconds=HOUR)
            writing.keep_agent(agent("two"), seconds=HOUR)
            assert writing.drop_agent("one")
            assert not writing.drop_agent("one")
        with open_store.reading() as reading:
            assert reading.agents() == [agent("two")]

    # Deleting

    def test_deleting_forgets_all_that_belongs(self, open_store: OpenRunStore) -> None:
        """A run is forgotten with its states, task runs, logs, lease, verdicts, slots, cached states and subflows; others stay."""

        def write(writing: Writing, root: str) -> None:
            for run_id, parent in ((root, None), (f"{root}-sub", f"{root}-task"), (f"{root}-subsub", f"{root}-sub-task")):
                writing.add_flow_run(flow_run(run_id, root_id=root, parent_task_run_id=parent, tags=("a",)))
                writing.put_task_runs([task_run(f"{run_id}-task", of=run_id, tags=("a",))])
                writing.add_states(history(RUNNING, of=f"{run_id}-task"))
                writing.add_logs([log_line(f"{run_id}-1", of=run_id), log_line(f"{run_id}-2", of=run_id, task_run_id=f"{run_id}-task")])
                writing.remember(f"{run_id}-move", run_id, refused("no"))
                writing.keep_cached(f"{run_id}-key", FULL_STATE, f"{run_id}-task")
                writing.hold_slots(f"{run_id}-task", ["tag"], root_id=root, epoch=1)
            writing.grant_lease(root, epoch=1, holder="me", seconds=HOUR)

        def seen(reading: Reading) -> tuple[list[str], ...]:
            runs = [f"{root}{rest}" for root in ("gone", "stays") for rest in ("", "-sub", "-subsub")]
            return (
                ids(reading.flow_runs(FlowRunFilter(tags=("a",)), Page(newest_first=False))),
                sorted(run.flow_run_id for run in reading.task_runs(TaskRunFilter(tags=("a",)), Page())),
                sorted(line.flow_run_id for line in reading.logs(LogFilter(), Page()) if line.task_run_id is None),
                [run_id for run_id in runs if reading.logs(LogFilter(task_run_id=f"{run_id}-task"), Page())],
                [run_id for run_id in runs if reading.states(run_id)],
                [run_id for run_id in runs if reading.states(f"{run_id}-task")],
                [run_id for run_id in runs if reading.verdict(f"{run_id}-move")],
                [run_id for run_id in runs if reading.cached(f"{run_id}-key", NOW)],
                sorted(holder.removesuffix("-task") for holder in self.limit(reading, "tag")[1]),
            )

        with open_store.writing() as writing:
            writing.set_limit("tag", 9)
            write(writing, "gone")
            write(writing, "stays")
        everything = ["gone", "gone-sub", "gone-subsub", "stays", "stays-sub", "stays-subsub"]
        with open_store.reading() as reading:
            assert seen(reading) == (everything,) * 9

        with open_store.writing() as writing:
            assert writing.delete_flow_run("stays-sub")
            assert not writing.delete_flow_run("stays-sub")
        with open_store.reading() as reading:
            assert seen(reading) == (everything[:4],) * 9

        # The journal may come after the subflow that one of its task runs has called.
        put(open_store, flow_run("gone-early", root_id="gone", parent_task_run_id="not yet written"))
        with open_store.writing() as writing:
            assert writing.delete_flow_run("gone")
            assert not writing.delete_flow_run("gone")
            assert writing.flow_run("gone-early") is None
            assert seen(writing) == (["stays"],) * 9
        with open_store.reading() as reading:
            assert seen(reading) == (["stays"],) * 9
            assert reading.lease("gone") is None
            assert reading.lease("stays") is not None

    # Events

    def test_events_are_numbered(self, open_store: OpenRunStore) -> None:
        """Events get a sequence that grows by one in order of their writing, also across transactions; one that failed takes none."""
        plain = Event(moment=NOW, kind="counted", subject=STRANGE, details={STRANGE: [None]})
        events = [attrs.evolve(plain, moment=later(-number), kind=f"kind {number}") for number in range(6)]
        stored: list[Event] = []
        with open_store.writing() as writing:
            stored += [writing.append_event(event) for event in events[:3]]
        with pytest.raises(Interrupted):
            interrupted(open_store, lambda writing: writing.append_event(events[0]))
        for event in events[3:]:
            with open_store.writing() as writing:
                stored.append(writing.append_event(event))
        assert [attrs.evolve(event, sequence=0) for event in stored] == events
        first = stored[0].sequence
        assert first > 0
        assert [event.sequence for event in stored] == list(range(first, first + 6))
        with open_store.reading() as reading:
            assert reading.events(EventFilter(), 100) == stored
            assert reading.events(EventFilter(after=stored[1].sequence), 3) == stored[2:5]
            assert reading.events(EventFilter(after=stored[-1].sequence), 100) == []
            assert [reading.events(EventFilter(), limit) for limit in (0, -1)] == [[], []]
            assert reading.last_event() == stored[-1].sequence
        with open_store.writing() as writing:
            stored += writing.append_events(events) + writing.append_events([]) + [writing.append_event(plain)]
        assert [event.sequence for event in stored] == list(range(first, first + 13))
        with open_store.reading() as reading:
            assert reading.events(EventFilter(), 100) == stored

    @pytest.mark.parametrize(("fields", "fits"), alone_and_combined(EVENT_FILTERS))
    def test_events_are_filtered(self, open_store: OpenRunStore, fields: dict[str, Any], fits: Callable[[Event], bool]) -> None:
        """A filter's fields are all asked for at once: what is newer, of one of the kinds, about one of the subjects; oldest first."""
        with open_store.writing() as writing:
            assert [writing.append_event(event) for event in LISTED_EVENTS] == LISTED_EVENTS
        with open_store.reading() as reading:
            found = reading.events(EventFilter(**fields), 100)
            first = reading.events(EventFilter(**fields), 2)
            none = reading.events(EventFilter(**fields), 0)
        assert found == [event for event in LISTED_EVENTS if fits(event)]
        assert (first, none) == (found[:2], [])

    # The version

    def test_the_version_is_another_one_after_each_change(self, open_store: OpenRunStore) -> None:
        """The version is the same as long as nobody writes, however often anybody reads, and another one after each transaction that wrote."""
        seen = []
        for number in range(5):
            put(open_store, flow_run(f"{number}"))
            seen.append(open_store.version())
            with open_store.reading() as reading:
                assert reading.flow_run(f"{number}") is not None
                assert open_store.version() == seen[-1]
            assert open_store.version() == seen[-1]
        assert len(set(seen)) == 5

    def test_the_version_sees_other_openings(self, run_store: RunStore) -> None:
        """Where a store outlives its process, a transaction through another opening makes the version another one; its readings do not."""
        with run_store.open() as first, attrs.evolve(run_store).open() as second:  # type: ignore[misc]
            seen = [first.version()]
            for number in range(3):
                put(second, flow_run(f"{number}"))
                with second.reading() as reading:
                    assert reading.flow_run(f"{number}") is not None
                seen.append(first.version())
                assert first.version() == seen[-1]
        assert len(set(seen)) == (4 if run_store.outlives_process else 1)

    def test_the_version_waits_for_nobody(self, open_store: OpenRunStore) -> None:
        """Asking for the version answers at once inside a look and inside a transaction, from any thread; what is not committed does not count."""
        put(open_store, flow_run("flow"))
        before = open_store.version()
        with open_store.reading():
            assert in_threads(4, lambda _: open_store.version()) == [before] * 4
            assert open_store.version() == before
        with open_store.writing() as writing:
            writing.add_flow_run(flow_run("new"))
            assert in_threads(4, lambda _: open_store.version()) == [before] * 4
            assert open_store.version() == before
        assert open_store.version() != before

    def test_the_version_is_there_for_many_threads(self, open_store: OpenRunStore) -> None:
        """Threads that ask while others write get no error, and none of them sees an older version after a newer one."""

        def ask_or_write(number: int) -> list[int]:
            if number < 2:
                for turn in range(25):
                    put(open_store, flow_run(f"{number}-{turn}"))
                return []
            return [open_store.version() for _ in range(500)]

        for seen in in_threads(6, ask_or_write):
            changes = [version for version, last in zip(seen, [None, *seen], strict=False) if version != last]
            assert len(set(changes)) == len(changes)

    # Transactions

    def test_a_failed_transaction_leaves_nothing(self, open_store: OpenRunStore) -> None:
        """An exception inside of a transaction is raised on and takes back every change, whatever it was."""

        def seen() -> tuple[Any, ...]:
            with open_store.reading() as reading:
                return (
                    reading.flow_runs(FlowRunFilter(), Page()),
                    reading.flow_runs(FlowRunFilter(tags=("b",)), Page()),
                    reading.task_runs(TaskRunFilter(), Page()),
                    reading.task_runs(TaskRunFilter(tags=("b",)), Page()),
                    reading.logs(LogFilter(), Page()),
                    [reading.states(run_id) for run_id in ("flow", "deleted", "new", "task", "of deleted")],
                    [reading.lease(run_id) for run_id in ("flow", "deleted", "new")],
                    [reading.verdict(move_id) for move_id in ("old", "new")],
                    [reading.cached(key, NOW) for key in ("old", "new")],
                    reading.limits(),
                    reading.events(EventFilter(), 100),
                    reading.events(EventFilter(subjects=("flow",)), 100),
                    reading.last_event(),
                    reading.deployments(DeploymentFilter(), Page()),
                    reading.deployments(DeploymentFilter(tags=("b",)), Page()),
                    reading.work_queues(WorkQueueFilter(), Page()),
                    [ids(reading.due(queue, later(HOUR), 10)) for queue in ("old", "other", "new")],
                    [reading.in_use(queue) for queue in ("old", "other", "new")],
                    [ids(reading.held_by(holder)) for holder in ("me", "you")],
                    reading.agents(),
                )

        put(open_store, flow_run("flow", tags=("a",)), flow_run("deleted"), task_run("task", tags=("a",)))
        put(open_store, task_run("of deleted", of="deleted"), log_line("line"))
        with open_store.writing() as writing:
            writing.grant_lease("flow", epoch=1, holder="me", seconds=HOUR)
            writing.remember("old", "deleted", refused("old"))
            writing.keep_cached("old", FULL_STATE, "of deleted")
            writing.set_limit("old", 1)
            writing.set_limit("other", 2)
            writing.hold_slots("task", ["old"], root_id="flow", epoch=1)
            writing.append_event(Event(moment=NOW, kind="old", subject="flow"))
            for name in ("old", "other"):
                writing.put_deployment(deployment(name, tags=("a",)))
                writing.put_work_queue(work_queue(name))
                writing.keep_agent(agent(name), seconds=HOUR)
            writing.assign("flow", ["old"])
            writing.assign("deleted", ["old", "other"])
        known = seen()

        def change(writing: Writing) -> None:
            writing.add_flow_run(flow_run("new", tags=("b",)))
            writing.update_flow_run(attrs.evolve(flow_run("flow").entering(RUNNING), tags=("b",)), was=1)
            writing.put_task_runs([task_run("task", tags=("b",), revision=9), task_run("new task", of="new")])
            writing.add_states(history(RUNNING, of="task"))
            writing.add_logs([log_line("new")])
            writing.remember("new", "flow", refused("new"))
            writing.keep_cached("new", FULL_STATE, "task")
            writing.keep_cached("old", FULL_STATE, "task")
            writing.grant_lease("flow", epoch=2, holder="you", seconds=HOUR)
            writing.grant_lease("new", epoch=1, holder="you", seconds=HOUR)
            writing.renew_lease("flow", epoch=2, seconds=0)
            writing.end_lease("flow")
            writing.set_limit("old", 7)
            writing.set_limit("new", 7)
            writing.delete_limit("other")
            writing.hold_slots("task", ["new"], root_id="flow", epoch=2)
            writing.free_slots(["task"])
            writing.append_event(Event(moment=NOW, kind="new", subject="flow"))
            for name in ("old", "new"):
                writing.put_deployment(deployment(name, name="new name", flow_name=name, tags=("b",)))
                writing.put_work_queue(work_queue(name, name=f"new {name}"))
                writing.keep_agent(agent(name, is_draining=True), seconds=0)
            writing.delete_deployment("other")
            writing.drop_agent("other")
            writing.assign("flow", ["new", "other"])
            writing.assign("new", ["new", "old"])
            writing.delete_work_queue("other")
            writing.delete_flow_run("deleted")
            writing.delete_flow_run("flow")

        for error in (Interrupted, KeyboardInterrupt):
            with pytest.raises(error):
                interrupted(open_store, change, error)
            assert seen() == known
        with open_store.writing() as writing:
            change(writing)
        assert seen() != known

    def test_what_is_not_committed_is_not_seen(self, open_store: OpenRunStore) -> None:
        """A reader never sees what a transaction wrote that then fails, whether it answers at once or waits for its end."""
        put(open_store, flow_run("flow"))
        seen: list[Any] = []

        def look() -> None:
            with open_store.reading() as reading:
                seen.append((reading.flow_run("new"), reading.flow_runs(FlowRunFilter(), Page()), reading.events(EventFilter(), 10)))

        reader = threading.Thread(target=look)

        def change(writing: Writing) -> None:
            writing.add_flow_run(flow_run("new"))
            writing.append_event(Event(moment=NOW, kind="new", subject="flow"))
            reader.start()
            reader.join(MOMENT)

        with pytest.raises(Interrupted):
            interrupted(open_store, change)
        reader.join(SECONDS)
        assert seen == [(None, [flow_run("flow")], [])]

    def test_a_look_is_of_one_moment(self, open_store: OpenRunStore) -> None:
        """What is written while somebody looks is not seen by that look, from its first question to its last, and is seen by the next."""
        put(open_store, flow_run("flow"))
        writer = threading.Thread(target=put, args=(open_store, flow_run("new"), task_run("task"), log_line("line")))
        with open_store.reading() as reading:
            writer.start()
            writer.join(MOMENT)
            assert reading.flow_runs(FlowRunFilter(), Page()) == [flow_run("flow")]
            assert reading.flow_run("new") is None
            assert reading.task_run("task") is None
            assert reading.logs(LogFilter(), Page()) == []
        writer.join(SECONDS)
        with open_store.reading() as reading:
            assert reading.flow_run("new") == flow_run("new")
            assert reading.task_run("task") == task_run("task")

    def test_threads_lose_nothing(self, open_store: OpenRunStore) -> None:
        """Eight threads that read, count and write lose nothing: transactions come one after the other, and looks in between are whole."""
        put(open_store, flow_run("flow", parameters={"count": 0}))

        def count(number: int) -> None:
            for turn in range(25):
                with open_store.writing() as writing:
                    run = writing.flow_run("flow")
                    assert run is not None
                    counted = attrs.evolve(run.entering(RUNNING), parameters={"count": run.parameters["count"] + 1})
                    assert writing.update_flow_run(counted, was=run.revision)
                    writing.add_logs([log_line(f"{number}-{turn}")])
                    writing.append_event(Event(moment=NOW, kind="counted", subject="flow"))
                with open_store.reading() as reading:
                    run = reading.flow_run("flow")
                    assert run is not None
                    seen = {
                        len(reading.states("flow")) - 1,
                        len(reading.events(EventFilter(), 1000)),
                        len(reading.logs(LogFilter(), Page(limit=1000))),
                    }
                    assert seen == {run.run_count} == {run.parameters["count"]}

        in_threads(8, count)
        with open_store.reading() as reading:
            run = reading.flow_run("flow")
            assert run is not None
            assert json.dumps(run.parameters) == '{"count": 200}'
            assert len(reading.states("flow")) == 201
            sequences = [event.sequence for event in reading.events(EventFilter(), 1000)]
        assert sequences == list(range(sequences[0], sequences[0] + 200))
