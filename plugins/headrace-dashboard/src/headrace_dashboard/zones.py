"""The zone of who looks: the one that is asked for, else the one that the browser has told, else UTC."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from functools import cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from starlette.requests import Request

ZONE = "headrace_zone"
"""The cookie in which a browser tells its zone, by its IANA name."""

UTC = ZoneInfo("UTC")
_NO_ZONES = ("localtime", "posixrules", "right/", "posix/")


def zone_of(request: Request) -> ZoneInfo:
    """The zone in which days and clocks are meant."""
    return _zone(request.query_params.get("zone", "")) or _zone(unquote(request.cookies.get(ZONE, ""))) or UTC


@cache
def zone_names() -> Sequence[str]:
    """Those that can be chosen."""
    return sorted(name for name in available_timezones() if not name.startswith(_NO_ZONES))


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name and not name.startswith(_NO_ZONES) else None
    except (LookupError, ValueError, OSError):
        return None


def typed_moment(text: str, zone: tzinfo) -> datetime | None:
    """What somebody typed as a moment, as shown by clocks in the zone unless it says its offset; None for nothing. Raises ValueError."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:60]!r} is no moment; write it as 2026-11-25T09:30") from None
