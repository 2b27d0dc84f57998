"""Moments and lengths of time, as they are typed."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import click

from headrace.model.durations import duration

_ROOM, _SECOND = timedelta(days=2), timedelta(seconds=1)
_NO_ZONES = ("localtime", "posixrules", "right/", "posix/")
_MOST_SHOWN = 100


def shortened(typed: str) -> str:
    """What was typed, as much of it as a sentence has room for."""
    return typed if len(typed) <= _MOST_SHOWN else f"{typed[: _MOST_SHOWN // 2]} …"


class Duration(click.ParamType[timedelta]):
    """A length of time: 30 or 30s, 5m, 1h30m, 1d, 2w."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime]):
    """A moment in ISO 8601; without an offset, in the local time zone."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return datetime.fromisoformat(str(value).strip()).astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{shortened(str(value))!r} is no moment; write it as 2026-11-25T09:30, with an offset (+01:00) where it is not local time",
                param,
                ctx,
            )


class WallMoment(click.ParamType[datetime]):
    """A moment in ISO 8601; without an offset it has no zone yet, which `in_zone` gives it."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return datetime.fromisoformat(str(value).strip())
        except ValueError:
            self.fail(
                f"{shortened(str(value))!r} is no moment; write it as 2026-11-25T09:30, or with an offset, as 2026-11-25T09:30+01:00",
                param,
                ctx,
            )


class Zone(click.ParamType[ZoneInfo]):
    """A time zone by its IANA name."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        if isinstance(value, ZoneInfo):
            return value
        name = str(value)
        try:
            zone = None if name.startswith(_NO_ZONES) else ZoneInfo(name)
        except (LookupError, ValueError, OSError):
            zone = None
        if zone is None:
            self.fail(f"there is no time zone {shortened(name)!r}{_near_zone(name)}", param, ctx)
        return zone


def in_zone(moment: datetime, zone: tzinfo, *, is_last: bool = False) -> datetime:
    """A typed moment, in UTC; without an offset it is what clocks show in the zone: of what they show twice the first time, or the `last`, and for what
    they skip, the first moment after it. Raises click.BadParameter at the ends of the calendar."""
    try:
        found = moment.astimezone(UTC) if moment.tzinfo is not None else _shown(moment.replace(tzinfo=zone, fold=int(is_last)))
        assert found - _ROOM < found + _ROOM, "time goes on"  # nor is one near them any use, which a zone may move beyond
    except OverflowError:
        raise click.BadParameter(f"{moment.isoformat()} lies at the end of the calendar") from None
    return found


def _shown(wall: datetime) -> datetime:
    """When clocks show that, or the first moment after they have skipped it."""
    before, after = wall.replace(fold=0), wall.replace(fold=1)
    earlier, later = after.astimezone(UTC), before.astimezone(UTC)  # where clocks skip it, each offset leads to the other's side
    if earlier >= later:
        return wall.astimezone(UTC)
    new = after.utcoffset()
    while later - earlier > _SECOND:
        between = earlier + (later - earlier) // 2
        if between.astimezone(wall.tzinfo).utcoffset() == new:
            later = between
        else:
            earlier = between
    return later.replace(microsecond=0)


def _zones() -> set[str]:
    """The zones that schedules know: what lies beside them is another zone on every machine, or counts seconds otherwise."""
    from zoneinfo import available_timezones

    return {zone for zone in available_timezones() if not zone.startswith(_NO_ZONES)}


def _near_zone(name: str) -> str:
    from difflib import get_close_matches  # needed after a slip only

    zones = _zones()
    known = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zones)} | {zone.casefold(): zone for zone in zones}
    near = get_close_matches(name.strip().replace(" ", "_").casefold()[:100], known, n=1)
    return f"; did you mean {known[near[0]]!r}?" if near else "; write its IANA name, as Europe/Berlin"


DURATION, MOMENT, WALL_MOMENT, ZONE = Duration(), Moment(), WallMoment(), Zone()
