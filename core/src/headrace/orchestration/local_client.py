"""The client without a wire: asks the orchestrator and the store of this process."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from headrace.clock import Clock
from headrace.errors import InvalidOption, NotFound, WrongData
from headrace.ids import Ids
from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.counts import CountFilter, FlowRunCounts, window_of
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.explanations import Explanation
from headrace.model.filters import (
    MOST_ROWS,
    DeploymentFilter,
    EventFilter,
    FlowFilter,
    FlowRunFilter,
    LogFilter,
    Page,
    TaskRunFilter,
    WorkQueueFilter,
)
from headrace.model.flows import Flow
from headrace.model.journals import JournalBatch
from headrace.model.leases import LeaseOrder
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.names import checked_name
from headrace.model.news import EventNews, News
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.retention import Forgotten, Retention
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import DeploymentSchedule, Scheduled, TickRun
from headrace.model.states import State, StateType
from headrace.model.storages import NamedStorage, Reserved, StoragePlace
from headrace.model.tokens import DIGEST_LENGTH, Scope, Token
from headrace.orchestration.claiming import Claiming
from headrace.orchestration.deployments import Deployments, unknown_deployment
from headrace.orchestration.explaining import Explaining
from headrace.orchestration.matching import Matching, unknown_queue
from headrace.orchestration.orchestrator import Orchestrator
from headrace.orchestration.retention import Forgetting
from headrace.orchestration.scheduling import Scheduling, remembered
from headrace.orchestration.serving import Serving
from headrace.orchestration.storages import Around, Storages
from headrace.orchestration.waiting import events_after
from headrace.ports.queue_matcher import QueueMatcher
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.ports.schedule import Schedule
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Retry
from headrace.rules.ticks import Horizon
from headrace.rules.verdicts import Verdict

_BEGUN = tuple(kind for kind in StateType if kind is not StateType.SCHEDULED)
"""What runs are that do not wait for their time."""


@attrs.frozen(kw_only=True)
class LocalClient:
    """Everything an outsider may ask, answered in this process."""

    store: OpenRunStore
    clock: Clock
    lease_seconds: float
    tell: Callable[[Event], None]
    orchestrator: Orchestrator
    serving: Serving
    matching: Matching
    claiming: Claiming
    deployments: Deployments
    scheduling: Scheduling
    explaining: Explaining
    forgetting: Forgetting
    storages: Storages

    @classmethod
    def over(
        cls,
        store: OpenRunStore,
        *,
        rules: RuleBook,
        clock: Clock,
        lease_seconds: float,
        ids: Ids,
        matcher: Callable[[str], QueueMatcher],
        schedule: Callable[[Choice], Schedule],
        tell: Callable[[Event], None],
        around: Around = Around(),  # noqa: B008 - a frozen value
        retention: Retention = Retention(),  # noqa: B008 - a frozen value
        outage_seconds: float = 600.0,
        horizon: Horizon = Horizon(),  # noqa: B008 - a frozen value
    ) -> "LocalClient":
        """The orchestration over a store: `matcher` gives queue matchers by name, `schedule` schedules by their choice, `tell` hears of every event after
        it was stored."""
        matching = Matching(store=store, clock=clock, matcher=matcher, tell=tell)
        serving = Serving(store=store, clock=clock, lease_seconds=lease_seconds, forgotten_after=outage_seconds)
        orchestrator = Orchestrator(store=store, rules=rules, clock=clock, lease_seconds=lease_seconds, serving=serving, tell=tell)
        storages = Storages(store=store, clock=clock, ids=ids, around=around, tell=tell)
        scheduling = Scheduling(
            store=store,
            clock=clock,
            ids=ids,
            matching=matching,
            kind=remembered(schedule),
            move=orchestrator.move_flow_run,
            tell=tell,
            horizon=horizon,
        )
        return cls(
            store=store,
            clock=clock,
            lease_seconds=lease_seconds,
            tell=tell,
            orchestrator=orchestrator,
            serving=serving,
            matching=matching,
            claiming=Claiming(
                store=store,
                rules=rules,
                clock=clock,
                lease_seconds=lease_seconds,
                matching=matching,
                move=orchestrator.move_flow_run,
                tell=tell,
            ),
            deployments=Deployments(
                store=store, clock=clock, lease_seconds=lease_seconds, matching=matching, scheduling=scheduling, tell=tell
            ),
            scheduling=scheduling,
            explaining=Explaining(store=store, rules=rules, clock=clock, matcher=matcher),
            forgetting=Forgetting(store=store, clock=clock, retention=retention, forget_results=storages.forget_results),
            storages=storages,
        )

    # Runs

    def create_flow_run(self, run: FlowRun, holder: str | None = None) -> FlowRun:
        return self.orchestrator.create_flow_run(run, holder)

    def read_flow_run(self, run_id: str) -> FlowRun:
        with self.store.reading() as reading:
            run = reading.flow_run(run_id)
        if run is None:
            raise NotFound(what="flow run", name=run_id, command="flow-run ls")
        return run

    def read_flow_runs(self, wanted: FlowRunFilter, page: Page) -> list[FlowRun]:
        with self.store.reading() as reading:
            return reading.flow_runs(wanted, page)

    def count_flow_runs(self, wanted: CountFilter) -> FlowRunCounts:
        first, last = window_of(wanted, self.clock.now())
        with self.store.reading() as reading:
            states = tuple(reading.count_flow_runs(attrs.evolve(wanted, created_after=first, created_before=last)))
        return FlowRunCounts(created_after=first, created_before=last, states=states)

    def read_flows(self, wanted: FlowFilter, limit: int, since: datetime | None = None) -> list[Flow]:
        first, last = window_of(CountFilter(created_after=since), self.clock.now())
        with self.store.reading() as reading:
            return [_flow(reading, name, first, last) for name in reading.flow_names(wanted, limit)]

    def explain_flow_run(self, run_id: str) -> Explanation:
        return self.explaining.explain(run_id)

    def delete_flow_run(self, run_id: str) -> None:
        with self.store.writing() as writing:
            run = writing.flow_run(run_id)
            if run is None or not writing.delete_flow_run(run_id):
                raise NotFound(what="flow run", name=run_id, command="flow-run ls")
        # a process that was thought dead may be there still, and hears only with its next question that nobody wants its results any more
        self.storages.forget_results([run_id], are_under_way=not run.state.is_terminal() or run.state.is_crashed())

    def move_flow_run(self, move: Move) -> Verdict:
        return self.orchestrator.move_flow_run(move)

    def retry_flow_run(self, run_id: str, move_id: str) -> FlowRun:
        return self.deployments.retry_run(run_id, move_id)

    def resume_flow_run(self, run_id: str, move_id: str) -> FlowRun:
        return self.deployments.resume_run(run_id, move_id)

    def name_flow_run(self, run_id: str, epoch: int, name: str) -> FlowRun:
        return self.orchestrator.name_flow_run(run_id, epoch, name)

    def renew_lease(self, run_id: str, epoch: int) -> LeaseOrder:
        return self.orchestrator.renew_lease(run_id, epoch)

    def write_journal(self, batch: JournalBatch) -> LeaseOrder:
        return self.orchestrator.write_journal(batch)

    def move_task_run(self, move: Move, run: TaskRun, retry: Retry) -> Verdict:
        return self.orchestrator.move_task_run(move, run, retry)

    def read_task_run(self, run_id: str) -> TaskRun:
        with self.store.reading() as reading:
            run = reading.task_run(run_id)
        if run is None:
            raise NotFound(what="task run", name=run_id, command="task-run ls")
        return run

    def read_task_runs(self, wanted: TaskRunFilter, page: Page) -> list[TaskRun]:
        with self.store.reading() as reading:
            return reading.task_runs(wanted, page)

    def read_states(self, run_id: str) -> list[State]:
        with self.store.reading() as reading:
            return reading.states(run_id)

    def read_logs(self, wanted: LogFilter, page: Page) -> list[LogLine]:
        if wanted.text and not wanted.flow_run_ids and wanted.task_run_id is None:
            why = "a text is looked for in the lines of some runs; say in those of which, by flow_run_ids or task_run_id"
            raise WrongData(where="wanted.text", why=why)
        with self.store.reading() as reading:
            return reading.logs(wanted, page)

    def read_news(self, run_id: str, after: int = 0) -> News:
        with self.store.reading() as reading:
            run = reading.flow_run(run_id)
            arrived = reading.arrivals(run_id, after, MOST_ROWS)
        if run is None:
            raise NotFound(what="flow run", name=run_id, command="flow-run ls")
        return News(run=run, lines=tuple(line for _, line in arrived), cursor=arrived[-1][0] if arrived else after)

    def follow_flow_run(self, run_id: str, after: int = 0, every: float = 0.5) -> Iterator[News]:
        while True:
            seen = self.read_last_event()
            news = self.read_news(run_id, after)
            yield news
            if not news.lines:
                self.wait_for_events(EventFilter(after=seen, subjects=news.subjects), every)
            after = news.cursor

    # Deployments

    def put_deployments(self, deployments: tuple[Deployment, ...]) -> list[Deployment]:
        return self.deployments.put(deployments)

    def put_schedules(self, deployment_id: str, version: int, schedules: tuple[DeploymentSchedule, ...]) -> Deployment:
        return self.deployments.put_schedules(deployment_id, version, schedules)

    def read_deployment(self, deployment_id: str) -> Deployment:
        with self.store.reading() as reading:
            deployment = reading.deployment(deployment_id)
        if deployment is None:
            raise unknown_deployment(deployment_id)
        return deployment

    def read_deployments(self, wanted: DeploymentFilter, page: Page) -> list[Deployment]:
        with self.store.reading() as reading:
            return reading.deployments(wanted, page)

    def read_deployment_versions(self, deployment_id: str, limit: int) -> list[Deployment]:
        return self.deployments.versions(deployment_id, limit)

    def pause_deployment(self, deployment_id: str) -> Deployment:
        return self.deployments.pause(deployment_id)

    def resume_deployment(self, deployment_id: str) -> Deployment:
        return self.deployments.resume(deployment_id)

    def delete_deployment(self, deployment_id: str) -> None:
        self.deployments.delete(deployment_id)

    def request_run(self, request: RunRequest) -> FlowRun:
        return self.deployments.request_run(request)

    # Work queues and agents

    def read_ticks(self, schedule_ids: tuple[str, ...], first: datetime, last: datetime, limit: int) -> list[TickRun]:
        with self.store.reading() as reading:
            return reading.ticks(schedule_ids, first, last, limit)

    def schedule_runs(self) -> Scheduled:
        return self.scheduling.make_runs()

    def put_work_queue(self, queue: WorkQueue) -> WorkQueue:
        return self.matching.put_queue(queue)

    def read_work_queue(self, queue_id: str) -> WorkQueue:
        with self.store.reading() as reading:
            queue = reading.work_queue(queue_id)
        if queue is None:
            raise unknown_queue(queue_id)
        return queue

    def read_work_queues(self, wanted: WorkQueueFilter, page: Page) -> list[WorkQueue]:
        with self.store.reading() as reading:
            return reading.work_queues(wanted, page)

    def delete_work_queue(self, queue_id: str) -> None:
        self.matching.delete_queue(queue_id)

    def read_due(self, queue_id: str, until: datetime, limit: int) -> list[FlowRun]:
        self.read_work_queue(queue_id)
        self.matching.finish([queue_id])
        with self.store.reading() as reading:
            return reading.due(queue_id, until, limit)

    def count_under_way(self, queue_id: str) -> int:
        self.read_work_queue(queue_id)
        with self.store.reading() as reading:
            return reading.in_use(queue_id)

    def claim_runs(self, request: ClaimRequest) -> Claimed:
        return self.claiming.claim(request)

    def adopt_runs(self, agent_id: str, identities: tuple[str, ...]) -> list[FlowRun]:
        return self.claiming.adopt(agent_id, identities)

    def release_lost_runs(self) -> list[FlowRun]:
        return self.orchestrator.release_lost_runs()

    def note_waits(self) -> int:
        return self.explaining.note_waits()

    def keep_agent(self, agent: Agent) -> None:
        with self.store.writing() as writing:
            known = writing.agent(agent.id)
            writing.keep_agent(agent, seconds=self.lease_seconds)
            is_news = known is None or not known.live or _without_work(known) != _without_work(agent)
            event = self._happened(writing, "agent.changed", agent.id) if is_news else None
        if event is not None:
            self.tell(event)

    def drop_agent(self, agent_id: str) -> None:
        with self.store.writing() as writing:
            event = self._happened(writing, "agent.left", agent_id) if writing.drop_agent(agent_id) else None
        if event is not None:
            self.tell(event)

    def read_agents(self) -> list[Agent]:
        with self.store.reading() as reading:
            return reading.agents()

    # Retention

    def forget_old(self) -> Forgotten:
        return self.forgetting.forget()

    def plan_forgetting(self) -> Forgotten:
        return self.forgetting.plan()

    # Events

    def read_last_event(self) -> int:
        with self.store.reading() as reading:
            return reading.last_event()

    def wait_for_events(self, wanted: EventFilter, seconds: float) -> list[Event]:
        return events_after(self.store, wanted, seconds, now=self.clock.monotonic)

    def follow_events(self, wanted: EventFilter, every: float = 0.5) -> Iterator[EventNews]:
        seconds = 0.0
        while True:
            seen = self.read_last_event()
            events = tuple(self.wait_for_events(wanted, seconds))
            cursor = events[-1].sequence if events else max(wanted.after, seen)
            yield EventNews(events=events, cursor=cursor)
            wanted, seconds = attrs.evolve(wanted, after=cursor), every

    # Storages

    def put_storage(self, storage: NamedStorage, secrets: Mapping[str, Any]) -> NamedStorage:
        return self.storages.put(storage, secrets)

    def read_storages(self) -> list[NamedStorage]:
        return self.storages.all()

    def set_default_storage(self, storage_id: str) -> NamedStorage:
        return self.storages.set_default(storage_id)

    def reset_default_storage(self) -> None:
        self.storages.reset_default()

    def delete_storage(self, storage_id: str) -> None:
        self.storages.delete(storage_id)

    def abandon_keys(self, storage_id: str) -> None:
        self.storages.abandon_keys(storage_id)

    def reseal_storages(self) -> int:
        return self.storages.reseal()

    def open_storage(self, name: str, user: str) -> Choice:
        return self.storages.open(name, user)

    def read_place(self) -> StoragePlace:
        return self.storages.place()

    def reserve_keys(self, storage: Choice, keys: tuple[str, ...]) -> StoragePlace:
        return self.storages.reserve(storage, keys)

    def reserve_results(self, run_id: str, storage: Choice) -> StoragePlace:
        return self.storages.reserve_results(run_id, storage)

    def read_unneeded_keys(self, after: Reserved | None, limit: int) -> list[Reserved]:
        return self.storages.unneeded(after, limit)

    def begin_removing(self, keys: tuple[Reserved, ...]) -> list[Reserved]:
        return self.storages.begin_removing(keys)

    def end_removing(self, keys: tuple[Reserved, ...]) -> None:
        self.storages.end_removing(keys)

    # Tokens

    def create_token(self, token: Token) -> Token:
        checked_name("token", token.name)
        if len(token.digest) != DIGEST_LENGTH:
            raise WrongData(where=f"token {token.name!r}", why="its digest must be a sha256 in hexadecimal digits")
        if token.scope is Scope.RUN:
            raise WrongData(where=f"token {token.name!r}", why="the scope run is for runs, which get their tokens when they are claimed")
        with self.store.writing() as writing:
            kept = token if writing.add_token(token) else writing.token(token.id)
            assert kept is not None, "a token that could not be added is known"
        return attrs.evolve(kept, digest="")

    def read_tokens(self) -> list[Token]:
        with self.store.reading() as reading:
            return [attrs.evolve(token, digest="") for token in reading.tokens()]

    def revoke_token(self, token_id: str) -> None:
        with self.store.writing() as writing:
            if not writing.delete_token(token_id):
                raise NotFound(what="token", name=token_id, command="server token ls")

    # Limits

    def read_limits(self) -> list[ConcurrencyLimit]:
        with self.store.reading() as reading:
            return reading.limits()

    def set_limit(self, tag: str, limit: int) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise InvalidOption(where=f"tag {tag!r}", option="limit", value=limit, why="it must be a whole number that is not negative")
        with self.store.writing() as writing:
            writing.set_limit(tag, limit)
            event = self._happened(writing, "concurrency-limit.changed", tag)
        self.tell(event)

    def delete_limit(self, tag: str) -> None:
        with self.store.writing() as writing:
            if not writing.delete_limit(tag):
                raise NotFound(what="concurrency limit of tag", name=tag, command="concurrency-limit ls")
            event = self._happened(writing, "concurrency-limit.deleted", tag)
        self.tell(event)

    def _happened(self, writing: Writing, kind: str, subject: str) -> Event:
        return writing.append_event(Event(moment=self.clock.now(), kind=kind, subject=subject))


def _without_work(agent: Agent) -> Agent:
    """What is told of an agent when it changes; what it has under way, its runs tell."""
    return attrs.evolve(agent, underway=0, full_runners=(), live=True)


def _flow(reading: Reading, name: str, first: datetime, last: datetime) -> Flow:
    counted = CountFilter(flow_names=(name,), created_after=first, created_before=last)
    newest = reading.flow_runs(FlowRunFilter(flow_names=(name,), state_types=_BEGUN), Page(limit=1))
    return Flow(name=name, states=tuple(reading.count_flow_runs(counted)), newest_run=newest[0] if newest else None)
