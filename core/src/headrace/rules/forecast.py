"""What becomes of the times of a schedule, going by how long runs take: who is under way still, and what its overlap does then."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import takewhile
from statistics import median
from types import MappingProxyType

import attrs

from headrace.model.deployments import Deployment
from headrace.model.durations import told_duration
from headrace.model.filters import FlowRunFilter
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, Overlap
from headrace.model.states import NOT_ENDED, State, StateType
from headrace.rules.coming_times import Coming, OpenSchedule, clock_marks, times_of
from headrace.rules.ticks import most_waiting, start_by

MOST_MEASURED = 20
"""How many runs are looked at to say how long they take."""

CANCELLED = "that one is cancelled then"

_THEN = MappingProxyType(
    {
        Overlap.ALLOW: "both run then",
        Overlap.SKIP: "this one is skipped then",
        Overlap.QUEUE: "this one waits for its end then",
        Overlap.CANCEL_PREVIOUS: CANCELLED,
    }
)


@attrs.frozen(kw_only=True)
class Usual:
    """How long runs take; `is_least`: most were cancelled for the next one by then, and would have gone on."""

    length: timedelta
    is_least: bool = False

    def __str__(self) -> str:
        return f"{told_duration(self.length.total_seconds())}{' or longer' if self.is_least else ''}"


@attrs.frozen(kw_only=True)
class UnderWay:
    """A run that is under way now; `end` is when it is likely to end, None: nobody can say, since it takes longer than runs do."""

    name: str
    end: datetime | None


class _Ahead:
    """Times one by one, and those that follow."""

    def __init__(self, times: Iterator[Coming]) -> None:
        self._times = times
        self._seen: deque[Coming] = deque()

    def __iter__(self) -> Iterator[Coming]:
        while self.following(1) is not None:
            yield self._seen.popleft()

    def following(self, number: int) -> datetime | None:
        """The so-manieth of the times that follow, if there is one."""
        while len(self._seen) < number:
            found = next(self._times, None)
            if found is None:
                return None
            self._seen.append(found)
        return self._seen[number - 1].at.astimezone(UTC)


def forecast(
    times: Iterator[Coming], schedule: DeploymentSchedule, usual: Usual | None, under_way: UnderWay | None = None
) -> Iterator[tuple[Coming, tuple[str, ...]]]:
    """The times of a schedule, each with what is to be said of the run before it; without a usual length, only of the one that is under way."""
    ahead = _Ahead(times)
    who = "" if under_way is None else f"run {under_way.name!r} is under way now, and may still be"
    is_busy, end = under_way is not None, None if under_way is None else under_way.end
    for found in ahead:
        at = begins = found.at.astimezone(UTC)
        if is_busy and (end is None or end > at):
            limit = _limit(schedule, at, ahead) if schedule.overlap is Overlap.QUEUE else None
            is_late = limit is not None and end is not None and limit <= end
            by = f", since it must begin by {limit.astimezone(found.at.tzinfo):%H:%M:%S}" if is_late and limit is not None else ""
            yield found, (f"{who}; {_THEN[Overlap.SKIP if is_late else schedule.overlap]}{by}",)
            if is_late or schedule.overlap is Overlap.SKIP:
                continue
            if schedule.overlap is Overlap.QUEUE:
                begins = end or at
        else:
            yield found, ()
        who = f"the run before may still be under way (they take {usual})"
        is_busy, end = usual is not None, None if usual is None else begins + usual.length


def _limit(schedule: DeploymentSchedule, at: datetime, ahead: _Ahead) -> datetime | None:
    """Until when the run of a time may begin."""
    most = most_waiting(schedule)
    return start_by(schedule, at, ahead.following(most) if most else None)


# How long the runs of a deployment take


def measured(deployment: Deployment) -> tuple[FlowRunFilter, FlowRunFilter]:
    """Whose newest runs tell how long they take: those that completed, and those that were cancelled for the next one before they could."""
    completed = FlowRunFilter(deployment_ids=(deployment.id,), state_types=(StateType.COMPLETED,))
    return completed, attrs.evolve(completed, state_types=(StateType.CANCELLED,), state_names=(State.cancelled().name,))


def usual_of(ended: Iterable[FlowRun]) -> Usual | None:
    """How long a run takes, going by the last of these; None where none of them tells."""
    found = [run for run in ended if run.state.is_completed() or _was_replaced(run)]
    told = sorted(found, key=lambda run: run.id, reverse=True)[:MOST_MEASURED]
    if not told:
        return None
    number = sum(map(_was_replaced, told))
    return Usual(length=timedelta(seconds=median(map(_took, told))), is_least=2 * number >= len(told))


def _was_replaced(run: FlowRun) -> bool:
    """Whether it was cancelled for the next one, for all that can be told."""
    return run.state.is_cancelled() and run.run_count > 0 and run.tick is not None and run.tick.overlap is Overlap.CANCEL_PREVIOUS


def _took(run: FlowRun) -> float:
    """The seconds that it ran; of one that was replaced, those from its time to its end, which is as long as it was let."""
    if run.tick is None or run.end_time is None or not _was_replaced(run):
        return run.total_run_time
    return max(run.total_run_time, (run.end_time - run.tick.at).total_seconds())


def not_ended(deployment: Deployment) -> FlowRunFilter:
    """Which runs of its schedules may be under way; of a deployment that has some."""
    return FlowRunFilter(schedule_ids=tuple(each.id for each in deployment.schedules), state_types=NOT_ENDED)


def under_way_of(known: Iterable[FlowRun], usual: Usual | None, now: datetime) -> dict[str, UnderWay]:
    """Those of these runs that are under way, by their schedules."""
    found: dict[str, UnderWay] = {}
    for run in known:
        if run.tick is not None and (run.run_count > 0 or run.state.is_pending()):
            left = None if usual is None else usual.length - timedelta(seconds=run.run_time(now))
            found[run.tick.schedule_id] = UnderWay(name=run.name, end=now + left if left is not None and left > timedelta() else None)
    return found


def marked(
    schedules: Sequence[OpenSchedule],
    first: datetime,
    last: datetime | None = None,
    *,
    usual: Usual | None,
    under_way: Mapping[str, UnderWay],
) -> Iterator[tuple[Coming, tuple[str, ...]]]:
    """The times of schedules between two moments, each with what is to be said of it beside the one before it: what clocks do, and which run may be under
    way. `under_way` is what is so at the first moment, by schedule."""
    streams = [
        forecast(times_of(place, each, first), each.schedule, usual, under_way.get(each.schedule.id))
        for place, each in enumerate(schedules)
    ]
    times = merge(*streams, key=lambda row: row[0].at.astimezone(UTC))
    shown: datetime | None = None
    for found, marks in times if last is None else takewhile(lambda row: row[0].at.astimezone(UTC) <= last, times):
        before = (first if shown is None else shown).astimezone(schedules[found.place].zone)
        yield found, (*clock_marks(found.at, before), *marks)
        shown = found.at
