"""Scheduling: the runs that deployments' schedules ask for are made, ahead of their times, each time once.

How far each schedule is decided is remembered, and moves on in the transaction that makes its runs; so it does not matter how many look at once. A look
costs as much as there is to decide, whatever ran before.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import attrs

from headrace.clock import Clock
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment
from headrace.model.events import Event
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, OnMissed, Overlap, Scheduled, SchedulePlan, Tick
from headrace.model.states import State, StateType
from headrace.orchestration.matching import Matching
from headrace.orchestration.new_runs import new_run
from headrace.orchestration.orchestrator import created, moved
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.ports.schedule import Schedule
from headrace.rules.scheduling import overdue
from headrace.rules.ticks import EVER, Horizon, Planned, planned
from headrace.wire.plain import to_plain

MOST_LOOKS = 500
"""How many schedules are looked at in one round."""

AT_ONCE = 100
"""How many of them are written in one transaction, so that nobody waits for long."""

MOST_REMEMBERED = 20_000
MOST_OVERDUE = 100
MOST_EARLIER = 3
AFTER_A_FAULT = timedelta(minutes=1)
NEVER = datetime.min.replace(tzinfo=UTC)

_UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)

logger = logging.getLogger("headrace.scheduling")


@attrs.frozen(kw_only=True)
class _Look:
    """What is to become of a schedule that was looked at; without `found` it cannot be said now."""

    plan: SchedulePlan
    deployment: Deployment | None
    schedule: DeploymentSchedule | None = None
    found: Planned | None = None


@attrs.frozen(kw_only=True)
class Scheduling:
    """Makes runs. `kind` gives a schedule by its choice, or raises NotInstalled and the like."""

    store: OpenRunStore
    clock: Clock
    ids: Ids
    matching: Matching
    kind: Callable[[Choice], Schedule]
    tell: Callable[[Event], None]
    horizon: Horizon = Horizon()  # noqa: RUF009 - a frozen value

    def make_runs(self) -> Scheduled:
        """Makes what is to be made now, as much as is done at once, and skips what has not begun in time."""
        now = self.clock.now()
        skipped = self._skip_overdue(now)
        with self.store.reading() as reading:
            plans = reading.schedule_plans(now, MOST_LOOKS)
            deployments = {plan.deployment_id: reading.deployment(plan.deployment_id) for plan in plans}
        looks = [self._look(plan, deployments[plan.deployment_id], now) for plan in plans]
        made = 0
        for start in range(0, len(looks), AT_ONCE):
            portion = looks[start : start + AT_ONCE]
            runs, ended_runs = self._write(portion, now)
            made += sum(run.state.is_scheduled() for run in runs)
            skipped += sum(not run.state.is_scheduled() for run in runs) + ended_runs
        return Scheduled(made=made, skipped=skipped, next_look=self._next_look())

    def keep(self, writing: Writing, before: Deployment | None, after: Deployment) -> None:
        """Remembers the schedules of a deployment that was made or changed. What was made ahead and does not fit any more goes."""
        now = self.clock.now()
        known = {} if before is None else {each.id: each for each in before.schedules}
        for schedule_id in known.keys() - {each.id for each in after.schedules}:
            withdraw(writing, schedule_id)
            writing.drop_schedule_plan(schedule_id)
        for each in after.schedules:
            old = known.get(each.id)
            withdraw(writing, each.id, since=now if old == each and not after.is_paused else None)
            earlier = writing.schedule_plan(each.id)
            plan = SchedulePlan(
                schedule_id=each.id,
                deployment_id=after.id,
                version=each.version,
                revision=1 if earlier is None else earlier.revision + 1,
                decided=max(now, _latest_decided(writing, each)),
                look_at=None if after.is_paused else now,
            )
            writing.put_schedule_plan(plan)

    # A look

    def _look(self, plan: SchedulePlan, deployment: Deployment | None, now: datetime) -> _Look:
        schedule = None if deployment is None else next((each for each in deployment.schedules if each.id == plan.schedule_id), None)
        if schedule is None:
            return _Look(plan=plan, deployment=None)
        try:
            found = planned(schedule, self.kind(schedule.kind).after, decided=plan.decided, now=now, horizon=self.horizon)
        except Exception as error:  # a plugin's, perhaps; it stands in no other's way
            name = deployment.full_name if deployment is not None else ""
            logger.warning("The schedule %r of deployment %r makes no runs: %s", schedule.kind.name, name, error)
            found = None
        return _Look(plan=plan, deployment=deployment, schedule=schedule, found=found)

    def _write(self, looks: Sequence[_Look], now: datetime) -> tuple[list[FlowRun], int]:
        """The runs that were made, some of them skipped already, and how many others were."""
        with self.store.writing() as writing:
            too_many = [event for look in looks for event in self._shed(writing, look, now)]
            runs = [run for look in looks for run in self._decided(writing, look, now)]
            for run in runs:
                writing.add_flow_run(run)
            self.matching.assign_new(writing, [run for run in runs if run.state.is_scheduled()])
            events = [writing.append_event(created(run)) for run in runs]
        for event in (*too_many, *events):
            self.tell(event)
        return runs, len(too_many)

    def _shed(self, writing: Writing, look: _Look, now: datetime) -> Iterator[Event]:
        """Where runs of a schedule wait as long as it takes, as many as are made up for do, and the older ones are skipped: no backlog grows for ever."""
        schedule = look.schedule
        if schedule is None or schedule.on_missed is not OnMissed.RUN_ALL or not _waiting_since(writing, schedule, now, 1):
            return
        waiting = _waiting_since(writing, schedule, now, schedule.most_missed + MOST_OVERDUE)
        message = f"{schedule.most_missed} later times of its schedule wait to be made up for."
        for run in waiting[: -schedule.most_missed]:
            yield ended(writing, run, attrs.evolve(State.skipped(message), timestamp=now))

    def _decided(self, writing: Writing, look: _Look, now: datetime) -> list[FlowRun]:
        """The runs of a look, unless somebody else was first, or the deployment has changed meanwhile."""
        plan, found, deployment = look.plan, look.found, look.deployment
        if writing.schedule_plan(plan.schedule_id) != plan:
            return []
        if deployment is None:
            writing.drop_schedule_plan(plan.schedule_id)
            return []
        if found is None:
            writing.put_schedule_plan(attrs.evolve(plan, look_at=now + AFTER_A_FAULT))
            return []
        writing.put_schedule_plan(attrs.evolve(plan, decided=found.decided, look_at=found.look_at))
        return [
            *self._skipped(deployment, found, now),
            *(self._run(deployment, tick, State.scheduled(tick.at), now) for tick in found.ticks),
        ]

    def _skipped(self, deployment: Deployment, found: Planned, now: datetime) -> Iterator[FlowRun]:
        """A record of each time that is not made up for; the first tells of those that have none."""
        before = f" So were {found.untold} times before it, or more." if found.untold else ""
        for tick in found.skipped:
            message = f"Nobody made runs at its time, and it is not made up for.{before}"
            yield self._run(deployment, tick, State.skipped(message), now)
            before = ""

    def _run(self, deployment: Deployment, tick: Tick, state: State, now: datetime) -> FlowRun:
        name = run_name(self.ids.random)
        return new_run(deployment, run_id=self.ids.new(), name=name, state=state, due=tick.at, now=now, tick=tick)

    # What has not begun in time

    def _skip_overdue(self, now: datetime) -> int:
        with self.store.reading() as reading:
            if not reading.overdue(now, 1):
                return 0
        events: list[Event] = []
        with self.store.writing() as writing:
            for run in writing.overdue(now, MOST_OVERDUE):
                assert run.tick is not None, "only what was made for a time has one by which it is to begin"
                assert run.tick.start_by is not None, "what may begin for ever is not overdue"
                events.append(ended(writing, run, attrs.evolve(overdue(run.tick.start_by), timestamp=now)))
        for event in events:
            self.tell(event)
        return len(events)

    def _next_look(self) -> datetime | None:
        with self.store.reading() as reading:
            plans, late = reading.schedule_plans(EVER, 1), reading.overdue(EVER, 1)
        moments = [*(plan.look_at for plan in plans), *(run.tick.start_by for run in late if run.tick is not None)]
        return min((moment for moment in moments if moment is not None), default=None)


def remembered(kind: Callable[[Choice], Schedule]) -> Callable[[Choice], Schedule]:
    """Gives schedules by their choices, and those that were asked for lately at once: to read a cron expression takes longer than to follow it."""

    @lru_cache(MOST_REMEMBERED)
    def made(name: str, options: str) -> Schedule:
        return kind(Choice(name, json.loads(options)))

    return lambda choice: made(choice.name, json.dumps(to_plain(choice.options), sort_keys=True))


def identified(
    wanted: Iterable[DeploymentSchedule], known: Iterable[DeploymentSchedule], ids: Ids, now: datetime
) -> tuple[DeploymentSchedule, ...]:
    """Schedules as they are kept: one that is as it was is the same; others are, in their order, those that were there, changed; the rest is new."""
    left = list(known)
    kept: list[DeploymentSchedule | None] = []
    wanted = [each.wanted for each in wanted]
    for each in wanted:
        same = next((old for old in left if old.wanted == each), None)
        kept.append(same)
        if same is not None:
            left.remove(same)
    return tuple(same or _changed(each, left.pop(0) if left else None, ids, now) for each, same in zip(wanted, kept, strict=True))


def _changed(wanted: DeploymentSchedule, old: DeploymentSchedule | None, ids: Ids, now: datetime) -> DeploymentSchedule:
    if old is None:
        return attrs.evolve(wanted, id=ids.new(), since=now)
    return attrs.evolve(wanted, id=old.id, version=old.version + 1, since=now)


def withdraw(writing: Writing, schedule_id: str, since: datetime | None = None) -> None:
    """Forgets runs of a schedule that have not started: all of them, or those that are due after a moment."""
    wanted, after = FlowRunFilter(schedule_ids=(schedule_id,), state_types=(StateType.SCHEDULED,)), None
    while portion := writing.flow_runs(wanted, Page(after=after, newest_first=False)):
        after = portion[-1].id
        for run in portion:
            if run.run_count == 0 and run.tick is not None and (since is None or run.tick.at > since):
                writing.delete_flow_run(run.id)


def _waiting_since(reading: Reading, schedule: DeploymentSchedule, now: datetime, limit: int) -> list[FlowRun]:
    """The runs of a schedule, oldest first, whose times have come and that have not started."""
    wanted = FlowRunFilter(schedule_ids=(schedule.id,), state_types=(StateType.SCHEDULED,))
    runs = reading.flow_runs(wanted, Page(limit=limit, newest_first=False))
    return [run for run in runs if run.run_count == 0 and run.tick is not None and run.tick.at <= now]


def _latest_decided(reading: Reading, schedule: DeploymentSchedule) -> datetime:
    """The latest time of this version that has a run, which lies ahead only where the clock was set back; among those that were made last."""
    runs = reading.flow_runs(FlowRunFilter(schedule_ids=(schedule.id,)), Page())
    return max((run.tick.at for run in runs if run.tick is not None and run.tick.version == schedule.version), default=NEVER)


def earlier_runs(reading: Reading, run: FlowRun) -> tuple[FlowRun, ...]:
    """Some of the runs of its schedule that are under way, where that makes a difference to the run."""
    if run.tick is None or run.tick.overlap is Overlap.ALLOW:
        return ()
    wanted = FlowRunFilter(schedule_ids=(run.tick.schedule_id,))
    oldest = Page(limit=MOST_EARLIER, newest_first=False)
    found = reading.flow_runs(attrs.evolve(wanted, state_types=_UNDER_WAY), oldest)
    found += (each for each in reading.flow_runs(attrs.evolve(wanted, state_types=(StateType.SCHEDULED,)), oldest) if each.run_count)
    return tuple(each for each in found if each.id != run.id)


def ended(writing: Writing, run: FlowRun, state: State) -> Event:
    """Writes that a run ends that nobody has."""
    assert state.timestamp is not None, "a state enters a run with its timestamp"
    assert writing.update_flow_run(run.entering(state), was=run.revision), "nobody else writes in this transaction"
    writing.assign(run.id, ())
    writing.end_waits(run.id, state.timestamp)
    return writing.append_event(moved(run, state))
