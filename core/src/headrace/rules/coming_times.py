"""The times of schedules as they come, with what clocks do about them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from heapq import merge
from itertools import takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

import attrs

from headrace.errors import HeadraceError, ScheduleFailed
from headrace.model.schedules import DeploymentSchedule

_JUST_BEFORE = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_NOTHING = timedelta(0)


class Kind(Protocol):
    """What a kind of schedule can say, given its options."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times after a moment, in their order."""
        ...


@attrs.frozen(kw_only=True)
class OpenSchedule:
    """A schedule whose kind is at hand; `zone` is the one in which people are shown its times."""

    schedule: DeploymentSchedule
    kind: Kind
    zone: tzinfo


@attrs.frozen(kw_only=True)
class Coming:
    """A time, in the zone of its schedule, which is the `place`-th."""

    at: datetime
    place: int


def opened(schedule: DeploymentSchedule, kind: Kind, zone: tzinfo | None = None) -> OpenSchedule:
    """A schedule ready to be asked; in a zone, else in the one that it names, else in UTC."""
    return OpenSchedule(schedule=schedule, kind=kind, zone=zone or _named_zone(kind) or UTC)


def _named_zone(kind: Kind) -> tzinfo | None:
    name = getattr(kind, "timezone", None)
    try:
        return ZoneInfo(name) if isinstance(name, str) else None
    except (LookupError, ValueError, OSError):  # another kind may mean something else by it
        return None


def common_zone(schedules: Iterable[OpenSchedule]) -> tzinfo:
    """The zone in which a typed moment without an offset is meant: theirs, if they share one."""
    zones = {str(each.zone): each.zone for each in schedules}
    return next(iter(zones.values())) if len(zones) == 1 else UTC


def coming(schedules: Iterable[OpenSchedule], start: datetime, end: datetime | None = None) -> Iterator[Coming]:
    """The times of all of them from a moment on, that included, in order; to another one, that included."""
    times = merge(*(times_of(place, each, start) for place, each in enumerate(schedules)), key=lambda found: found.at.astimezone(UTC))
    return times if end is None else takewhile(lambda found: found.at.astimezone(UTC) <= end, times)


def times_of(place: int, opened: OpenSchedule, start: datetime) -> Iterator[Coming]:
    """The times of one from a moment on, that included."""
    try:
        for at in opened.kind.after(start - _JUST_BEFORE):
            yield Coming(at=at.astimezone(opened.zone), place=place)
    except OverflowError:  # a zone moves it beyond the end of the calendar
        return
    except HeadraceError:
        raise
    except Exception as error:  # a plugin's, which is no bug of ours
        name = opened.schedule.kind.name
        raise ScheduleFailed(schedule=name, why=f"{type(error).__name__}: {error}") from error


def next_time(schedules: Iterable[OpenSchedule], now: datetime) -> datetime | None:
    """When the next of their times is, in the zone of its schedule. Raises the errors of their kinds, and ScheduleFailed."""
    found = next(coming(schedules, now + _JUST_BEFORE), None)
    return None if found is None else found.at


# Marks


def clock_marks(at: datetime, before: datetime) -> Iterator[str]:
    """What clocks do between a moment and a time, and at that time; both in a zone."""
    earlier, offset = before.utcoffset() or _NOTHING, at.utcoffset() or _NOTHING
    if earlier != offset:
        way = "forward" if offset > earlier else "back"
        yield f"clocks go {way}, {_offset(before)} to {_offset(at)}"
    skipped = _skipped(at, offset)
    if skipped is not None:
        yield f"the first moment after clocks skip {_clock(skipped)} to {_clock(at)}"
    first, second = (at.replace(fold=fold).utcoffset() or _NOTHING for fold in (0, 1))
    if first > second:
        yield f"clocks show {_clock(at)} twice, and this is the {'second' if at.fold else 'first'} time"


def _skipped(at: datetime, offset: timedelta) -> datetime | None:
    """What clocks would have shown at a time, had they not been put forward just then."""
    try:
        earlier = ((at.astimezone(UTC) - _SECOND).astimezone(at.tzinfo)).utcoffset() or _NOTHING
    except OverflowError:
        return None
    return at.replace(tzinfo=None) - (offset - earlier) if earlier < offset else None


def _offset(at: datetime) -> str:
    return at.isoformat()[-6:]


def _clock(at: datetime) -> str:
    return f"{at:%H:%M}" if at.second == 0 else f"{at:%H:%M:%S}"
