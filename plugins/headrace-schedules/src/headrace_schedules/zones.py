"""Time zones by their IANA names."""

from zoneinfo import ZoneInfo, available_timezones

from headrace.errors import InvalidOption

UTC = "UTC"
_NOT_FOR_SCHEDULES = ("localtime", "posixrules", "right/", "posix/")
"""Files beside the zones: another zone on every machine, or another count of seconds."""


def checked_zone(name: object, *, where: str, option: str = "timezone") -> ZoneInfo:
    """The zone of that name, UTC for None. Raises InvalidOption, which tells near names."""
    if name is None:
        return ZoneInfo(UTC)
    if not isinstance(name, str):
        raise InvalidOption(where=where, option=option, value=name, why="a zone is given by its name, as Europe/Berlin")
    try:
        if not name.startswith(_NOT_FOR_SCHEDULES):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        pass
    raise InvalidOption(where=where, option=option, value=name, why=f"there is no such time zone{_near(name)}")


def name_of(zone: object) -> str | None:
    """The name of the zone of a moment; None for one that is only an offset."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    return name if isinstance(name, str) else None


def _near(name: str) -> str:
    from difflib import get_close_matches  # needed after a slip only

    known = {each.casefold(): each for each in available_timezones() if not each.startswith(_NOT_FOR_SCHEDULES)}
    known |= {each.rpartition("/")[2].casefold(): each for each in sorted(known.values(), reverse=True) if "/" in each} | known
    near = [known[each] for each in get_close_matches(name.strip().replace(" ", "_").casefold()[:100], known, n=3)]
    found = list(dict.fromkeys(near))
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else "; write its IANA name, as Europe/Berlin"
