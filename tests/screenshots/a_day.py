"""A day of a team, as a store remembers it: what the pages are shown with. The clock goes on by itself and chance is seeded, so that pictures which are taken
again on a machine are the same."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from headrace.instance import Instance
from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.journals import JournalBatch, RunState
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import DeploymentSchedule
from headrace.model.states import State
from headrace.model.storages import NamedStorage
from headrace.testing.clock import FixedClock

BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
STEP = timedelta(minutes=5)
STEPS = 12 * 26


@attrs.frozen(kw_only=True)
class Work:
    """A deployment: its name, when it runs, its tags and tasks, how many minutes a run takes, and how many in a hundred fail."""

    flow: str
    name: str
    schedule: Choice | None
    tags: tuple[str, ...]
    tasks: tuple[str, ...]
    minutes: float
    failing: int = 0
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    schema: Mapping[str, Any] = attrs.field(factory=dict)


def _every(text: str) -> Choice:
    return Choice("interval", {"interval": text, "timezone": "Europe/Berlin"})


def _cron(text: str) -> Choice:
    return Choice("cron", {"cron": text, "timezone": "Europe/Berlin"})


SALES = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "enum": ["eu", "us", "apac"], "default": "eu", "description": "whose sales"},
        "day": {"type": "string", "format": "date", "default": "2026-03-02"},
        "limit": {"type": "integer", "minimum": 1, "default": 10000},
        "dry_run": {"type": "boolean", "default": False},
    },
}

WORKS = (
    Work(flow="sales", name="eu", schedule=_every("30m"), tags=("prod", "eu"), tasks=("extract", "clean", "join", "load"), minutes=7,
         failing=4, parameters={"region": "eu", "limit": 10000}, schema=SALES),
    Work(flow="sales", name="us", schedule=_every("1h"), tags=("prod", "us"), tasks=("extract", "clean", "join", "load"), minutes=12,
         failing=9, parameters={"region": "us", "limit": 25000}, schema=SALES),
    Work(flow="train-model", name="churn", schedule=_cron("0 3 * * *"), tags=("ml", "gpu"), tasks=("features", "split", "fit", "score"), minutes=95),
    Work(flow="backup", name="warehouse", schedule=_cron("15 */6 * * *"), tags=("ops",), tasks=("snapshot", "upload", "verify"), minutes=22, failing=40),
    Work(flow="ingest", name="events", schedule=_every("10m"), tags=("prod", "stream"), tasks=("poll", "write"), minutes=3, failing=1),
    Work(flow="report", name="weekly", schedule=_cron("0 8 * * 1"), tags=("finance",), tasks=("collect", "render", "send"), minutes=15),
    Work(flow="reindex", name="search", schedule=None, tags=("ops", "gpu"), tasks=("scan", "index"), minutes=30),
)  # fmt: skip


class Day:
    """The day, as it goes on."""

    def __init__(self, house: Instance, clock: FixedClock) -> None:
        self.house = house
        self.clock = clock
        self._draw = random.Random(8)
        self._ends: dict[str, tuple[datetime, FlowRun, Work]] = {}
        self._works: dict[str, Work] = {}
        self._agents: list[tuple[Agent, str]] = []

    def live(self) -> None:
        """From its begin to its end."""
        self._prepare()
        for step in range(STEPS):
            self._begin()
            self._end()
            if step % 80 == 40:
                self._ask("reindex", "search", f"after-release-{step}")
            self.clock.advance(STEP.total_seconds())
        self._begin()
        self.house.client.note_waits()
        self.clock.advance(60)

    def _begin(self) -> None:
        """What is due begins; what has begun is under way still."""
        for agent, _ in self._agents:
            self.house.client.keep_agent(attrs.evolve(agent, underway=len(self._ends) // 2))
        self.house.client.schedule_runs()
        for agent, queue_id in self._agents:
            self._take(agent, queue_id)
        self._renew()

    def _prepare(self) -> None:
        client, now = self.house.client, self.clock.now()
        for work in WORKS:
            deployment = Deployment(
                id=self.house.ids.new(),
                name=work.name,
                flow_name=work.flow,
                code=Code(entrypoint=f"flows.{work.flow.replace('-', '_')}:{work.flow.replace('-', '_')}"),
                parameters=work.parameters,
                parameter_schema=work.schema,
                tags=work.tags,
                schedules=(DeploymentSchedule(kind=work.schedule),) if work.schedule else (),
                flow_runner=Choice("subprocess"),
                created=now,
                updated=now,
            )
            (kept,) = client.put_deployments((deployment,))
            self._works[kept.id] = work
        for name, criteria, limit in (("prod", {"tags": ["prod"]}, None), ("nightly", {"tags": ["ops"]}, 1), ("gpu", {"tags": ["gpu"]}, 1)):
            queue = WorkQueue(id=self.house.ids.new(), name=name, criteria=criteria, concurrency_limit=limit, created=now, updated=now)
            client.put_work_queue(queue)
            if name != "gpu":
                self._agents.append((self._agent(f"{name}-agent", queue.id), queue.id))
        client.set_limit("database", 4)
        client.set_limit("gpu", 1)
        bucket = Choice("s3", {"bucket": "acme-flows", "region_name": "eu-central-1", "aws_secret_access_key": "secret://env/ACME_KEY"})
        for name, choice in (("flows", bucket), ("scratch", Choice("local", {"path": "/srv/scratch"}))):
            client.put_storage(NamedStorage(id=self.house.ids.new(), name=name, choice=choice, created=now, updated=now), {})

    def _agent(self, name: str, queue_id: str) -> Agent:
        host = name.replace("agent", "01")
        return Agent(
            id=self.house.ids.new(), name=name, host=host, process=4711, version="0.1.0", queues=(queue_id,), limit=20, started=BEGIN
        )

    def _ask(self, flow: str, name: str, run: str) -> None:
        deployment_id = next(key for key, work in self._works.items() if (work.flow, work.name) == (flow, name))
        asked = RunRequest(id=self.house.ids.new(), deployment_id=deployment_id, name=run, is_named=True)
        self.house.client.request_run(asked)

    def _take(self, agent: Agent, queue_id: str) -> None:
        asked = ClaimRequest(id=self.house.ids.new(), agent_id=agent.id, queue_ids=(queue_id,), limit=20)
        for run in self.house.client.claim_runs(asked).runs:
            assert run.deployment_id is not None, "queues gather runs of deployments"
            work = self._works[run.deployment_id]
            self._move(run, State.running())
            self._ends[run.id] = (self.clock.now() + timedelta(minutes=work.minutes * self._draw.uniform(0.7, 1.5)), run, work)
            self._journal(run, work, self._draw.random() * 100 >= work.failing, is_over=False)

    def _renew(self) -> None:
        for _, run, _ in self._ends.values():
            self.house.client.renew_lease(run.id, run.epoch)

    def _end(self) -> None:
        for end, run, work in list(self._ends.values()):
            if end <= self.clock.now():
                del self._ends[run.id]
                is_good = self._draw.random() * 100 >= work.failing
                self._journal(run, work, is_good, is_over=True)
                self._move(
                    run, State.completed() if is_good else State.failed(message="ConnectionError: the warehouse closed the connection")
                )

    def _move(self, run: FlowRun, state: State) -> None:
        self.house.client.move_flow_run(Move(id=self.house.ids.new(), run_id=run.id, state=state, epoch=run.epoch))

    def _journal(self, run: FlowRun, work: Work, is_good: bool, *, is_over: bool) -> None:
        """Its tasks one after the other, and what it says of them."""
        begin, now = self.house.client.read_flow_run(run.id).start_time or self.clock.now(), self.clock.now()
        portion = (now - begin) / len(work.tasks)
        tasks: list[TaskRun] = []
        for number, name in enumerate(work.tasks if is_over else work.tasks[:1]):
            last = number == len(work.tasks) - 1
            ended = (
                State.completed() if is_good or not last else State.failed(message="ConnectionError: the warehouse closed the connection")
            )
            state = attrs.evolve(ended if is_over else State.running(), timestamp=begin + portion * (number + 1))
            tasks.append(
                TaskRun(
                    id=f"{run.id}-{number}",
                    name=f"{name}-0",
                    state=state,
                    created=begin + portion * number,
                    start_time=begin + portion * number,
                    end_time=begin + portion * (number + 1) if is_over else None,
                    flow_run_id=run.id,
                    task_name=name,
                    task_key=name,
                    call=0,
                    revision=2 if is_over else 1,
                    inputs={"data": (tasks[-1].id,)} if tasks else {},
                )
            )
        said = [(20, f"{task.task_name}: {self._draw.randrange(900, 99000):,} rows") for task in tasks if is_over] or [
            (20, f"starting with {work.tasks[0]}")
        ]
        if is_over and not is_good:
            said += [(40, "ConnectionError: the warehouse closed the connection")]
        lines = tuple(
            LogLine(id=self.house.ids.new(), flow_run_id=run.id, timestamp=now, level=level, logger="headrace.flow", message=message)
            for level, message in said
        )
        states = tuple(RunState(run_id=task.id, revision=task.revision, state=task.state) for task in tasks)
        self.house.client.write_journal(
            JournalBatch(flow_run_id=run.id, epoch=run.epoch, logs=lines, task_runs=tuple(tasks), states=states)
        )
