"""What becomes of the times of a schedule, going by how long runs take: who is under way still, and what its overlap does then."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import attrs

from headrace.cli import show
from headrace.cli.coming_times import Coming
from headrace.model.schedules import DeploymentSchedule, Overlap
from headrace.rules.ticks import most_waiting, start_by

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
        return f"{show.duration(self.length.total_seconds())}{' or longer' if self.is_least else ''}"


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
