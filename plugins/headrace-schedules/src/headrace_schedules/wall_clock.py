"""What clocks on the wall show, and when: daylight saving is decided here, for all kinds of schedules.

A wall time is a moment without a zone. Where clocks are put forward, wall times are left out (a gap); where they are put back, they come twice (a
fold). Schedules say wall times, in order, and `Passes` says what is meant by those:

* ONCE, for what names its hours: what falls into a gap comes at the first instant after it, what falls into a fold comes once, the first time.
* EVERY_NTH, for what counts hours: a gap is as before, a fold is passed twice.
* EVERY, for what means every hour: a fold is passed twice, and nothing is moved out of a gap, since the hour after it follows at once.

Moments are answered in UTC: two of one zone are compared by what clocks show, and those of a fold would be out of order.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from enum import Enum, auto
from itertools import dropwhile

FIRST, LAST = datetime(1, 1, 1), datetime(MAXYEAR, 12, 31, 23, 59, 59, 999_999)
"""The ends of the calendar, on the wall."""

_NOTHING = timedelta(0)
_SECOND = timedelta(seconds=1)
_MIDDLE = 5_000
"""A year before which it is the beginning of the calendar that is near."""


class Passes(Enum):
    """What wall times mean that clocks do not show, or show twice."""

    ONCE = auto()
    EVERY_NTH = auto()
    EVERY = auto()


Walls = Callable[[datetime], Iterable[datetime]]
"""The wall times of a schedule, from one on; a few before it do no harm."""


def moments_after(moment: datetime, walls: Walls, zone: tzinfo, passes: Passes = Passes.ONCE) -> Iterator[datetime]:
    """The moments of a schedule after one."""
    return later(moment, instants(walls(first_to_ask(moment, zone)), zone, passes))


def later(moment: datetime, found: Iterable[datetime]) -> Iterator[datetime]:
    """Those of increasing moments that come after one."""
    return dropwhile(lambda each: each <= moment, found)


def shown(moment: datetime, zone: tzinfo) -> datetime:
    """The wall time at a moment; the first or the last of the calendar beyond it."""
    if moment.tzinfo is None:
        raise TypeError(f"a moment needs its zone; {moment} could be anywhere")
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return FIRST if moment.year < _MIDDLE else LAST


def first_to_ask(moment: datetime, zone: tzinfo) -> datetime:
    """The least wall time that may come after a moment: the one shown then, or less where a fold is still to be passed again."""
    wall = shown(moment, zone)
    before, after = _offsets(wall, zone)
    return wall - (before - after) if before > after and wall.year > FIRST.year else wall


def instant(wall: datetime, zone: tzinfo) -> datetime:
    """When clocks show a wall time, the first time if twice; the end of the gap if they never do. Raises OverflowError beyond the calendar."""
    before, after = _offsets(wall, zone)
    return (_end_of_gap(wall, before, after, zone) if before < after else wall - before).replace(tzinfo=UTC)


def instants(walls: Iterable[datetime], zone: tzinfo, passes: Passes = Passes.ONCE) -> Iterator[datetime]:
    """The moments of increasing wall times, in order, each once. It ends with the calendar."""
    again: deque[datetime] = deque()
    last = FIRST
    gap_ends = FIRST
    for wall in walls:
        if wall < gap_ends:
            continue
        before, after = _offsets(wall, zone)
        try:
            if before < after:
                found = _end_of_gap(wall, before, after, zone)
                gap_ends = found + after
                if passes is Passes.EVERY:
                    continue
            else:
                found = wall - before
        except OverflowError:
            if wall.year < _MIDDLE:
                continue
            break
        while again and again[0] < found:
            last = again.popleft()
            yield last.replace(tzinfo=UTC)
        if found > last:
            last = found
            yield found.replace(tzinfo=UTC)
        if before > after and passes is not Passes.ONCE:
            again.append(wall - after)
    for found in again:
        yield found.replace(tzinfo=UTC)


def _offsets(wall: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """The offsets from UTC before and after a change of clocks at that wall time; mostly there is none, and they are the same."""
    return zone.utcoffset(wall.replace(fold=0)) or _NOTHING, zone.utcoffset(wall.replace(fold=1)) or _NOTHING


def _end_of_gap(wall: datetime, before: timedelta, after: timedelta, zone: tzinfo) -> datetime:
    """The instant at which clocks are put forward over a wall time, in UTC: to the second, as zones have them."""
    early, late = wall.replace(microsecond=0) - after, wall.replace(microsecond=0) - before
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        if zone.utcoffset(middle.replace(tzinfo=UTC).astimezone(zone)) == before:
            early = middle
        else:
            late = middle
    return late
