"""Scheduling: the runs that deployments' schedules ask for are made, ahead of their times, each time once.

How far each schedule is decided is remembered, and moves on in the transaction that makes its runs; so it does not matter how many look at once. A look
costs as much as there is to decide, whatever ran before.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

import attrs

from headrace.clock import Clock
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment
from headrace.model.events import Event
from headrace.model.moves import Move
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, Overlap, Scheduled, SchedulePlan, Tick
from headrace.model.states import State, StateType
from headrace.orchestration.matching import Matching
from headrace.orchestration.new_runs import new_run
from headrace.orchestration.orchestrator import created, moved
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.ports.schedule import Schedule
from headrace.rules.scheduling import overdue, overlapped, overtaken
from headrace.rules.ticks import EVER, Horizon, Planned, planned
from headrace.rules.verdicts import Verdict
from headrace.wire.plain import to_plain

MOST_LOOKS = 500
"""How many schedules are looked at in one round."""

AT_ONCE = 1000
"""How many times are written in one transaction, so that nobody waits for long; those of one schedule are, however many."""

MOST_REMEMBERED = 20_000
MOST_OVERDUE = 500
MOST_EARLIER = 3
AFTER_A_FAULT = timedelta(minutes=1)
SET_BACK = timedelta(minutes=5)
"""How far a clock has to be set back for what was decided before to be decided anew."""

logger = logging.getLogger("headrace.scheduling")


@attrs.frozen(kw_only=True)
class _Look:
    """What is to become of a schedule that was looked at; without `found` it cannot be said now. `is_anew`: by a clock that is right again."""

    plan: SchedulePlan
    deployment: Deployment | None
    schedule: DeploymentSchedule | None = None
    found: Planned | None = None
    is_anew: bool = False

    @property
    def times(self) -> int:
        """How many times are to be written."""
        return 0 if self.found is None else len(self.found.ticks) + len(self.found.skipped)


@attrs.define
class _Done:
    """What was done in a transaction: the runs made, those ended of others, and moves that are still to be asked for."""

    runs: list[FlowRun] = attrs.field(factory=list)
    ended: int = 0
    events: list[Event] = attrs.field(factory=list)
    moves: list[Move] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Scheduling:
    """Makes runs. `kind` gives a schedule by its choice, or raises NotInstalled and the like."""

    store: OpenRunStore
    clock: Clock
    ids: Ids
    matching: Matching
    kind: Callable[[Choice], Schedule]
    move: Callable[[Move], Verdict]
    tell: Callable[[Event], None]
    horizon: Horizon = Horizon()  # noqa: RUF009 - a frozen value

    def make_runs(self) -> Scheduled:
        """Makes what is to be made now, as much as is done at once, and skips what has not begun in time."""
        now = self.clock.now()
        self._see_to_the_clock(now)
        skipped = self._skip_overdue(now)
        with self.store.reading() as reading:
            plans = reading.schedule_plans(now, MOST_LOOKS)
            deployments = {plan.deployment_id: reading.deployment(plan.deployment_id) for plan in plans}
        looks = [self._look(plan, deployments[plan.deployment_id], now) for plan in plans]
        made = 0
        for portion in _portions(looks):
            done = self._written(portion, now)
            made += sum(run.state.is_scheduled() for run in done.runs)
            skipped += sum(not run.state.is_scheduled() for run in done.runs) + done.ended
        return Scheduled(made=made, skipped=skipped, next_look=self._next_look())

    def keep(self, writing: Writing, before: Deployment | None, after: Deployment) -> None:
        """Remembers the schedules of a deployment that was made or changed. What was made ahead and does not fit any more goes."""
        now = self.clock.now()
        known = {} if before is None else {each.id: each for each in before.schedules}
        for schedule_id in known.keys() - {each.id for each in after.schedules}:
            writing.forget_ticks(schedule_id)
            writing.drop_schedule_plan(schedule_id)
        was_paused = before is not None and before.is_paused
        for each in after.schedules:
            earlier = writing.schedule_plan(each.id)
            is_same = known.get(each.id) == each and earlier is not None
            writing.forget_ticks(each.id, after=now if is_same else None)
            goes_on = is_same and not was_paused and not after.is_paused
            plan = SchedulePlan(
                schedule_id=each.id,
                deployment_id=after.id,
                version=each.version,
                revision=1 if earlier is None else earlier.revision + 1,
                decided=min(earlier.decided, now) if earlier is not None and goes_on else now,
                look_at=None if after.is_paused else now,
                looked=now,
            )
            writing.put_schedule_plan(plan)

    # A look

    def _look(self, plan: SchedulePlan, deployment: Deployment | None, now: datetime) -> _Look:
        schedule = None if deployment is None else next((each for each in deployment.schedules if each.id == plan.schedule_id), None)
        if schedule is None:
            return _Look(plan=plan, deployment=None)
        is_anew = plan.looked is not None and now < plan.looked - SET_BACK
        decided = min(plan.decided, now) if is_anew else plan.decided
        try:
            found = planned(schedule, self.kind(schedule.kind).after, decided=decided, now=now, horizon=self.horizon)
        except Exception as error:  # a plugin's, perhaps; it stands in no other's way
            name = deployment.full_name if deployment is not None else ""
            logger.warning("The schedule %r of deployment %r makes no runs: %s", schedule.kind.name, name, error)
            found = None
        return _Look(plan=plan, deployment=deployment, schedule=schedule, found=found, is_anew=is_anew)

    def _written(self, looks: Sequence[_Look], now: datetime) -> _Done:
        """What came of a portion of looks, told to whoever listens."""
        done = self._write(looks, now)
        for event in done.events:
            self.tell(event)
        for move in done.moves:
            self.move(move)
        return done

    def _write(self, looks: Sequence[_Look], now: datetime) -> _Done:
        done = _Done()
        runs: list[FlowRun] = []
        with self.store.writing() as writing:
            for look in looks:
                if writing.schedule_plan(look.plan.schedule_id) != look.plan:
                    continue  # somebody else was first, or the deployment has changed meanwhile
                if look.schedule is not None and look.schedule.overlap in (Overlap.SKIP, Overlap.CANCEL_PREVIOUS):
                    self._make_way(writing, look.schedule, now, done)
                runs += self._decided(writing, look, now)
            done.runs += writing.add_flow_runs(runs)
            self.matching.assign_new(writing, [run for run in done.runs if run.state.is_scheduled()])
            done.events += writing.append_events([created(run) for run in done.runs])
        return done

    def _make_way(self, writing: Writing, schedule: DeploymentSchedule, now: datetime, done: _Done) -> None:
        """Judges what is due and waits, as handing it out would: nobody may be there who could take it."""
        waiting = writing.ticks_waiting(schedule.id, now, MOST_OVERDUE)
        begun = writing.ticks_begun(schedule.id, MOST_EARLIER)
        if schedule.overlap is Overlap.SKIP:
            if begun:
                self._end(writing, waiting, overlapped(begun), now, done)
            return
        if waiting:
            self._end(writing, waiting[:-1], overtaken(waiting[-1]), now, done)
            done.moves += to_be_cancelled(waiting[-1], begun)

    def _end(self, writing: Writing, runs: Iterable[FlowRun], state: State, now: datetime, done: _Done) -> None:
        for run in runs:
            lease = writing.lease(run.id)
            if lease is None or not lease.live:
                done.events.append(ended(writing, run, attrs.evolve(state, timestamp=now)))
                done.ended += 1

    def _decided(self, writing: Writing, look: _Look, now: datetime) -> list[FlowRun]:
        """The runs of a look; of those that were made before, none is new."""
        plan, found, deployment = look.plan, look.found, look.deployment
        if deployment is None:
            writing.drop_schedule_plan(plan.schedule_id)
            return []
        if found is None:
            writing.put_schedule_plan(attrs.evolve(plan, look_at=now + AFTER_A_FAULT, looked=now))
            return []
        if look.is_anew:
            writing.forget_ticks(plan.schedule_id, after=now)
        writing.put_schedule_plan(attrs.evolve(plan, decided=found.decided, look_at=found.look_at, looked=now))
        return [
            *self._skipped(deployment, found, now),
            *(
                self._run(deployment, tick, State(type=StateType.SCHEDULED, timestamp=now, scheduled_time=tick.at), now)
                for tick in found.ticks
            ),
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

    def _see_to_the_clock(self, now: datetime) -> None:
        """Has everything looked at anew, where schedules were looked at by a clock that was ahead: what it made ahead goes, and no time is lost."""
        with self.store.reading() as reading:
            if not reading.looked_after(now + SET_BACK):
                return
        with self.store.writing() as writing:
            if writing.looked_after(now + SET_BACK):
                writing.look_again(now)
                logger.warning("The clock was ahead, and is set back; times of schedules from now on are decided anew")

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
                state = overdue(run.tick.start_by, earlier_runs(writing, run))
                events.append(ended(writing, run, attrs.evolve(state, timestamp=now)))
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


def _portions(looks: Sequence[_Look]) -> Iterator[list[_Look]]:
    """The looks, in portions of some times each."""
    portion: list[_Look] = []
    room = AT_ONCE
    for look in looks:
        if portion and look.times >= room:
            yield portion
            portion, room = [], AT_ONCE
        portion.append(look)
        room -= look.times + 1
    if portion:
        yield portion


def earlier_runs(reading: Reading, run: FlowRun) -> tuple[FlowRun, ...]:
    """Some of the runs of its schedule that are under way, where that makes a difference to the run."""
    if run.tick is None or run.tick.overlap is Overlap.ALLOW:
        return ()
    return tuple(each for each in reading.ticks_begun(run.tick.schedule_id, MOST_EARLIER) if each.id != run.id)


def later_runs(reading: Reading, run: FlowRun, now: datetime) -> tuple[FlowRun, ...]:
    """Some of the runs of its schedule for later times that are due, where that makes a difference to the run."""
    tick = run.tick
    if tick is None or tick.overlap is not Overlap.CANCEL_PREVIOUS:
        return ()
    waiting = reading.ticks_waiting(tick.schedule_id, now, MOST_EARLIER)
    return tuple(each for each in waiting if each.tick is not None and each.tick.at > tick.at)


def to_be_cancelled(run: FlowRun, others: Iterable[FlowRun]) -> Iterator[Move]:
    """Moves that cancel what is in the way of a run whose schedule says so, and is not being cancelled yet; asked again, they change nothing."""
    if run.tick is None or run.tick.overlap is not Overlap.CANCEL_PREVIOUS:
        return
    state = State(type=StateType.CANCELLING, message=f"Run {run.name!r} of its schedule is due.")
    for each in others:
        if each.tick is not None and each.tick.at < run.tick.at and each.state.type is not StateType.CANCELLING:
            yield Move(id=f"{run.id}:cancels:{each.id}", run_id=each.id, state=state)


def ended(writing: Writing, run: FlowRun, state: State) -> Event:
    """Writes that a run ends that nobody has."""
    assert state.timestamp is not None, "a state enters a run with its timestamp"
    assert writing.update_flow_run(run.entering(state), was=run.revision), "nobody else writes in this transaction"
    writing.assign(run.id, ())
    writing.end_waits(run.id, state.timestamp)
    return writing.append_event(moved(run, state))
