"""Schedules against an oracle that walks through every minute around changes of clocks, and asks only what clocks show at it.

A few zones are walked through by themselves; all zones that there are, with all their changes from 2000 to 2037, where ZONES=all is set (`nox -s zones`).
"""

import os
import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.ports.schedule import Schedule
from headrace_schedules.cron import CronSchedule
from headrace_schedules.interval import IntervalSchedule
from headrace_schedules.rrule import RRuleSchedule

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
SAMPLE = """
    America/New_York Europe/Berlin Europe/Dublin Australia/Lord_Howe Pacific/Apia America/Havana Antarctica/Casey Antarctica/Troll Africa/Casablanca
    Asia/Tehran Asia/Gaza America/Caracas Asia/Pyongyang Pacific/Norfolk Africa/Cairo America/Santiago Asia/Kathmandu UTC
""".split()
WHOLE = os.environ.get("ZONES") == "all"
EVERY_HOUR, EVERY_NTH_HOUR, NAMED_HOURS = "every hour", "every nth hour", "named hours"


@attrs.frozen
class Said:
    """What a schedule says, in fields: how it is written for the library, and when it is due, for the oracle."""

    schedule: Schedule
    minutes: frozenset[int]
    hours: frozenset[int]
    kind: str = NAMED_HOURS
    day: Callable[[date], bool] = lambda _: True

    def is_due(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours and self.day(wall.date())


@attrs.frozen
class Around:
    """The minutes around a change of clocks: each with what clocks show, and the wall times that were left out just before it."""

    zone: str
    start: datetime
    minutes: list[tuple[datetime, datetime, list[datetime]]]


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The minutes at which the offset of a zone changes."""
    moment = FIRST
    while moment < LAST:
        if moment.astimezone(zone).utcoffset() != (moment + 12 * HOUR).astimezone(zone).utcoffset():
            early, late = moment, moment + 12 * HOUR
            while late - early > MINUTE:
                middle = early + (late - early) // MINUTE // 2 * MINUTE
                if middle.astimezone(zone).utcoffset() == moment.astimezone(zone).utcoffset():
                    early = middle
                else:
                    late = middle
            yield late
        moment += 12 * HOUR


def around(name: str, change: datetime) -> Around:
    """What clocks show from some hours before a change to some hours after it."""
    zone = ZoneInfo(name)
    size = abs((change.astimezone(zone).utcoffset() or HOUR) - ((change - MINUTE).astimezone(zone).utcoffset() or HOUR))
    room = 3 * HOUR + min(size, 4 * HOUR)
    start, minutes, last = change - room, [], None
    for step in range(2 * room // MINUTE):
        moment = start + step * MINUTE
        wall = moment.astimezone(zone).replace(tzinfo=None)
        left_out = [] if last is None else [last + missed * MINUTE for missed in range(1, (wall - last) // MINUTE)]
        minutes.append((moment, wall, left_out))
        last = wall
    return Around(name, start, minutes)


def expected(said: Said, walked: Around) -> list[datetime]:
    """When a schedule is due, minute by minute."""
    seen: set[datetime] = set()
    found = []
    for moment, wall, left_out in walked.minutes:
        makes_up = said.kind != EVERY_HOUR and any(said.is_due(missed) for missed in left_out)
        comes = said.is_due(wall) and (said.kind != NAMED_HOURS or wall not in seen)
        if makes_up or comes:
            found.append(moment)
        seen.add(wall)
    return found


def asked(said: Said, walked: Around, moment: datetime | None = None) -> list[datetime]:
    """When the schedule itself says that it is due, after a moment or from the first minute on."""
    moment = moment or walked.start - timedelta(microseconds=1)
    end = walked.start + len(walked.minutes) * MINUTE
    return list(takewhile(lambda each: each < end, said.schedule.after(moment)))


def schedules(walked: Around, dice: random.Random) -> Iterator[Said]:
    """Schedules that have something to do with a change: their times lie about it, or inside of what is left out or comes twice."""
    zone, all_hours = walked.zone, frozenset(range(24))
    walls = [wall for _, wall, _ in walked.minutes]
    odd = [each for _, _, left_out in walked.minutes for each in left_out] + [wall for wall in walls if walls.count(wall) > 1][:120]
    edges = [walls[len(walls) // 2], walls[len(walls) // 2 - 1]]
    for wall in [*edges, dice.choice(odd or walls), dice.choice(odd or walls), dice.choice(walls)]:
        minute, hour = frozenset([wall.minute]), frozenset([wall.hour])
        weekday, clock = wall.isoweekday() % 7, f"{wall.minute} {wall.hour}"
        yield Said(CronSchedule(f"{clock} * * *", timezone=zone), minute, hour)
        yield Said(CronSchedule(f"0 {clock} {wall.day} * *", timezone=zone), minute, hour, day=lambda each, wall=wall: each.day == wall.day)  # type: ignore[misc]
        either = CronSchedule(f"{clock} {wall.day},1 * {weekday}", timezone=zone)
        yield Said(either, minute, hour, day=lambda each, wall=wall: each.day in (1, wall.day) or each.weekday() == wall.weekday())  # type: ignore[misc]
        both = CronSchedule(f"{clock} {wall.day},1 * {weekday}", timezone=zone, day_or=False)
        yield Said(both, minute, hour, day=lambda each, wall=wall: each.day in (1, wall.day) and each.weekday() == wall.weekday())  # type: ignore[misc]
        every = dice.choice([1, 1, 2, 3, 7])
        anchor = wall + dice.randint(-2_000, 2_000) * DAY
        on_day = lambda each, anchor=anchor, every=every: (each - anchor.date()).days % every == 0  # noqa: E731
        yield Said(IntervalSchedule(every * DAY, anchor_date=anchor, timezone=zone), minute, hour, day=on_day)
        yield Said(RRuleSchedule(f"DTSTART:19991201 FREQ=DAILY;BYHOUR={wall.hour};BYMINUTE={wall.minute}", timezone=zone), minute, hour)
        begun = datetime(1999, 12, 1, wall.hour, wall.minute) + dice.randint(0, 9) * DAY
        since = lambda each, begun=begun, every=every: (each - begun.date()).days % every == 0  # noqa: E731
        text = f"DTSTART:{begun:%Y%m%dT%H%M%S} RRULE:FREQ=DAILY;INTERVAL={every}"
        yield Said(RRuleSchedule(text, timezone=zone), minute, hour, day=since)
    minute = frozenset([dice.randrange(60)])
    some = frozenset(dice.sample(range(24), 12))
    quarters = frozenset([0, 15, 30, 45])
    yield Said(CronSchedule(f"{min(minute)} * * * *", timezone=zone), minute, all_hours, EVERY_HOUR)
    yield Said(CronSchedule(f"{min(minute)} 0-23 * * *", timezone=zone), minute, all_hours, EVERY_HOUR)
    yield Said(CronSchedule("*/7 * * * *", timezone=zone), frozenset(range(0, 60, 7)), all_hours, EVERY_HOUR)
    yield Said(CronSchedule(f"{min(minute)} */2 * * *", timezone=zone), minute, frozenset(range(0, 24, 2)), EVERY_NTH_HOUR)
    yield Said(CronSchedule(f"*/15 {','.join(map(str, sorted(some)))} * * *", timezone=zone), quarters, some)
    by_hours = f"DTSTART:19991201 FREQ=HOURLY;BYMINUTE={min(minute)};BYHOUR={','.join(map(str, some))}"
    yield Said(RRuleSchedule(by_hours, timezone=zone), minute, some)
    yield Said(RRuleSchedule(f"DTSTART:19991201 FREQ=HOURLY;BYMINUTE={min(minute)}", timezone=zone), minute, all_hours, EVERY_HOUR)
    fifteen = RRuleSchedule("DTSTART:19991201T000000 FREQ=MINUTELY;INTERVAL=15", timezone=zone)
    yield Said(fifteen, quarters, all_hours, EVERY_HOUR)
    two = RRuleSchedule(f"DTSTART:19991201T01{min(minute):02}00 FREQ=HOURLY;INTERVAL=2", timezone=zone)
    yield Said(two, minute, frozenset(range(1, 24, 2)), EVERY_NTH_HOUR)


@pytest.mark.parametrize("name", sorted(available_timezones() - {"localtime"}) if WHOLE else SAMPLE)
def test_against_the_oracle(name: str) -> None:
    """Around changes of clocks schedules come when the oracle says: all changes of all zones where it is asked for, else some of a few zones."""
    all_changes = list(changes(ZoneInfo(name)))
    dice = random.Random(name)
    for change in all_changes if WHOLE else dice.sample(all_changes, min(len(all_changes), 3)):
        walked = around(name, change)
        for said in schedules(walked, dice):
            found = expected(said, walked)
            assert asked(said, walked) == found, f"{said.schedule} in {name} at {change}"
            for moment in (
                change - MINUTE,
                change,
                *dice.sample([moment for moment, _, _ in walked.minutes], 2),
            ):  # whoever asks in the middle
                assert asked(said, walked, moment) == [each for each in found if each > moment], f"{said.schedule} in {name} after {moment}"


def test_elapsed_time_counts_every_minute() -> None:
    """An interval of no whole days takes no notice of clocks: it is counted in time that passes, everywhere."""
    for name in SAMPLE:
        zone = ZoneInfo(name)
        first = datetime(2020, 1, 1, tzinfo=zone).astimezone(UTC)
        for change in islice(changes(zone), 3):
            start = change - 100 * MINUTE
            ours = list(islice(IntervalSchedule("7m", timezone=name).after(start), 30))
            assert ours == [moment for step in range(1, 220) if not ((moment := start + step * MINUTE) - first) % (7 * MINUTE)][:30]


ANY = [
    CronSchedule("30 2 * * *", timezone="America/New_York"),
    CronSchedule("*/20 */2 * * *", timezone="Australia/Lord_Howe"),
    CronSchedule("15 * 13 * 5", timezone="Pacific/Apia", day_or=False),
    CronSchedule("*/30 * * * * *", timezone="Europe/Berlin"),
    IntervalSchedule("1d", anchor_date="2020-06-01T02:30", timezone="Europe/Berlin"),
    IntervalSchedule("50m", timezone="Africa/Casablanca"),
    RRuleSchedule("FREQ=HOURLY", timezone="Europe/Dublin"),
    RRuleSchedule("FREQ=MINUTELY;INTERVAL=45", timezone="Antarctica/Troll"),
    RRuleSchedule("FREQ=WEEKLY;BYDAY=SU;BYHOUR=1,2,3;BYMINUTE=30", timezone="America/New_York"),
]


@settings(max_examples=100, deadline=None)
@given(
    schedule=st.sampled_from(ANY),
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),
    place=st.integers(0, 18),
)
def test_asking_again_is_reading_on(schedule: Schedule, moment: datetime, place: int) -> None:
    """From whatever moment one asks, the moments increase, and asking from one of them gives what followed it."""
    found = list(islice(schedule.after(moment.replace(tzinfo=UTC)), 20))
    assert all(one < other for one, other in zip([moment.replace(tzinfo=UTC), *found], found, strict=False))
    assert list(islice(schedule.after(found[place]), 19 - place)) == found[place + 1 :]
    assert next(schedule.after(found[place] - timedelta(microseconds=1))) == found[place]


# What it costs


def lines_run(act: Callable[[], Any]) -> int:
    """How many lines of Python something takes: the same on every machine."""
    count = 0

    def look(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("schedule", ANY, ids=lambda schedule: str(next(iter(attrs.asdict(schedule).values()))))
def test_the_cost_of_asking(schedule: Schedule) -> None:
    """A moment costs a thousand lines at most, and asking costs no more far from where counting begins than near to it."""
    near, far = datetime(2020, 3, 1, tzinfo=UTC), datetime(2120, 3, 1, tzinfo=UTC)
    list(islice(schedule.after(near), 1))
    assert lines_run(lambda: list(islice(schedule.after(near), 500))) < 500 * 1_000
    assert lines_run(lambda: list(islice(schedule.after(far), 3))) < 5 * lines_run(lambda: list(islice(schedule.after(near), 3))) + 20_000
