"""Rules of RFC 5545 as they are written.

What a rule takes from its beginning (the day, the hour, the minute) is written into it when it is read, so that it can be asked from any of its periods
on. COUNT is counted once, when the rule is read, and is an end from then on.
"""

import re
from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime, time, timedelta, tzinfo
from itertools import islice, takewhile
from typing import Any

import attrs

from headrace_schedules.frequencies import FREQUENCIES, HOURLY, MINUTELY, MONTHLY, SECONDLY, WEEKLY, YEARLY
from headrace_schedules.rule import OF_DAYS, Rule
from headrace_schedules.wall_clock import LAST, shown

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

MOST_COUNTED = 10_000
"""What COUNT may say: it is counted from the beginning."""

YEARS_TO_COME = 100
"""A rule that has no moment in so many years from its beginning is taken for one that never has any."""

YEARS_COUNTED = 500
"""COUNT is an end if it is reached in so many years."""

_NUMBERS = {
    "BYSECOND": (0, 59),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYEASTER": (-80, 250),
}
_MAY_BE_NOUGHT = {"BYSECOND", "BYMINUTE", "BYHOUR", "BYEASTER"}
_NAMES = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS)
_DAY = re.compile(rf"([+-]?[0-9]{{1,2}})?({'|'.join(WEEKDAYS)})")


def read_rule(text: str, *, first: datetime, zone: tzinfo, begins: bool) -> Rule:
    """The rule that a text such as FREQ=DAILY;BYHOUR=9 says; `begins` tells whether somebody said when. Raises ValueError, saying where it is wrong."""
    parts = _parts(text)
    frequency = _frequency(parts)
    by: dict[str, Any] = {name: _numbers(name, parts[name]) for name in _NUMBERS if name in parts}
    if "BYDAY" in parts:
        by["BYDAY"] = _days(parts["BYDAY"], FREQUENCIES[frequency], is_of_weeks="BYWEEKNO" in parts)
    if "BYSETPOS" in by and len(by) == 1:
        raise ValueError("it has BYSETPOS, which chooses from what another BY… says, and there is none")
    week_start = parts.get("WKST", "MO")
    if week_start not in WEEKDAYS:
        raise ValueError(f"it has WKST={week_start}, and WKST takes one of {', '.join(WEEKDAYS)}")
    rule = Rule(
        frequency=frequency,
        interval=_number("INTERVAL", parts.get("INTERVAL", "1"), most=10**6),
        week_start=WEEKDAYS.index(week_start),
        by=by | _taken_from(first, frequency, by),
        first=first,
    )
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("it has COUNT and UNTIL, and takes one of them")
    if "COUNT" in parts and not begins:
        raise ValueError("it has COUNT and there is no DTSTART, so that nothing says where to count from; add one, or write UNTIL")
    rule = _ended(rule, parts.get("UNTIL"), zone)
    if not _comes(rule):
        ends = (
            f" from DTSTART {first.isoformat()} to UNTIL={parts['UNTIL']}"
            if "UNTIL" in parts
            else f" in the {YEARS_TO_COME} years from {first:%Y-%m-%d} on"
        )
        raise ValueError(f"it never comes: no day and time fits all that it says{ends}")
    return attrs.evolve(rule, until=_last_counted(rule, parts["COUNT"])) if "COUNT" in parts else rule


def read_moment(text: str) -> tuple[datetime, bool]:
    """A moment, without a zone if it has none, and whether it is a whole day. Raises ValueError."""
    try:
        return datetime.fromisoformat(text.upper()).replace(microsecond=0), "T" not in text.upper()
    except ValueError:
        raise ValueError(f"{text!r} is no moment; write it as 20260131T090000, or with Z at the end if it is in UTC") from None


def years_after(moment: datetime, years: int) -> datetime:
    """The last day of a year that comes so much later, or the end of the calendar."""
    return datetime(moment.year + years, 12, 31) if moment.year + years <= MAXYEAR else LAST


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.upper().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(f"it has {part!r}, and its parts are written NAME=VALUE, as FREQ=DAILY;BYHOUR=9")
        if name not in _NAMES:
            raise ValueError(f"it has {name}, which is no part of a rule; there are {', '.join(_NAMES)}")
        if name in parts:
            raise ValueError(f"it has {name} twice; write a list, as BYHOUR=9,17")
        parts[name] = value
    return parts


def _frequency(parts: Mapping[str, str]) -> int:
    if "FREQ" not in parts:
        raise ValueError("it has no FREQ, as FREQ=DAILY")
    if parts["FREQ"] not in FREQUENCIES:
        raise ValueError(f"it has FREQ={parts['FREQ']}, and FREQ takes one of {', '.join(FREQUENCIES)}")
    return FREQUENCIES.index(parts["FREQ"])


def _number(name: str, text: str, *, most: int) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise ValueError(f"it has {name}={text[:50]}, and {name} takes a number from 1 to {most}")
    return int(text)


def _numbers(name: str, text: str) -> list[int]:
    least, most = _NUMBERS[name]
    found = []
    for item in text.split(","):
        number = int(item) if re.fullmatch("[+-]?[0-9]{1,3}", item) else most + 1
        if not least <= number <= most or (number == 0 and name not in _MAY_BE_NOUGHT):
            takes = f"1 to {most} and -1 to {least}" if least < 0 and name not in _MAY_BE_NOUGHT else f"{least} to {most}"
            raise ValueError(f"it has {name}={text[:100]}, and {name} takes numbers from {takes}; {item[:50]!r} is none")
        found.append(number)
    return sorted(set(found))


def _days(text: str, frequency: str, *, is_of_weeks: bool) -> list[tuple[int | None, int]]:
    days = []
    for item in text.split(","):
        found = _DAY.fullmatch(item)
        if found is None or (found[1] and not 1 <= abs(int(found[1])) <= 53):
            raise ValueError(f"it has BYDAY={text[:100]}, and BYDAY takes {', '.join(WEEKDAYS)}, or as 1MO and -1FR; {item[:50]!r} is none")
        if found[1] and (frequency not in ("MONTHLY", "YEARLY") or is_of_weeks):
            beside = f"FREQ={frequency}" if frequency not in ("MONTHLY", "YEARLY") else "BYWEEKNO"
            raise ValueError(f"it has BYDAY={text[:100]}, and beside {beside} days have no numbers; {item!r} has one")
        days.append((int(found[1]) if found[1] else None, WEEKDAYS.index(found[2])))
    return days


def _taken_from(first: datetime, frequency: int, by: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule leaves to its beginning."""
    taken: dict[str, Any] = {}
    if not any(name in by for name in OF_DAYS):
        if frequency == YEARLY:
            taken = {"BYMONTHDAY": [first.day]} | ({} if "BYMONTH" in by else {"BYMONTH": [first.month]})
        elif frequency == MONTHLY:
            taken = {"BYMONTHDAY": [first.day]}
        elif frequency == WEEKLY:
            taken = {"BYDAY": [(None, first.weekday())]}
    units = {"BYHOUR": (HOURLY, first.hour), "BYMINUTE": (MINUTELY, first.minute), "BYSECOND": (SECONDLY, first.second)}
    return taken | {name: [value] for name, (finer, value) in units.items() if frequency < finer and name not in by}


def _ended(rule: Rule, text: str | None, zone: tzinfo) -> Rule:
    if text is None:
        return rule
    try:
        until, is_day = read_moment(text)
    except ValueError as error:
        raise ValueError(f"it has UNTIL={text[:50]}, and {error}") from None
    if until.tzinfo:  # a fold is passed twice within a day, and the moment tells where it ends
        wall = shown(until, zone)
        return attrs.evolve(rule, until=min(wall, LAST - timedelta(days=1)) + timedelta(days=1), until_moment=until.astimezone(UTC))
    return attrs.evolve(rule, until=datetime.combine(until, time(23, 59, 59)) if is_day else until)


def _comes(rule: Rule) -> bool:
    ends = years_after(rule.first, YEARS_TO_COME)
    ends = ends if rule.until is None else min(ends, rule.until)
    return next(attrs.evolve(rule, until=ends).walls(rule.first), None) is not None


def _last_counted(rule: Rule, text: str) -> datetime | None:
    count = _number("COUNT", text, most=MOST_COUNTED)
    ends = years_after(rule.first, YEARS_COUNTED)
    counted = list(islice(takewhile(lambda wall: wall <= ends, rule.walls(rule.first)), count))
    return counted[-1] if len(counted) == count or ends == LAST else None
