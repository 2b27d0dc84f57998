"""The schedule `cron`: when the clock shows what a cron expression says. cronsim reads it, on wall times; zones are no business of it."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import attrs

from headrace.errors import InvalidOption
from headrace_schedules.wall_clock import FIRST, Passes, moments_after
from headrace_schedules.zones import checked_zone

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

FIELDS = {
    "second": "0-59",
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31, L (the last day) or LW (the last weekday)",
    "month": "1-12 or JAN-DEC",
    "day of week": "0-7 or SUN-SAT (0 and 7 are Sunday), 5L (the last Friday) or FRI#1 (the first)",
}
_ORDER = "minute, hour, day of month, month, day of week"

_WHERE = "schedule 'cron'"
_SECOND = timedelta(seconds=1)
_ASKED_FROM = datetime(2000, 1, 1)
_LONGEST = 1_000
_UNREAD = (ValueError, AssertionError)
"""What cronsim says to thousands of digits, and to 5L/2, instead of its own error."""


def _plain_cron(given: object) -> str:
    if not isinstance(given, str):
        raise _wrong(given, "a cron expression is a text, as '0 9 * * *'")
    return " ".join(given.split())


@attrs.frozen
class CronSchedule:
    """When the clock of the zone shows what a cron expression says: five fields, or six with seconds before them, or `@daily` and the like.

    A day is due if its day of month or its day of week is named, as cron has it, and where either field begins with `*`, if both are; with
    `day_or=False` always if both are.
    """

    cron: str = attrs.field(
        converter=_plain_cron,
        metadata={"meaning": "minute hour day-of-month month day-of-week, with seconds before them or not; or @hourly, @daily …"},
    )
    timezone: str | None = attrs.field(
        default=None, kw_only=True, metadata={"meaning": "the zone whose clock it is, as Europe/Berlin; UTC by default"}
    )
    day_or: bool = attrs.field(
        default=True, kw_only=True, metadata={"meaning": "whether one of day of month and day of week is enough, or both must hold"}
    )
    _zone: ZoneInfo = attrs.field(init=False, eq=False, repr=False)
    _fields: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False)
    _passes: Passes = attrs.field(init=False, eq=False, repr=False)

    @_zone.default
    def _read_zone(self) -> ZoneInfo:
        return checked_zone(self.timezone, where=_WHERE)

    @_fields.default
    def _read_fields(self) -> tuple[str, ...]:
        if not isinstance(self.day_or, bool):
            raise InvalidOption(where=_WHERE, option="day_or", value=self.day_or, why="it is true or false")
        return _checked_fields(self.cron, day_or=self.day_or)

    @_passes.default
    def _read_passes(self) -> Passes:
        return _passes_of(self._fields[2])

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The moments after that one, in UTC."""
        return moments_after(moment, self._walls, self._zone, self._passes)

    def _walls(self, start: datetime) -> Iterator[datetime]:
        return _walls(self._fields, start, day_or=self.day_or)


def _passes_of(hour: str) -> Passes:
    if hour == "*" or hour.isdigit():
        return Passes.EVERY if hour == "*" else Passes.ONCE
    if len({wall.hour for wall in _walls(("0", "0", hour, "*", "*", "*"), _ASKED_FROM, many=24)}) == 24:
        return Passes.EVERY
    return Passes.EVERY_NTH if hour.startswith("*") else Passes.ONCE


def _walls(fields: tuple[str, ...], start: datetime, *, day_or: bool = True, many: int | None = None) -> Iterator[datetime]:
    """The wall times of an expression that is right, from one on; it ends with the calendar."""
    from cronsim import CronSim  # what makes no moments need not load it

    simulated = CronSim(" ".join(fields), start - _SECOND if start - FIRST > _SECOND else start)
    if not day_or:
        simulated.day_and = True  # as it is for cron where one of the two fields begins with a star
    try:
        yield from islice(simulated, many)
    except OverflowError:
        return


# What people write


def _checked_fields(text: str, *, day_or: bool) -> tuple[str, ...]:
    """The six fields of an expression. Raises InvalidOption, saying where in it what is wrong."""
    if len(text) > _LONGEST:
        raise _wrong(f"{text[:50]} …", f"it has {len(text)} characters, and no expression needs more than {_LONGEST}")
    if text.startswith("@"):
        if text.lower() == "@reboot":
            raise _wrong(text, "@reboot is no time; start a run when the machine starts by its own means")
        if text.lower() not in ALIASES:
            raise _wrong(text, f"there is no {text}; there are {', '.join(ALIASES)}")
        fields = ALIASES[text.lower()].split()
    else:
        fields = text.split()
    count = len(fields)
    if count not in (5, 6):
        raise _wrong(
            text, f"it has {count} {'field' if count == 1 else 'fields'}, and takes 5 ({_ORDER}), or 6 with the second before them"
        )
    whole = (*["0"] * (6 - count), *fields)
    if _ever(whole, day_or=day_or):
        return whole
    for place, (name, field) in enumerate(zip(list(FIELDS)[6 - count :], fields, strict=True), 1):
        _check_field(text, place, name, field)
    both = " with day_or=False" if not day_or else ""
    raise _wrong(text, f"it never comes: no day is {whole[3]} (day of month), {whole[4]} (month), {whole[5]} (day of week){both}")


def _ever(fields: tuple[str, ...], *, day_or: bool) -> bool:
    """Whether an expression can be read, and comes at all."""
    from cronsim import CronSimError

    try:
        return next(_walls(fields, _ASKED_FROM, day_or=day_or), None) is not None
    except (CronSimError, *_UNREAD):
        return False


def _check_field(text: str, place: int, name: str, field: str) -> None:
    for part in field.split(","):
        inside = f" in {field!r}" if part != field else ""
        said = f"its field {place} ({name}) has {part!r}{inside}"
        if re.match(r"[RH](?![a-z]{2})", part, re.IGNORECASE):
            raise _wrong(text, f"{said}, which stands for a random number; write the number that it shall be")
        if part == "?":
            raise _wrong(text, f"{said}, which is written * here")
        if not part or not _reads(name, part):
            least_first = (
                "; a range goes from the less to the greater" if re.fullmatch(r"[0-9A-Za-z]+-[0-9A-Za-z]+(/[0-9]+)?", part) else ""
            )
            raise _wrong(text, f"{said}, and takes {FIELDS[name]}, *, lists (1,5), ranges (1-5) and steps (*/2){least_first}")


def _reads(name: str, part: str) -> bool:
    """Whether cronsim can read a part of a field, among fields that say nothing."""
    from cronsim import CronSim, CronSimError

    fields = [part if each == name else "*" for each in FIELDS]
    try:
        CronSim(" ".join(fields), _ASKED_FROM)
    except (CronSimError, *_UNREAD):
        return False
    return True


def _wrong(value: object, why: str) -> InvalidOption:
    return InvalidOption(where=_WHERE, option="cron", value=value, why=why)
