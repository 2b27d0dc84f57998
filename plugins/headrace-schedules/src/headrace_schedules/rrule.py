"""The schedule `rrule`: by the recurrence rules of RFC 5545, as calendars have them."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from functools import partial
from heapq import merge
from itertools import filterfalse, islice, takewhile
from typing import TypeVar
from zoneinfo import ZoneInfo

import attrs

from headrace.errors import InvalidOption
from headrace_schedules.frequencies import SECONDLY
from headrace_schedules.left_out import LeftOut
from headrace_schedules.rule import Rule
from headrace_schedules.rules import YEARS_TO_COME, read_moment, read_rule, years_after
from headrace_schedules.wall_clock import FIRST, first_to_ask, instant, instants, later, shown
from headrace_schedules.zones import UTC as UTC_NAME
from headrace_schedules.zones import checked_zone

T = TypeVar("T")

ANCHOR = datetime(2020, 1, 1)
"""Where rules begin without DTSTART: a wall time in the schedule's zone, so that the moments do not depend on when one asks."""

_WHERE = "schedule 'rrule'"
_LINE = re.compile(r"(DTSTART|RRULE|EXRULE|RDATE|EXDATE)((?:;[^:;]+)*):(.*)", re.IGNORECASE)
_BEGINS_A_LINE = re.compile(r"(?:DTSTART|RRULE|EXRULE|RDATE|EXDATE)[;:]|FREQ=", re.IGNORECASE)
_TAKES = "DTSTART, RRULE, RDATE, EXDATE and EXRULE, or one rule alone, as FREQ=DAILY;BYHOUR=9"
_MOST_LEFT_OUT = 10_000
_LONGEST = 50_000
_MOST_RULES = 10
"""Of the worst rules each costs a third of a second to read, and each is asked again at every time."""

_MOST_DATES = 1_000
_FIRST_YEAR = 1000


@attrs.frozen(kw_only=True)
class Recurrence:
    """What a text of RFC 5545 says, in one zone; wall times are without it."""

    zone: ZoneInfo
    zone_name: str | None
    rules: tuple[Rule, ...] = ()
    exceptions: tuple[Rule, ...] = ()
    walls: tuple[datetime, ...] = ()
    moments: tuple[datetime, ...] = ()
    no_walls: frozenset[datetime] = frozenset()
    no_moments: frozenset[datetime] = frozenset()
    no_days: frozenset[date] = frozenset()

    def after(self, moment: datetime) -> Iterator[datetime]:
        start = first_to_ask(moment, self.zone)
        streams = [self._moments_of(rule, start) for rule in self.rules]
        streams += [instants(self._allowed(self.walls, start), self.zone), iter(self.moments)]
        last = None
        for found in later(moment, merge(*streams)):
            if found != last and found not in self.no_moments:
                yield found
            last = found

    def leaves(self, rule: Rule) -> bool:
        """Whether some time of a rule is not left out, in the years in which a rule is to come."""
        if not (self.exceptions or self.no_walls or self.no_days):
            return True
        ends = years_after(rule.first, YEARS_TO_COME)
        walls = attrs.evolve(rule, until=ends if rule.until is None else min(ends, rule.until)).walls(rule.first, self._left_out_of(rule))
        return next(self._allowed(islice(walls, _MOST_LEFT_OUT), rule.first), None) is not None

    def leaves_dates(self) -> bool:
        return bool(self.moments) or next(self._allowed(self.walls, FIRST), None) is not None

    def _moments_of(self, rule: Rule, start: datetime) -> Iterator[datetime]:
        found = instants(self._allowed(rule.walls(start, self._left_out_of(rule)), start), self.zone, rule.passes)
        end = rule.until_moment
        return found if end is None else takewhile(lambda each: each <= end, found)

    def _left_out_of(self, rule: Rule) -> Callable[[date], bool]:
        return LeftOut(rule=rule, exceptions=self.exceptions, days=self.no_days).has

    def _allowed(self, walls: Iterable[datetime], start: datetime) -> Iterator[datetime]:
        for rule in self.exceptions:
            walls = _without(walls, rule.walls(start)) if rule.chooses else filterfalse(rule.has, walls)
        return (wall for wall in walls if wall not in self.no_walls and wall.date() not in self.no_days)


def _without(walls: Iterable[datetime], others: Iterator[datetime]) -> Iterator[datetime]:
    other = next(others, None)
    for wall in walls:
        while other is not None and other < wall:
            other = next(others, None)
        if wall != other:
            yield wall


def _plain_rrule(given: object) -> str:
    if not isinstance(given, str):
        raise _wrong(given, "a rule is a text, as FREQ=DAILY;BYHOUR=9")
    if len(given) > _LONGEST:
        raise _wrong(_cut(given), f"it has {len(given)} characters, and {_LONGEST} are allowed")
    return "\n".join(_lines(given))


@attrs.frozen
class RRuleSchedule:
    """By the recurrence rules of RFC 5545: lines of DTSTART, RRULE, RDATE, EXDATE and EXRULE, or one rule alone.

    Times are local to the zone, which is UTC, or the TZID of DTSTART, if none is given; those that end in Z are in UTC. Without DTSTART rules begin on
    2020-01-01T00:00 in the zone.
    """

    rrule: str = attrs.field(converter=_plain_rrule, metadata={"meaning": "the rules, as FREQ=DAILY;BYHOUR=9, in one line or several"})
    timezone: str | None = attrs.field(
        default=None, kw_only=True, metadata={"meaning": "the zone that its times are local to; by default the TZID of DTSTART, or UTC"}
    )
    _said: Recurrence = attrs.field(init=False, eq=False, repr=False)

    @_said.default
    def _read(self) -> Recurrence:
        return _recurrence(self.rrule, self.timezone)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "timezone", self._said.zone_name)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The moments after that one, in UTC."""
        return self._said.after(moment)


# What people write


@attrs.frozen
class _Line:
    name: str
    parameters: dict[str, str]
    value: str
    place: str


def _lines(text: str) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and not _BEGINS_A_LINE.match(word):  # a line that was folded, as files of calendars have them
            lines[-1] += word
        else:
            lines.append(word)
    return lines


def _recurrence(text: str, timezone: object) -> Recurrence:
    lines = [_line(line, number, text) for number, line in enumerate(text.split("\n"), 1)]
    starts = [line for line in lines if line.name == "DTSTART"]
    if len(starts) > 1:
        raise _wrong(text, f"{starts[1].place} is a second DTSTART, and there is one at most")
    if not any(line.name in ("RRULE", "RDATE") for line in lines):
        raise _wrong(text, "it has neither RRULE nor RDATE, so that it never comes")
    _check_many(text, lines)
    named = starts[0].parameters.get("TZID") if starts else None
    name, zone = _zone(text, timezone, named, is_utc=bool(starts) and starts[0].value.upper().endswith("Z"))
    first = ANCHOR
    if starts:
        written = _read(text, starts[0].place, partial(read_moment, starts[0].value))[0]
        first = shown(written, zone) if written.tzinfo else written
        if first.year < _FIRST_YEAR:
            raise _wrong(text, f"{starts[0].place}: it lies before the year {_FIRST_YEAR}")
    read: dict[str, list[Rule]] = {"RRULE": [], "EXRULE": []}
    for line in lines:
        if line.name in read:
            made = partial(read_rule, line.value, first=first, zone=zone, begins=bool(starts))
            read[line.name].append(_read(text, line.place, made))
    if read["EXRULE"] and any(rule.frequency == SECONDLY for rule in read["RRULE"]):
        raise _wrong(text, "it has EXRULE beside FREQ=SECONDLY, which cannot be asked quickly; say in the RRULE itself when it comes")
    walls, moments, days = _dates(text, [line for line in lines if line.name == "RDATE"], zone)
    no_walls, no_moments, no_days = _dates(text, [line for line in lines if line.name == "EXDATE"], zone)
    found = Recurrence(
        zone=zone,
        zone_name=name,
        rules=tuple(read["RRULE"]),
        exceptions=tuple(_as_exception(rule, zone) for rule in read["EXRULE"]),
        walls=tuple(sorted(walls | {datetime.combine(day, time()) for day in days})),
        moments=tuple(sorted(moments)),
        no_walls=frozenset(no_walls),
        no_moments=frozenset(no_moments),
        no_days=frozenset(no_days),
    )
    kept = tuple(
        rule for rule in found.rules if found.leaves(rule)
    )  # one of which nothing is left would be walked to the end of the calendar
    if not kept and not found.leaves_dates():
        raise _wrong(text, "it never comes: what EXDATE and EXRULE leave out is all that it says")
    return attrs.evolve(found, rules=kept)


def _check_many(text: str, lines: list[_Line]) -> None:
    rules = [line for line in lines if line.name in ("RRULE", "EXRULE")]
    if len(rules) > _MOST_RULES:
        why = f"it has {len(rules)} lines of RRULE and EXRULE, and {_MOST_RULES} are allowed; say it with fewer, or make several schedules of it"
        raise _wrong(_cut(text), f"{rules[_MOST_RULES].place}: {why}")
    dates = sum(line.value.count(",") + 1 for line in lines if line.name == "RDATE")
    if dates > _MOST_DATES:
        why = f"it has {dates} dates in RDATE, and {_MOST_DATES} are allowed; say it with an RRULE, or leave out those that are past"
        raise _wrong(_cut(text), why)


def _cut(text: str) -> str:
    return f"{text[:50]} …"


def _as_exception(rule: Rule, zone: ZoneInfo) -> Rule:
    """A rule as it leaves out wall times; what is passed twice is left out twice."""
    return rule if rule.until_moment is None else attrs.evolve(rule, until=shown(rule.until_moment, zone))


def _line(text: str, number: int, whole: str) -> _Line:
    found = _LINE.fullmatch(text)
    if found is None and ":" not in text and "=" in text:
        return _Line("RRULE", {}, text, f"line {number} (RRULE)" if "\n" in whole else "RRULE")
    if found is None:
        raise _wrong(whole, f"line {number} is {text[:50]!r}; lines are {_TAKES}")
    name = found[1].upper()
    place = f"line {number} ({name})" if "\n" in whole else name
    parameters = dict(part.partition("=")[::2] for part in found[2].split(";")[1:])
    parameters = {key.upper(): value for key, value in parameters.items()}
    allowed = {"TZID", "VALUE"} if name in ("DTSTART", "RDATE", "EXDATE") else set()
    for key, value in parameters.items():
        if key not in allowed or (key == "VALUE" and value.upper() not in ("DATE", "DATE-TIME")):
            raise _wrong(whole, f"{place}: it has {key}={value}, which means nothing there")
    if not found[3]:
        raise _wrong(whole, f"{place}: nothing stands after it")
    return _Line(name, parameters, found[3], place)


def _zone(text: str, timezone: object, named: str | None, *, is_utc: bool) -> tuple[str | None, ZoneInfo]:
    if named is not None:
        zone = checked_zone(named, where=f"{_WHERE}, TZID of DTSTART", option="rrule")
        if timezone is not None and timezone != named:
            raise InvalidOption(
                where=_WHERE,
                option="timezone",
                value=timezone,
                why=f"DTSTART has TZID={named}, which is another one; leave out one of them",
            )
        return named, zone
    return (UTC_NAME if timezone is None and is_utc else timezone), checked_zone(timezone, where=_WHERE)  # type: ignore[return-value]


def _dates(text: str, lines: list[_Line], zone: ZoneInfo) -> tuple[set[datetime], set[datetime], set[date]]:
    """The dates of lines: wall times, moments that no wall time says by itself, and whole days."""
    walls: set[datetime] = set()
    moments: set[datetime] = set()
    days: set[date] = set()
    for line in lines:
        own = line.parameters.get("TZID")
        there = zone if own is None else checked_zone(own, where=f"{_WHERE}, TZID of {line.name}", option="rrule")
        for item in line.value.split(","):
            found, is_day = _read(text, line.place, partial(read_moment, item))
            if found.tzinfo is None and not is_day and there.key != zone.key:
                found = _read(text, line.place, partial(_instant, found, there))
            if is_day:
                days.add(found.date())
            elif found.tzinfo is None:
                walls.add(found)
            elif not _is_passed_twice(found, zone):
                walls.add(shown(found, zone))
            else:
                moments.add(found.astimezone(UTC))
    return walls, moments, days


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    try:
        return instant(wall, zone)
    except OverflowError:
        raise ValueError(f"{wall} lies at the end of the calendar") from None


def _is_passed_twice(moment: datetime, zone: ZoneInfo) -> bool:
    there = moment.astimezone(zone)
    return there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()


def _read(text: str, place: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise _wrong(text, f"{place}: {error}") from error


def _wrong(value: object, why: str) -> InvalidOption:
    return InvalidOption(where=_WHERE, option="rrule", value=value, why=why)
