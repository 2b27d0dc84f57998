"""Moments and lengths of time, as they are typed."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import click

from headrace.model.durations import duration

_ROOM = timedelta(days=2)


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
                f"{value!r} is no moment; write it as 2026-11-25T09:30, with an offset (+01:00) where it is not local time", param, ctx
            )


class WallMoment(click.ParamType[datetime]):
    """A moment in ISO 8601; without an offset it has no zone yet, which `in_zone` gives it."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return datetime.fromisoformat(str(value).strip())
        except ValueError:
            self.fail(f"{value!r} is no moment; write it as 2026-11-25T09:30, or with an offset, as 2026-11-25T09:30+01:00", param, ctx)


class Zone(click.ParamType[ZoneInfo]):
    """A time zone by its IANA name."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(str(value))
        except (LookupError, ValueError, OSError):
            self.fail(f"there is no time zone {value!r}{_near_zone(str(value))}", param, ctx)


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """A typed moment, in UTC; without an offset it is what clocks show in the zone. Raises click.BadParameter at the ends of the calendar."""
    try:
        found = (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
        assert found - _ROOM < found + _ROOM, "time goes on"  # nor is one near them any use, which a zone may move beyond
    except OverflowError:
        raise click.BadParameter(f"{moment.isoformat()} lies at the end of the calendar") from None
    return found


def _near_zone(name: str) -> str:
    from difflib import get_close_matches  # needed after a slip only
    from zoneinfo import available_timezones

    known = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(available_timezones())}
    known |= {zone.casefold(): zone for zone in available_timezones()}
    near = get_close_matches(name.strip().replace(" ", "_").casefold()[:100], known, n=1)
    return f"; did you mean {known[near[0]]!r}?" if near else "; write its IANA name, as Europe/Berlin"


DURATION, MOMENT, WALL_MOMENT, ZONE = Duration(), Moment(), WallMoment(), Zone()
