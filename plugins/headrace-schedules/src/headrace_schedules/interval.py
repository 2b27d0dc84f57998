"""The schedule `interval`: every so often."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from math import isnan
from zoneinfo import ZoneInfo

import attrs

from headrace.errors import InvalidOption
from headrace.model.durations import LONGEST, duration, written_duration
from headrace_schedules.wall_clock import instant, moments_after, shown
from headrace_schedules.zones import checked_zone, name_of

ANCHOR = datetime(2020, 1, 1)
"""Where an interval is counted from if nothing else is said: a wall time in the schedule's zone."""

SHORTEST = timedelta(seconds=1)

_WHERE = "schedule 'interval'"
_DAY = timedelta(days=1)


@attrs.frozen(init=False)
class IntervalSchedule:
    """Every so often, counted from an anchor, forwards and backwards.

    An interval is a timedelta, a number of seconds, or a text such as `"30s"`, `"5m"`, `"1h30m"`, `"1d"`; it is kept as such a text. Whole days keep the
    wall clock of the zone; any other interval is time that has passed, whatever clocks show. An anchor without an offset is local to the zone.
    """

    interval: str = attrs.field(metadata={"meaning": "how often: seconds, or a text such as 30s, 5m, 1h30m, 1d; a second at least"})
    anchor_date: str | None = attrs.field(
        kw_only=True, metadata={"meaning": "a moment to count from; without an offset, local to the zone: 2020-01-01T00:00 by default"}
    )
    timezone: str | None = attrs.field(
        kw_only=True, metadata={"meaning": "the zone whose wall clock intervals of whole days keep, as Europe/Berlin; UTC by default"}
    )
    _length: timedelta = attrs.field(init=False, eq=False, repr=False)
    _zone: ZoneInfo = attrs.field(init=False, eq=False, repr=False)
    _anchor: datetime = attrs.field(init=False, eq=False, repr=False)
    _start: datetime = attrs.field(init=False, eq=False, repr=False)

    def __init__(
        self,
        interval: timedelta | float | str,
        *,
        anchor_date: datetime | date | str | None = None,
        timezone: str | None = None,
    ) -> None:
        length = _checked_length(interval)
        given = _checked_anchor(anchor_date)
        name = name_of(given.tzinfo) if timezone is None and given is not None else timezone
        zone = checked_zone(name, where=_WHERE)
        try:
            anchor, start = (shown(given, zone), given.astimezone(UTC)) if given and given.tzinfo else (given or ANCHOR, None)
            known = instant(anchor, zone)
        except OverflowError as error:
            raise _wrong("anchor_date", anchor_date, "it lies at the end of the calendar") from error
        # an offset is kept only where it says what the wall time does not: which pass of a fold is meant
        kept = anchor if start in (None, known) else shown(start, zone).replace(tzinfo=zone, fold=1)
        text = None if given is None else kept.isoformat()
        self.__attrs_init__(interval=written_duration(length), anchor_date=text, timezone=name)
        for field, value in {"_length": length, "_zone": zone, "_anchor": anchor, "_start": start or known}.items():
            object.__setattr__(self, field, value)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The moments after that one, in UTC."""
        if self._length % _DAY:
            return self._elapsed(moment)
        return moments_after(moment, self._walls, self._zone)

    def _elapsed(self, moment: datetime) -> Iterator[datetime]:
        steps = (moment - self._start) // self._length + 1
        while True:
            try:
                due = self._start + steps * self._length
            except OverflowError:
                return
            yield due
            steps += 1

    def _walls(self, start: datetime) -> Iterator[datetime]:
        steps = (start - self._anchor) // self._length
        while True:
            try:
                wall = self._anchor + steps * self._length
            except OverflowError:
                if steps > 0:
                    return
            else:
                yield wall
            steps += 1


def _checked_length(given: object) -> timedelta:
    try:
        if isinstance(given, str):
            length = duration(given)
        elif isinstance(given, timedelta):
            length = given
        elif isinstance(given, (int, float)) and not isinstance(given, bool) and not isnan(given):
            length = timedelta(seconds=given)
        else:
            raise ValueError("it is neither a timedelta, nor a number of seconds, nor a text such as 30s, 5m, 1h30m or 1d")
    except OverflowError:
        length = timedelta.max
    except ValueError as error:
        raise _wrong("interval", given, str(error)) from error
    if length < SHORTEST:
        raise _wrong("interval", given, "an interval lasts a second at least")
    if length > LONGEST:
        raise _wrong("interval", given, "an interval lasts a hundred years at most")
    return length


def _checked_anchor(given: object) -> datetime | None:
    if given is None or isinstance(given, datetime):
        return given
    if isinstance(given, date):
        return datetime.combine(given, time())
    try:
        return datetime.fromisoformat(given.strip())  # type: ignore[attr-defined]
    except (ValueError, AttributeError):
        raise _wrong("anchor_date", given, "it is no moment; write it as 2026-01-31T09:00, local to the zone, or with an offset") from None


def _wrong(option: str, value: object, why: str) -> InvalidOption:
    return InvalidOption(where=_WHERE, option=option, value=value, why=why)
