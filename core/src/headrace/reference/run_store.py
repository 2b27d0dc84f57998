"""The reference run store: runs in this process's memory.

Frozen values in dicts, and one lock that every look and every transaction holds from beginning to end. A transaction changes the dicts in place and
notes what was there before; if it fails, the notes are played back. Looking and writing do not nest: a second one in the same thread would wait for
the first for ever.
"""

import copy
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any, ClassVar, TypeVar

import attrs

from headrace.clock import Clock, SystemClock
from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.counts import CountFilter, StateCount, first_of_hour
from headrace.model.deployments import Archive, Deployment
from headrace.model.events import Event
from headrace.model.explanations import Wait
from headrace.model.filters import (
    DeploymentFilter,
    EventFilter,
    FlowFilter,
    FlowRunFilter,
    LogFilter,
    Page,
    TaskRunFilter,
    WorkQueueFilter,
    has_text,
)
from headrace.model.journals import RunState
from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import SchedulePlan, Tick, TickRun
from headrace.model.states import AWAITING_RESTART, AWAITING_RETRY, MISSING, SKIPPED, State
from headrace.model.storages import NamedStorage, Reserved
from headrace.model.tokens import Token
from headrace.ports.diagnosis import Diagnosis
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.rules.verdicts import Verdict

K = TypeVar("K")
V = TypeVar("V")
Run = TypeVar("Run", FlowRun, TaskRun)
Row = TypeVar("Row", FlowRun, TaskRun, LogLine, Deployment, WorkQueue)

_ENDED = float("-inf")
_BEFORE_ALL = (datetime.min.replace(tzinfo=UTC), "")


@attrs.frozen
class _Grant:
    """A lease as it is kept; `expires` is a reading of the monotonic clock."""

    epoch: int
    holder: str
    expires: float


@attrs.frozen
class _Tables:
    """All that is remembered. Histories are by run and revision; what is kept under a cache key is oldest first; slots are by task run;
    assignments are the queues of each flow run; an agent is kept until a reading of the monotonic clock; `forgotten` counts the events that were."""

    flow_runs: dict[str, FlowRun] = attrs.field(factory=dict)
    task_runs: dict[str, TaskRun] = attrs.field(factory=dict)
    states: dict[str, dict[int, State]] = attrs.field(factory=dict)
    logs: dict[str, LogLine] = attrs.field(factory=dict)
    arrivals: dict[str, int] = attrs.field(factory=dict)
    leases: dict[str, _Grant] = attrs.field(factory=dict)
    verdicts: dict[str, tuple[str, Verdict]] = attrs.field(factory=dict)
    cached: dict[str, tuple[tuple[str, State], ...]] = attrs.field(factory=dict)
    limits: dict[str, int] = attrs.field(factory=dict)
    slots: dict[str, tuple[frozenset[str], str, int]] = attrs.field(factory=dict)
    events: dict[int, Event] = attrs.field(factory=dict)
    deployments: dict[str, Deployment] = attrs.field(factory=dict)
    work_queues: dict[str, WorkQueue] = attrs.field(factory=dict)
    assignments: dict[str, frozenset[str]] = attrs.field(factory=dict)
    agents: dict[str, tuple[Agent, float]] = attrs.field(factory=dict)
    waits: dict[str, tuple[Wait, ...]] = attrs.field(factory=dict)
    versions: dict[str, dict[int, Deployment]] = attrs.field(factory=dict)
    schedule_plans: dict[str, SchedulePlan] = attrs.field(factory=dict)
    ticks: dict[tuple[str, int, datetime], str] = attrs.field(factory=dict)
    marks: dict[str, str] = attrs.field(factory=dict)
    tokens: dict[str, Token] = attrs.field(factory=dict)
    storages: dict[str, NamedStorage] = attrs.field(factory=dict)
    reserved: dict[tuple[str, str], Reserved] = attrs.field(factory=dict)
    borrowed: dict[tuple[str, str], None] = attrs.field(factory=dict)
    forgotten: dict[str, int] = attrs.field(factory=dict)


class _Look:
    """Answers questions. The lock is held as long as this is used."""

    def __init__(self, tables: _Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def flow_run(self, run_id: str) -> FlowRun | None:
        return self._tables.flow_runs.get(run_id)

    def flow_runs(self, wanted: FlowRunFilter, page: Page) -> list[FlowRun]:
        runs = (run for run in self._tables.flow_runs.values() if _is_wanted_flow_run(run, wanted))
        return _page(
            (run for run in runs if _is_one_of(run.work_queue, wanted.work_queues) or self._waits_in(run, wanted.work_queues)), page
        )

    def count_flow_runs(self, wanted: CountFilter) -> list[StateCount]:
        counts = Counter((run.state.type, run.state.name) for run in self._tables.flow_runs.values() if _is_counted(run, wanted))
        return [StateCount(type=kind, name=name, count=count) for (kind, name), count in sorted(counts.items())]

    def flow_names(self, wanted: FlowFilter, limit: int) -> list[str]:
        names = {run.flow_name for run in self._tables.flow_runs.values()} | {each.flow_name for each in self._tables.deployments.values()}
        return sorted(name for name in names if name > wanted.after and has_text(name, wanted.text))[: max(limit, 0)]

    def count_ended(self, until: datetime, after: str, most: int) -> int:
        runs = (run for run in self._tables.flow_runs.values() if run.id == run.root_id and run.state.is_terminal())
        return min(max(most, 0), sum(run.created <= until and run.id > after for run in runs))

    def task_run(self, run_id: str) -> TaskRun | None:
        return self._tables.task_runs.get(run_id)

    def task_runs(self, wanted: TaskRunFilter, page: Page) -> list[TaskRun]:
        return _page((run for run in self._tables.task_runs.values() if _is_wanted_task_run(run, wanted)), page)

    def states(self, run_id: str) -> list[State]:
        return [state for _, state in sorted(self._tables.states.get(run_id, {}).items())]

    def logs(self, wanted: LogFilter, page: Page) -> list[LogLine]:
        return _page((line for line in self._tables.logs.values() if _is_wanted_line(line, wanted)), page)

    def arrivals(self, flow_run_id: str, after: int, limit: int) -> list[tuple[int, LogLine]]:
        tables = self._tables
        newer = ((number, tables.logs[line_id]) for line_id, number in tables.arrivals.items() if number > after)
        return list(islice(((number, line) for number, line in newer if line.flow_run_id == flow_run_id), max(limit, 0)))

    def lease(self, run_id: str) -> Lease | None:
        grant = self._tables.leases.get(run_id)
        if grant is None:
            return None
        return Lease(run_id=run_id, epoch=grant.epoch, holder=grant.holder, live=self._is_live(grant))

    def verdict(self, move_id: str) -> Verdict | None:
        _, verdict = self._tables.verdicts.get(move_id, (None, None))
        return verdict

    def cached(self, cache_key: str, now: datetime) -> State | None:
        kept = (state for _, state in reversed(self._tables.cached.get(cache_key, ())))
        return next((state for state in kept if state.cache_expiration is None or state.cache_expiration > now), None)

    def limits(self, tags: Iterable[str] | None = None) -> list[ConcurrencyLimit]:
        known = self._tables.limits
        wanted = sorted(known if tags is None else known.keys() & set(tags))
        return [ConcurrencyLimit(tag=tag, limit=known[tag], holders=self._holders(tag)) for tag in wanted]

    def events(self, wanted: EventFilter, limit: int) -> list[Event]:
        newer = (self._tables.events[sequence] for sequence in range(max(wanted.after, self._forgotten()) + 1, self.last_event() + 1))
        fitting = (each for each in newer if _is_one_of(each.kind, wanted.kinds) and _is_one_of(each.subject, wanted.subjects))
        return list(islice(fitting, max(limit, 0)))

    def last_event(self) -> int:
        return self._forgotten() + len(self._tables.events)

    def deployment(self, deployment_id: str) -> Deployment | None:
        return self._tables.deployments.get(deployment_id)

    def deployments(self, wanted: DeploymentFilter, page: Page) -> list[Deployment]:
        return _page((each for each in self._tables.deployments.values() if _is_wanted_deployment(each, wanted)), page)

    def deployment_versions(self, deployment_id: str, limit: int) -> list[Deployment]:
        known = self._tables.versions.get(deployment_id, {})
        return [known[version] for version in sorted(known, reverse=True)[: max(limit, 0)]]

    def work_queue(self, queue_id: str) -> WorkQueue | None:
        return self._tables.work_queues.get(queue_id)

    def work_queues(self, wanted: WorkQueueFilter, page: Page) -> list[WorkQueue]:
        return _page((each for each in self._tables.work_queues.values() if _is_wanted_queue(each, wanted)), page)

    def due(self, queue_id: str, until: datetime, limit: int, *, after: tuple[datetime, str] | None = None) -> list[FlowRun]:
        found = [
            (run.state.scheduled_time, run.id, run)
            for run in self._assigned(queue_id)
            if run.state.is_scheduled() and not self._is_held(run)
        ]
        beyond = after or _BEFORE_ALL
        in_time = sorted((due, run_id, run) for due, run_id, run in found if due is not None and due <= until and (due, run_id) > beyond)
        return [run for _, _, run in in_time[: max(limit, 0)]]

    def in_use(self, queue_id: str) -> int:
        return sum(self._is_held(run) for run in self._assigned(queue_id))

    def under_way(self, queue_id: str, limit: int) -> list[FlowRun]:
        held = sorted((run for run in self._assigned(queue_id) if self._is_held(run)), key=lambda run: run.id)
        return held[: max(limit, 0)]

    def late(self, before: datetime, limit: int) -> list[FlowRun]:
        found = [
            (run.state.scheduled_time, run.id, run)
            for run in self._tables.flow_runs.values()
            if run.deployment_id is not None and run.state.is_scheduled() and not self._is_held(run)
        ]
        late = sorted((due, run_id, run) for due, run_id, run in found if due is not None and due < before)
        return [run for _, _, run in late[: max(limit, 0)]]

    def overdue(self, now: datetime, limit: int) -> list[FlowRun]:
        found = [
            (run.tick.start_by, run.id, run)
            for run in self._tables.flow_runs.values()
            if run.tick is not None
            and run.tick.start_by is not None
            and run.state.is_scheduled()
            and run.run_count == 0
            and not self._is_held(run)
        ]
        overdue = sorted((start_by, run_id, run) for start_by, run_id, run in found if start_by is not None and start_by <= now)
        return [run for _, _, run in overdue[: max(limit, 0)]]

    def ticks_waiting(self, schedule_id: str, until: datetime, limit: int) -> list[FlowRun]:
        waiting = [(tick, run) for tick, run in self._ticks(schedule_id) if tick.at <= until and run.state.is_scheduled()]
        never_began = (run for _, run in waiting if run.run_count == 0 and run.state.name not in (AWAITING_RETRY, AWAITING_RESTART))
        return list(islice(never_began, max(limit, 0)))

    def ticks(self, schedule_ids: Sequence[str], first: datetime, last: datetime, limit: int) -> list[TickRun]:
        return [each for schedule_id in sorted(set(schedule_ids)) for each in self._latest_ticks(schedule_id, first, last, max(limit, 0))]

    def _latest_ticks(self, schedule_id: str, first: datetime, last: datetime, limit: int) -> list[TickRun]:
        found = [
            TickRun(schedule_id=schedule_id, at=tick.at, run_id=run.id, state_type=run.state.type, state_name=run.state.name)
            for tick, run in self._ticks(schedule_id)
            if first <= tick.at <= last
        ]
        return found[max(len(found) - limit, 0) :]

    def ticks_begun(self, schedule_id: str, limit: int) -> list[FlowRun]:
        begun = (run for _, run in self._ticks(schedule_id) if _is_under_way(run))
        return list(islice(begun, max(limit, 0)))

    def _ticks(self, schedule_id: str) -> list[tuple[Tick, FlowRun]]:
        """The runs of a schedule, earliest time first."""
        ids = (run_id for (schedule, _, _), run_id in self._tables.ticks.items() if schedule == schedule_id)
        found = ((run.tick, run) for run in (self._tables.flow_runs[run_id] for run_id in ids) if run.tick is not None)
        return sorted(found, key=lambda each: (each[0].at, each[1].id))

    def schedule_plan(self, schedule_id: str) -> SchedulePlan | None:
        return self._tables.schedule_plans.get(schedule_id)

    def schedule_plans(self, until: datetime, limit: int) -> list[SchedulePlan]:
        looks = [(plan.look_at, plan.schedule_id, plan) for plan in self._tables.schedule_plans.values()]
        due = sorted((look_at, schedule_id, plan) for look_at, schedule_id, plan in looks if look_at is not None and look_at <= until)
        return [plan for _, _, plan in due[: max(limit, 0)]]

    def looked_after(self, moment: datetime) -> bool:
        plans = self._tables.schedule_plans.values()
        return any(plan.looked is not None and plan.looked > moment and plan.look_at is not None for plan in plans)

    def waits(self, run_id: str) -> list[Wait]:
        return list(self._tables.waits.get(run_id, ()))

    def held_by(self, holder: str) -> list[FlowRun]:
        held = sorted(run_id for run_id, grant in self._tables.leases.items() if grant.holder == holder)
        return [self._tables.flow_runs[run_id] for run_id in held]

    def lost(self, limit: int) -> list[FlowRun]:
        over = sorted(run_id for run_id, grant in self._tables.leases.items() if grant.expires != _ENDED and not self._is_live(grant))
        return [self._tables.flow_runs[run_id] for run_id in over[: max(limit, 0)]]

    def storage(self, name: str) -> NamedStorage | None:
        return next((each for each in self._tables.storages.values() if each.name == name), None)

    def storages(self) -> list[NamedStorage]:
        return sorted(self._tables.storages.values(), key=lambda each: each.name)

    def reserved(self, keys: Iterable[str]) -> list[Reserved]:
        wanted = set(keys)
        return [each for (key, _), each in sorted(self._tables.reserved.items()) if key in wanted]

    def reserved_before(self, moment: datetime, after: Reserved | None, limit: int) -> list[Reserved]:
        last = _place(after) if after is not None else ("", "")
        found = (each for place, each in sorted(self._tables.reserved.items()) if place > last and each.at < moment)
        return list(islice(found, max(limit, 0)))

    def count_reserved(self, storage: Choice, most: int) -> int:
        wanted = _address(storage)
        return min(max(most, 0), sum(address == wanted for _, address in self._tables.reserved))

    def is_borrowed(self, kept_by: str) -> bool:
        return any(owner == kept_by and run_id in self._tables.flow_runs for owner, run_id in self._tables.borrowed)

    def archives(self, sha256: str) -> list[Archive]:
        versions = [each for known in self._tables.versions.values() for each in known.values()]
        found = (each.code.archive for each in versions if each.code.archive is not None and each.code.archive.sha256 == sha256)
        return [archive for _, archive in sorted({_address(archive): archive for archive in found}.items())]

    def mark(self, name: str) -> str | None:
        return self._tables.marks.get(name)

    def token(self, token_id: str) -> Token | None:
        return self._tables.tokens.get(token_id)

    def tokens(self) -> list[Token]:
        return [token for _, token in sorted(self._tables.tokens.items())]

    def agent(self, agent_id: str) -> Agent | None:
        kept = self._tables.agents.get(agent_id)
        return None if kept is None else self._judged(*kept)

    def agents(self) -> list[Agent]:
        return [self._judged(*kept) for _, kept in sorted(self._tables.agents.items())]

    def _judged(self, agent: Agent, until: float) -> Agent:
        return attrs.evolve(agent, live=self._clock.monotonic() < until)

    def _forgotten(self) -> int:
        return self._tables.forgotten.get("events", 0)

    def _assigned(self, queue_id: str) -> Iterator[FlowRun]:
        return (self._tables.flow_runs[run_id] for run_id, queues in self._tables.assignments.items() if queue_id in queues)

    def _waits_in(self, run: FlowRun, names: tuple[str, ...]) -> bool:
        """Whether a run waits in a queue of one of these names."""
        return any(self._tables.work_queues[queue_id].name in names for queue_id in self._tables.assignments.get(run.id, ()))

    def _is_held(self, run: FlowRun) -> bool:
        grant = self._tables.leases.get(run.id)
        return grant is not None and self._is_live(grant)

    def _holders(self, tag: str) -> tuple[str, ...]:
        slots = self._tables.slots.items()
        return tuple(sorted(run_id for run_id, (tags, root_id, epoch) in slots if tag in tags and self._is_owned(root_id, epoch)))

    def _is_owned(self, root_id: str, epoch: int) -> bool:
        grant = self._tables.leases.get(root_id)
        return grant is not None and grant.epoch == epoch and self._is_live(grant)

    def _is_live(self, grant: _Grant) -> bool:
        return self._clock.monotonic() < grant.expires


class _Change(_Look):
    """Changes what is remembered, and notes how to take it back."""

    def __init__(self, tables: _Tables, clock: Clock) -> None:
        super().__init__(tables, clock)
        self._before: list[tuple[dict[Any, Any], Any, Any]] = []

    def add_flow_run(self, run: FlowRun) -> bool:
        tick = None if run.tick is None else (run.tick.schedule_id, run.tick.version, run.tick.at)
        if run.id in self._tables.flow_runs or (tick is not None and tick in self._tables.ticks):
            return False
        if tick is not None:
            self._put(self._tables.ticks, tick, run.id)
        self._keep_flow_run(attrs.evolve(run, parameters=copy.deepcopy(run.parameters)))
        return True

    def add_flow_runs(self, runs: Sequence[FlowRun]) -> list[FlowRun]:
        return [run for run in runs if self.add_flow_run(run)]

    def update_flow_run(self, run: FlowRun, *, was: int) -> bool:
        known = self._tables.flow_runs.get(run.id)
        if known is None or known.revision != was:
            return False
        self._keep_flow_run(run)
        return True

    def delete_flow_run(self, run_id: str) -> bool:
        if run_id not in self._tables.flow_runs:
            return False
        for subflow in [run.id for run in self._tables.flow_runs.values() if self._is_under(run, run_id)]:
            self.delete_flow_run(subflow)
        for task_run in [run.id for run in self._tables.task_runs.values() if run.flow_run_id == run_id]:
            self._forget_task_run(task_run)
        self._drop_logs({run_id})
        for move_id in [move_id for move_id, (run, _) in self._tables.verdicts.items() if run == run_id]:
            self._drop(self._tables.verdicts, move_id)
        self._drop(self._tables.assignments, run_id)
        self._drop(self._tables.waits, run_id)
        self._drop(self._tables.leases, run_id)
        self._drop(self._tables.states, run_id)
        tick = self._tables.flow_runs[run_id].tick
        if tick is not None:
            self._drop(self._tables.ticks, (tick.schedule_id, tick.version, tick.at))
        self._drop(self._tables.flow_runs, run_id)
        return True

    def _drop_logs(self, run_ids: Collection[str]) -> None:
        for line_id in [line.id for line in self._tables.logs.values() if line.flow_run_id in run_ids]:
            self._drop(self._tables.logs, line_id)
            self._drop(self._tables.arrivals, line_id)

    def put_task_runs(self, runs: Iterable[TaskRun]) -> None:
        for run in runs:
            known = self._tables.task_runs.get(run.id)
            is_next = known is None or (known.revision <= run.revision and known.flow_run_id == run.flow_run_id)
            if run.flow_run_id in self._tables.flow_runs and is_next:
                self._put(self._tables.task_runs, run.id, _kept(run))

    def add_states(self, states: Iterable[RunState]) -> None:
        for entry in states:
            if entry.run_id in self._tables.task_runs:
                self._add_state(entry.run_id, entry.revision, entry.state)

    def add_logs(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            if line.flow_run_id in self._tables.flow_runs and line.id not in self._tables.logs:
                self._put(self._tables.logs, line.id, line)
                self._put(self._tables.arrivals, line.id, next(reversed(self._tables.arrivals.values()), 0) + 1)

    def remember(self, move_id: str, run_id: str, verdict: Verdict) -> None:
        if run_id in self._tables.flow_runs and move_id not in self._tables.verdicts:
            state = verdict.state and _without_data(verdict.state)
            self._put(self._tables.verdicts, move_id, (run_id, attrs.evolve(verdict, state=state)))

    def grant_lease(self, run_id: str, *, epoch: int, holder: str, seconds: float) -> None:
        if run_id in self._tables.flow_runs:
            self._put(self._tables.leases, run_id, _Grant(epoch, holder, self._clock.monotonic() + seconds))

    def renew_lease(self, run_id: str, *, epoch: int, seconds: float) -> bool:
        grant = self._tables.leases.get(run_id)
        if grant is None or grant.epoch != epoch:
            return False
        self._put(self._tables.leases, run_id, attrs.evolve(grant, expires=self._clock.monotonic() + seconds))
        return True

    def end_lease(self, run_id: str) -> None:
        grant = self._tables.leases.get(run_id)
        if grant is not None:
            self._put(self._tables.leases, run_id, attrs.evolve(grant, expires=_ENDED))

    def keep_cached(self, cache_key: str, state: State, run_id: str) -> None:
        if run_id in self._tables.task_runs:
            others = tuple(kept for kept in self._tables.cached.get(cache_key, ()) if kept[0] != run_id)
            self._put(self._tables.cached, cache_key, (*others, (run_id, _without_data(state))))

    def hold_slots(self, task_run_id: str, tags: Iterable[str], *, root_id: str, epoch: int) -> None:
        if task_run_id in self._tables.task_runs:
            self._put(self._tables.slots, task_run_id, (frozenset(tags), root_id, epoch))

    def free_slots(self, task_run_ids: Iterable[str]) -> None:
        for task_run_id in task_run_ids:
            self._drop(self._tables.slots, task_run_id)

    def set_limit(self, tag: str, limit: int) -> None:
        self._put(self._tables.limits, tag, limit)

    def delete_limit(self, tag: str) -> bool:
        known = tag in self._tables.limits
        self._drop(self._tables.limits, tag)
        return known

    def put_deployment(self, deployment: Deployment) -> bool:
        names = (deployment.flow_name, deployment.name)
        if any(names == (each.flow_name, each.name) and each.id != deployment.id for each in self._tables.deployments.values()):
            return False
        self._put(self._tables.deployments, deployment.id, copy.deepcopy(deployment))
        return True

    def delete_deployment(self, deployment_id: str) -> bool:
        known = deployment_id in self._tables.deployments
        self._drop(self._tables.versions, deployment_id)
        self._drop(self._tables.deployments, deployment_id)
        for plan in [plan for plan in self._tables.schedule_plans.values() if plan.deployment_id == deployment_id]:
            self.drop_schedule_plan(plan.schedule_id)
        return known

    def put_schedule_plan(self, plan: SchedulePlan) -> None:
        self._put(self._tables.schedule_plans, plan.schedule_id, plan)

    def drop_schedule_plan(self, schedule_id: str) -> None:
        self._drop(self._tables.schedule_plans, schedule_id)

    def look_again(self, now: datetime) -> None:
        for plan in [plan for plan in self._tables.schedule_plans.values() if plan.look_at is not None and plan.look_at > now]:
            self.put_schedule_plan(attrs.evolve(plan, look_at=now))

    def forget_ticks(self, schedule_id: str, *, after: datetime | None = None) -> None:
        for tick, run in self._ticks(schedule_id):
            goes = run.state.is_scheduled() or (run.state.is_paused() if after is None else run.state.name == SKIPPED)
            if run.run_count == 0 and goes and (after is None or tick.at > after):
                self.delete_flow_run(run.id)

    def add_deployment_version(self, deployment: Deployment) -> None:
        known = self._tables.versions.get(deployment.id, {})
        if deployment.id in self._tables.deployments and deployment.version not in known:
            self._put(self._tables.versions, deployment.id, {**known, deployment.version: copy.deepcopy(deployment)})

    def put_work_queue(self, queue: WorkQueue) -> bool:
        if any(queue.name == each.name and each.id != queue.id for each in self._tables.work_queues.values()):
            return False
        self._put(self._tables.work_queues, queue.id, copy.deepcopy(queue))
        return True

    def delete_work_queue(self, queue_id: str) -> bool:
        known = queue_id in self._tables.work_queues
        for run_id, queues in tuple(self._tables.assignments.items()):
            if queue_id in queues:
                self._put(self._tables.assignments, run_id, queues - {queue_id})
        self._drop(self._tables.work_queues, queue_id)
        return known

    def assign(self, run_id: str, queue_ids: Iterable[str]) -> None:
        if run_id in self._tables.flow_runs:
            self._put(self._tables.assignments, run_id, frozenset(queue_ids) & self._tables.work_queues.keys())

    def add_wait(self, wait: Wait) -> None:
        if wait.run_id in self._tables.flow_runs:
            others = tuple(each for each in self._tables.waits.get(wait.run_id, ()) if each.since != wait.since)
            self._put(self._tables.waits, wait.run_id, tuple(sorted((*others, wait), key=lambda each: each.since)))

    def end_waits(self, run_id: str, until: datetime) -> None:
        known = self._tables.waits.get(run_id, ())
        if known and known[-1].until is None:
            self._put(self._tables.waits, run_id, (*known[:-1], attrs.evolve(known[-1], until=until)))

    def keep_agent(self, agent: Agent, *, seconds: float) -> None:
        self._put(self._tables.agents, agent.id, (agent, self._clock.monotonic() + seconds))

    def drop_agent(self, agent_id: str) -> bool:
        known = agent_id in self._tables.agents
        self._drop(self._tables.agents, agent_id)
        return known

    def forget_details(self, run_id: str) -> None:
        inside = {run.id for run in self._tables.flow_runs.values() if run_id in (run.id, run.root_id)}
        self._drop_logs(inside)
        for move_id in [move_id for move_id, (run, _) in self._tables.verdicts.items() if run in inside]:
            self._drop(self._tables.verdicts, move_id)
        for task_run in [run.id for run in self._tables.task_runs.values() if run.flow_run_id in inside]:
            self._drop(self._tables.states, task_run)
        for each in inside:
            self._drop(self._tables.waits, each)

    def forget_events(self, until: int) -> None:
        last = min(until, self.last_event() - 1)
        for sequence in range(self._forgotten() + 1, last + 1):
            self._drop(self._tables.events, sequence)
        self._put(self._tables.forgotten, "events", max(last, self._forgotten()))

    def put_storage(self, storage: NamedStorage) -> bool:
        known = self.storage(storage.name)
        if known is not None and known.id != storage.id:
            return False
        self._put(self._tables.storages, storage.id, storage)
        return True

    def delete_storage(self, storage_id: str) -> bool:
        if storage_id not in self._tables.storages:
            return False
        self._drop(self._tables.storages, storage_id)
        return True

    def put_reserved(self, keys: Iterable[Reserved]) -> None:
        for each in keys:
            self._put(self._tables.reserved, _place(each), each)

    def drop_reserved(self, keys: Iterable[Reserved]) -> None:
        for each in keys:
            self._drop(self._tables.reserved, _place(each))

    def borrow(self, kept_by: str, run_id: str) -> None:
        if run_id in self._tables.flow_runs:
            self._put(self._tables.borrowed, (kept_by, run_id), None)

    def drop_reserved_in(self, storage: Choice) -> None:
        wanted = _address(storage)
        for place in [place for place in self._tables.reserved if place[1] == wanted]:
            self._drop(self._tables.reserved, place)

    def put_mark(self, name: str, value: str) -> None:
        self._put(self._tables.marks, name, value)

    def add_token(self, token: Token) -> bool:
        if token.id in self._tables.tokens:
            return False
        self._put(self._tables.tokens, token.id, token)
        return True

    def delete_token(self, token_id: str) -> bool:
        if token_id not in self._tables.tokens:
            return False
        self._drop(self._tables.tokens, token_id)
        return True

    def append_event(self, event: Event) -> Event:
        stored = attrs.evolve(event, sequence=self.last_event() + 1, details=copy.deepcopy(event.details))
        self._put(self._tables.events, stored.sequence, stored)
        return stored

    def append_events(self, events: Sequence[Event]) -> list[Event]:
        return [self.append_event(event) for event in events]

    def take_back(self) -> None:
        """Makes everything as it was before the first change."""
        while self._before:
            table, key, value = self._before.pop()
            if value is MISSING:
                del table[key]
            else:
                table[key] = value

    def _put(self, table: dict[K, V], key: K, value: V) -> None:
        self._before.append((table, key, table.get(key, MISSING)))
        table[key] = value

    def _drop(self, table: dict[K, V], key: K) -> None:
        if key in table:
            self._before.append((table, key, table.pop(key)))

    def _keep_flow_run(self, run: FlowRun) -> None:
        self._put(self._tables.flow_runs, run.id, _kept(run))
        self._add_state(run.id, run.revision, run.state)

    def _add_state(self, run_id: str, revision: int, state: State) -> None:
        if run_id not in self._tables.states:
            self._put(self._tables.states, run_id, {})
        history = self._tables.states[run_id]
        if revision not in history:
            self._put(history, revision, _without_data(state))

    def _is_under(self, run: FlowRun, run_id: str) -> bool:
        """Whether it is a subflow: of the whole tree under a root run, of the next level under any other."""
        if run.root_id == run_id:
            return run.id != run_id
        parent = self._tables.task_runs.get(run.parent_task_run_id or "")
        return parent is not None and parent.flow_run_id == run_id

    def _forget_task_run(self, run_id: str) -> None:
        for cache_key, kept in tuple(self._tables.cached.items()):
            if any(owner == run_id for owner, _ in kept):
                self._put(self._tables.cached, cache_key, tuple(each for each in kept if each[0] != run_id))
        self._drop(self._tables.slots, run_id)
        self._drop(self._tables.states, run_id)
        self._drop(self._tables.task_runs, run_id)


class _Memory:
    """The tables, and the lock around them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables = _Tables()
        self._lock = threading.Lock()
        self._version = 0

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        with self._lock:
            yield _Look(self._tables, self._clock)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        with self._lock:
            change = _Change(self._tables, self._clock)
            try:
                yield change
            except BaseException:
                change.take_back()
                raise
            self._version += 1

    def version(self) -> int:
        return self._version


@attrs.frozen(kw_only=True)
class MemoryRunStore:
    """Remembers runs in memory. Every `open()` gives an empty store of its own, which is gone when it is closed.

    `clock` judges leases; it is no option, since options are plain data.
    """

    outlives_process: ClassVar[bool] = False

    clock: Clock = attrs.field(factory=SystemClock, eq=False, repr=False, metadata={"option": False})

    def diagnose(self, now: datetime) -> Diagnosis:
        """There is never anything in one that is not open, and nothing to break."""
        return Diagnosis(where="the memory of each process", facts={"state": "empty whenever it is opened"})

    @contextmanager
    def open(self) -> Iterator[OpenRunStore]:
        yield _Memory(self.clock)


def _is_under_way(run: FlowRun) -> bool:
    waits = run.state.is_scheduled() or run.state.is_paused()
    return not run.state.is_terminal() and (not waits or run.run_count > 0 or run.state.awaits_restart())


def _page(rows: Iterable[Row], page: Page) -> list[Row]:
    """The rows of a page, out of all that fit."""
    after = page.after
    if after is not None:
        rows = (row for row in rows if (row.id < after if page.newest_first else row.id > after))
    return sorted(rows, key=lambda row: row.id, reverse=page.newest_first)[: max(page.limit, 0)]


def _is_wanted_flow_run(run: FlowRun, wanted: FlowRunFilter) -> bool:
    return (
        _is_one_of(run.flow_name, wanted.flow_names)
        and _is_one_of(run.deployment_id, wanted.deployment_ids)
        and _is_one_of(run.root_id, wanted.root_ids)
        and _is_one_of(run.tick and run.tick.schedule_id, wanted.schedule_ids)
        and (not wanted.root_only or run.root_id == run.id)
        and _is_between(run.created, wanted.created_after, wanted.created_before)
        and _is_between(run.state.scheduled_time if run.state.is_scheduled() else None, wanted.due_after, wanted.due_before)
        and has_text(run.name, wanted.text)
        and _is_wanted_run(run, wanted)
    )


def _place(reserved: Reserved) -> tuple[str, str]:
    return reserved.key, _address(reserved.storage)


def _address(value: Choice | Archive) -> str:
    from headrace.wire.plain import to_key  # who keeps no results need not load cattrs

    return to_key(value)


def _is_counted(run: FlowRun, wanted: CountFilter) -> bool:
    hour, first, last = first_of_hour(run.created), wanted.created_after, wanted.created_before
    return (
        _is_one_of(run.flow_name, wanted.flow_names)
        and _is_one_of(run.deployment_id, wanted.deployment_ids)
        and (first is None or hour >= first_of_hour(first))
        and (last is None or hour <= first_of_hour(last))
    )


def _is_wanted_task_run(run: TaskRun, wanted: TaskRunFilter) -> bool:
    return _is_one_of(run.flow_run_id, wanted.flow_run_ids) and _is_wanted_run(run, wanted)


def _is_wanted_run(run: FlowRun | TaskRun, wanted: FlowRunFilter | TaskRunFilter) -> bool:
    return (
        _is_one_of(run.id, wanted.ids)
        and run.id.startswith(wanted.id_prefix or "")
        and _is_one_of(run.name, wanted.names)
        and _is_one_of(run.state.type, wanted.state_types)
        and _is_one_of(run.state.name, wanted.state_names)
        and set(wanted.tags) <= set(run.tags)
    )


def _is_wanted_deployment(deployment: Deployment, wanted: DeploymentFilter) -> bool:
    return (
        _is_one_of(deployment.id, wanted.ids)
        and deployment.id.startswith(wanted.id_prefix or "")
        and _is_one_of(deployment.name, wanted.names)
        and _is_one_of(deployment.flow_name, wanted.flow_names)
        and set(wanted.tags) <= set(deployment.tags)
        and has_text(deployment.full_name, wanted.text)
    )


def _is_wanted_queue(queue: WorkQueue, wanted: WorkQueueFilter) -> bool:
    return _is_one_of(queue.id, wanted.ids) and queue.id.startswith(wanted.id_prefix or "") and _is_one_of(queue.name, wanted.names)


def _is_wanted_line(line: LogLine, wanted: LogFilter) -> bool:
    return (
        _is_one_of(line.flow_run_id, wanted.flow_run_ids)
        and wanted.task_run_id in {None, line.task_run_id}
        and line.level >= wanted.least_level
        and (wanted.text or "") in line.message
    )


def _is_between(moment: datetime | None, first: datetime | None, last: datetime | None) -> bool:
    """Whether a moment is in a window; none is in the widest only."""
    return moment is not None and (first is None or moment >= first) and (last is None or moment <= last) if first or last else True


def _is_one_of(value: object, wanted: tuple[object, ...]) -> bool:
    return not wanted or value in wanted


def _kept(run: Run) -> Run:
    return run if run.state.data is MISSING else attrs.evolve(run, state=_without_data(run.state))


def _without_data(state: State) -> State:
    """The state as another process would see it: its live data stays with whoever made it."""
    return state if state.data is MISSING else attrs.evolve(state, data=MISSING)
