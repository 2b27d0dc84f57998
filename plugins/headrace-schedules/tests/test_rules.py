"""Rules of RFC 5545 against dateutil, which walks through every period of them, and what it costs to ask them."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import FrameType
from typing import Any

import pytest
from dateutil.rrule import rrulestr

from headrace.errors import InvalidOption
from headrace.ports.schedule import Schedule
from headrace_schedules.cron import CronSchedule
from headrace_schedules.rrule import RRuleSchedule

COARSE, FINE = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY"], ["HOURLY", "MINUTELY", "SECONDLY"]
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
TO_MAKE, TO_ASK, FOR_EACH = 2_000_000, 400_000, 25_000
"""Lines of Python. A machine runs tens of millions in a second."""


def utc(*fields: int) -> datetime:
    """A moment in UTC."""
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type,misc]


class TooDearError(BaseException):
    """More lines were run than were allowed; nothing that is asked may catch it."""


@contextmanager
def lines(most: int) -> Iterator[None]:
    """Lets so many lines of Python run, the same on every machine, and no more."""
    left = most

    def look(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise TooDearError
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)


# What they say


def listed(dice: random.Random, numbers: list[int], most: int) -> str:
    return ",".join(map(str, dice.sample(numbers, dice.randint(1, most))))


def some_rule(dice: random.Random, frequency: str) -> str:
    """A rule with some of the parts that there are."""
    fine = frequency in FINE
    steps = [1, 1, 2, 3, 5, 7, 12, 24, 25, 48, 60, 61, 90, 100, 168, 1440, 3600] if fine else [1, 1, 2, 3, 4, 5, 7, 12, 28]
    parts = [f"FREQ={frequency};INTERVAL={dice.choice(steps)}"]
    numbers_weeks = dice.random() < 0.12
    for name, least, most, often in (("BYHOUR", 0, 23, 0.3), ("BYMINUTE", 0, 59, 0.3), ("BYSECOND", 0, 59, 0.2), ("BYMONTH", 1, 12, 0.25)):
        if dice.random() < often:
            parts.append(f"{name}={listed(dice, [*range(least, most + 1)], 4)}")
    if dice.random() < 0.35:
        is_numbered = frequency in ("YEARLY", "MONTHLY") and not numbers_weeks and dice.random() < 0.5
        days = dice.sample(WEEKDAYS, dice.randint(1, 3))
        parts.append("BYDAY=" + ",".join((dice.choice(["1", "-1", "2", "5", "-2"]) if is_numbered else "") + day for day in days))
    for name, most, often in (("BYMONTHDAY", 31, 0.25), ("BYYEARDAY", 366, 0.1)):
        if dice.random() < often:
            near = [1, 29, 30, most, -1, -most, *dice.sample(range(1, most), 3)]
            parts.append(f"{name}={listed(dice, near, 4)}")
    if numbers_weeks:
        parts.append(f"BYWEEKNO={listed(dice, [1, 20, 52, 53, -1, -52, -53], 3)}")
    if dice.random() < 0.05:
        parts.append(f"BYEASTER={listed(dice, [-46, -2, 0, 1, 39, 49], 3)}")
    if dice.random() < 0.2 and len(parts) > 1:
        parts.append(f"BYSETPOS={dice.choice(['1', '-1', '2', '1,-1', '-2', '3,5', '10'])}")
    if dice.random() < 0.3:
        parts.append(f"WKST={dice.choice(WEEKDAYS)}")
    if dice.random() < 0.35:
        parts.append(dice.choice([f"COUNT={dice.randint(1, 300)}", "UNTIL=20250315T013000", "UNTIL=20210701T235959"]))
    return ";".join(parts)


def some_text(dice: random.Random, frequency: str) -> tuple[datetime, str]:
    """A beginning, and one rule or two, with dates and another rule that add to them and take from them."""
    first = datetime(
        dice.choice([1999, 2014, 2020, 2024]), dice.randint(1, 12), dice.randint(1, 28), dice.randint(0, 23), dice.choice([0, 45])
    )
    first = dice.choice([first, first, first, first.replace(year=2020, month=2, day=29), first.replace(month=12, day=31)])
    found = [f"DTSTART:{first:%Y%m%dT%H%M%S}", f"RRULE:{some_rule(dice, frequency)}"]
    if dice.random() < 0.1:
        found.append(f"RRULE:{some_rule(dice, dice.choice(COARSE))}")
    if dice.random() < 0.15:
        found.append("RDATE:20240229T123000,20210105T000000")
    if dice.random() < 0.15:
        hours = ",".join(f"{first + timedelta(days=day, hours=hour):%Y%m%dT%H%M%S}" for day in (0, 1, 7, 31) for hour in range(-3, 12))
        found.append(f"EXDATE:{hours}")
    if dice.random() < 0.2 and frequency != "SECONDLY":
        left_out = found[1].removeprefix("RRULE:").partition(";BY")[0] + dice.choice([";BYDAY=MO,TU,WE,TH,FR", ";BYMONTH=1,2,3,4,5,6,12"])
        found.append(f"EXRULE:{dice.choice([left_out, some_rule(dice, dice.choice(COARSE + FINE))])}")
    return first, "\n".join(found)


def walked(text: str, moment: datetime, many: int) -> list[datetime] | None:
    """What dateutil says, on wall times; None if it walks too far."""
    found: list[datetime] = []
    try:
        with lines(60_000):
            for wall in rrulestr(text):
                if wall > moment:
                    found.append(wall)
                if len(found) == many:
                    break
    except TooDearError:
        return None
    except ValueError:  # it says so if steps never meet the hours
        return found
    return found


def asked(text: str, moment: datetime, many: int) -> list[datetime] | None:
    """What the schedule says, on wall times; None if it is refused as one that never comes."""
    try:
        schedule = RRuleSchedule(text)
    except InvalidOption as error:
        if "it never comes" not in str(error):
            raise
        return None
    return [each.replace(tzinfo=None) for each in islice(schedule.after(moment.replace(tzinfo=UTC)), many)]


@pytest.mark.parametrize("frequency", COARSE + FINE)
def test_against_dateutil(frequency: str) -> None:
    """Rules say what dateutil says that walks through all of them, where it comes to an end; none is refused that comes within a hundred years."""
    dice = random.Random(frequency)
    compared = 0
    for _ in range(70):
        first, text = some_text(dice, frequency)
        moment = first + timedelta(days=dice.choice([-400, -1, 3, 40, 400]), minutes=dice.randint(0, 3_000))
        expected = walked(text, moment, 8)
        if expected is None:
            continue
        compared += 1
        found = asked(text, moment, 8)
        if found is None and text.count("\n") == 1:
            assert not expected or expected[0].year >= first.year + 100, text
        assert found in (None, expected), f"{text} after {moment}"
    assert compared > 30


def test_the_first_week_of_a_choice() -> None:
    """BYSETPOS chooses from what is left of a week when its rule begins, as dateutil has it; from whole months and years."""
    week = RRuleSchedule("DTSTART:20260108T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1")  # a Thursday
    assert [each.day for each in islice(week.after(utc(2026, 1, 1)), 3)] == [8, 12, 19]
    month = RRuleSchedule("DTSTART:20260108T090000\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1")
    assert [each.day for each in islice(month.after(utc(2026, 1, 1)), 2)] == [2, 2]


def test_exceptions_of_some_weeks() -> None:
    """EXRULE leaves out what its own steps come to."""
    text = "DTSTART:20260105T090000 RRULE:FREQ=DAILY;INTERVAL=7 EXRULE:FREQ={};INTERVAL=2"
    assert [each.day for each in islice(RRuleSchedule(text.format("WEEKLY")).after(utc(2026, 1, 1)), 3)] == [12, 26, 9]
    assert [each.day for each in islice(RRuleSchedule(text.format("DAILY")).after(utc(2026, 1, 1)), 3)] == [12, 26, 9]
    assert [each.month for each in islice(RRuleSchedule(text.format("MONTHLY;BYMONTHDAY=5,12,19,26")).after(utc(2026, 1, 1)), 2)] == [2, 2]


def test_exceptions_of_most_days() -> None:
    """What is left after many days comes, and what never comes again is seen to."""
    text = "RRULE:FREQ=MINUTELY EXRULE:FREQ=MINUTELY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11"
    assert next(RRuleSchedule(text).after(utc(2026, 2, 1))) == utc(2026, 12, 1)
    with lines(TO_MAKE), pytest.raises(InvalidOption, match="it never comes: what EXDATE and EXRULE leave out is all that it says"):
        RRuleSchedule("RRULE:FREQ=MINUTELY;BYHOUR=9 EXRULE:FREQ=HOURLY;BYHOUR=9;BYMINUTE=" + ",".join(map(str, range(60))))


def test_exceptions_that_end_in_utc() -> None:
    """EXRULE leaves out nothing after its UNTIL."""
    text = "DTSTART:20260101T000000 RRULE:FREQ=HOURLY EXRULE:FREQ=HOURLY;UNTIL=20260101T100000Z"
    assert next(RRuleSchedule(text, timezone="America/New_York").after(utc(2026, 1, 1))) == utc(2026, 1, 1, 11)


# What it costs


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=HOURLY;INTERVAL=168;BYDAY=TU;BYMONTH=3",
        "FREQ=HOURLY;INTERVAL=7;BYHOUR=2;BYDAY=TU;BYMONTHDAY=-1",
        "FREQ=HOURLY;INTERVAL=7;BYHOUR=2;BYDAY=TU",
        "FREQ=MINUTELY;INTERVAL=10080;BYDAY=TU;BYMONTH=3",
        "FREQ=SECONDLY;INTERVAL=86399;BYHOUR=2;BYMINUTE=3;BYSECOND=0",
        "FREQ=SECONDLY;INTERVAL=7200;BYSECOND=1",
        "FREQ=SECONDLY;INTERVAL=86394;BYSECOND=1",
        "FREQ=MINUTELY;BYSECOND=0,0;BYSETPOS=2",
        "FREQ=DAILY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYWEEKNO=20;BYMONTH=2",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYEASTER=0;BYMONTH=6",
        "FREQ=YEARLY;BYDAY=MO;BYSETPOS=54",
        "DTSTART:20190101\nFREQ=YEARLY;INTERVAL=4;BYYEARDAY=366",
    ],
)
def test_what_never_comes_is_refused_at_once(text: str) -> None:
    """It takes no walk through the calendar to see that a rule never comes."""
    with (
        lines(TO_MAKE),
        pytest.raises(InvalidOption, match="RRULE.*: it never comes: no day and time fits all that it says in the 100 years"),
    ):
        RRuleSchedule(text)


ALL_DAYS = "BYDAY=" + ",".join(WEEKDAYS)
EVERY_SECOND = ";".join(f"{name}={','.join(map(str, range(most)))}" for name, most in (("BYHOUR", 24), ("BYMINUTE", 60), ("BYSECOND", 60)))
DAYS_OUT = ",".join(f"{datetime(2026, 1, 1) + timedelta(days=day):%Y%m%d}" for day in range(5_000))


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=SECONDLY;INTERVAL=7;BYHOUR=2;BYMINUTE=3;BYSECOND=0;BYMONTHDAY=1",
        "FREQ=SECONDLY;INTERVAL=11;BYHOUR=2;BYMINUTE=3;BYSECOND=0",
        "FREQ=SECONDLY;BYHOUR=23;BYMINUTE=59;BYSECOND=0;BYDAY=MO",
        "FREQ=MINUTELY;INTERVAL=1439;BYHOUR=2;BYMINUTE=3;BYMONTHDAY=1",
        "FREQ=HOURLY;INTERVAL=5;BYHOUR=2;BYMONTH=3;BYMONTHDAY=29;BYDAY=MO",
        "FREQ=HOURLY;INTERVAL=999999",
        "DTSTART:20200229\nFREQ=DAILY;INTERVAL=3;BYMONTH=2;BYMONTHDAY=29",
        f"FREQ=YEARLY;{ALL_DAYS};{EVERY_SECOND}",
        f"FREQ=MONTHLY;{ALL_DAYS};{EVERY_SECOND}",
        f"FREQ=YEARLY;{ALL_DAYS};{EVERY_SECOND};BYSETPOS=-1",
        f"FREQ=SECONDLY;{EVERY_SECOND}",
        "FREQ=WEEKLY;BYWEEKNO=53",
        "FREQ=WEEKLY;BYEASTER=0;BYMONTHDAY=15;BYSETPOS=-1",
        "DTSTART:20200101\nFREQ=YEARLY;COUNT=10000",
        "DTSTART:20200101\nFREQ=WEEKLY;BYDAY=MO;COUNT=10000",
        f"FREQ=SECONDLY\nEXDATE;VALUE=DATE:{DAYS_OUT}",
        f"DTSTART:20201231\nRRULE:FREQ=MINUTELY\nEXRULE:FREQ=MINUTELY;BYYEARDAY={','.join(map(str, range(1, 366)))}",
        "DTSTART:20201231\nRRULE:FREQ=HOURLY\nEXRULE:FREQ=SECONDLY;BYMONTH=1,2,3,4,5,6,7,8,9,10,11",
        "DTSTART:20200101\nRRULE:FREQ=WEEKLY\nRRULE:FREQ=HOURLY;BYMINUTE=20\nEXRULE:FREQ=WEEKLY",
        "DTSTART:20200101\nRRULE:FREQ=MINUTELY;BYMINUTE=4;BYMONTH=1,7\nRDATE:20300101T000001\nEXRULE:FREQ=MINUTELY",
    ],
    ids=lambda text: text[:70],
)
@pytest.mark.parametrize("moment", [utc(2026, 1, 1), utc(2026, 12, 30, 23, 59, 50), utc(2120, 3, 1)], ids=str)
def test_rules_are_asked_quickly(text: str, moment: datetime) -> None:
    """Whatever a rule leaves out, the next time costs little, and each one that follows less, wherever one asks."""
    made: list[RRuleSchedule] = []
    with lines(TO_MAKE):
        made.append(RRuleSchedule(text))
    follow(made[0], moment)


@pytest.mark.parametrize("text", ["0 0 31 * 5#1", "0 0 1 * 5L", "0 0 30 2 1"])
def test_days_that_are_never_both_are_refused_at_once(text: str) -> None:
    """A day of month and a day of week that never meet are not looked for through four hundred years."""
    with lines(TO_MAKE), pytest.raises(InvalidOption, match="it never comes: no day is .* with day_or=False"):
        CronSchedule(text, day_or=False)


@pytest.mark.parametrize("text", ["0 12 13 * FRI", "0 0 29 2 MON", "*/5 * L * 5L"])
@pytest.mark.parametrize("moment", [utc(2026, 1, 1), utc(2096, 3, 1)], ids=str)
def test_days_of_both_fields_are_asked_quickly(text: str, moment: datetime) -> None:
    """Days that are named twice come as quickly as others, where they come at all."""
    made: list[CronSchedule] = []
    with lines(TO_MAKE):
        made.append(CronSchedule(text, day_or=False))
    follow(made[0], moment)


def follow(schedule: Schedule, moment: datetime, many: int = 20) -> None:
    """Asks for the times after a moment."""
    times = schedule.after(moment)
    with lines(TO_ASK):
        next(times, None)
    with lines(FOR_EACH * many):
        assert all(islice(times, many))
