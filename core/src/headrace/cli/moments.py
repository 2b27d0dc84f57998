"""Moments and lengths of time, as they are typed."""

import re
from datetime import datetime, timedelta

import click

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")
_MOST = timedelta(days=36_500)


class Duration(click.ParamType[timedelta]):
    """A length of time: 30 or 30s, 5m, 2h, 1d."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = _DURATION.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no length of time; write seconds, or a number with s, m, h or d, as 30s or 5m", param, ctx)
        seconds = float(found[1]) * _UNITS[found[2]]
        if seconds > _MOST.total_seconds():
            self.fail(f"{value!r} is more than a hundred years", param, ctx)
        return timedelta(seconds=seconds)


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


DURATION, MOMENT = Duration(), Moment()
