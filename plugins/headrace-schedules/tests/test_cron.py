"""The schedule `cron` is a schedule, and what is special about it."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from headrace.errors import InvalidOption
from headrace.ports.schedule import Schedule
from headrace.testing.clock import START
from headrace.testing.conformance.schedule import ScheduleConformance
from headrace_schedules.cron import CronSchedule

SECOND = timedelta(seconds=1)


def utc(*fields: int) -> datetime:
    """A moment in UTC."""
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type,misc]


def local(text: str, since: datetime, many: int = 5, zone: str = "America/New_York", **options: Any) -> list[str]:
    """The first moments of an expression from one on, as clocks of a zone show them."""
    found = islice(CronSchedule(text, timezone=zone, **options).after(since - SECOND), many)
    return [f"{each.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for each in found]


class TestFiveFields(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("30 9 * * MON-FRI", timezone="Europe/Berlin")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        return [utc(2026, 1, day, 8, 30) for day in (1, 2, 5, 6)]


class TestSixFields(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("*/20 * * * * *")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        return [START + timedelta(seconds=seconds) for seconds in (20, 40, 60)]


class TestBothDays(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return CronSchedule("0 12 13 * FRI", day_or=False, timezone="America/New_York")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        return [utc(2026, 2, 13, 17), utc(2026, 3, 13, 16), utc(2026, 11, 13, 17)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@hourly", [utc(2026, 1, 1, 1), utc(2026, 1, 1, 2)]),
        ("@daily", [utc(2026, 1, 2), utc(2026, 1, 3)]),
        ("@midnight", [utc(2026, 1, 2), utc(2026, 1, 3)]),
        ("@weekly", [utc(2026, 1, 4), utc(2026, 1, 11)]),
        ("@Monthly", [utc(2026, 2, 1), utc(2026, 3, 1)]),
        ("@yearly", [utc(2027, 1, 1), utc(2028, 1, 1)]),
        (" @annually ", [utc(2027, 1, 1), utc(2028, 1, 1)]),
        ("0 0 L * *", [utc(2026, 1, 31), utc(2026, 2, 28)]),
        ("0 0 LW * *", [utc(2026, 1, 30), utc(2026, 2, 27)]),
        ("0 0 * * 5L", [utc(2026, 1, 30), utc(2026, 2, 27)]),
        ("0 0 * jan mon#1", [utc(2026, 1, 5), utc(2027, 1, 4)]),
        ("0 0 29 2 *", [utc(2028, 2, 29), utc(2032, 2, 29)]),
        ("0 0 29 2 1", [utc(2026, 2, 2), utc(2026, 2, 9)]),
        ("0  0\t1 1,7 *", [utc(2026, 7, 1), utc(2027, 1, 1)]),
    ],
)
def test_expressions(text: str, expected: list[datetime]) -> None:
    """What cron knows, and its short names."""
    assert list(islice(CronSchedule(text).after(START), 2)) == expected


@pytest.mark.parametrize(
    ("text", "day_or", "expected"),
    [
        ("0 0 1-7 * 5", False, ["01-07", "02-04", "03-04"]),
        ("0 0 1-7 * 5", True, ["01-01", "01-02", "01-03", "01-04", "01-05", "01-06", "01-07", "01-14", "01-21"]),
        ("0 0 L * 1", False, ["01-31", "02-28", "10-31"]),
        ("0 0 L * 1", True, ["01-03", "01-10", "01-17", "01-24", "01-31", "02-07"]),
        ("0 0 8-14 * 2#2", False, ["01-11", "02-08", "03-08"]),
        ("0 0 25-31 * 5L", False, ["01-28", "02-25", "03-25"]),
        ("0 0 */2 * 1", True, ["01-03", "01-17", "01-31"]),
        ("0 0 */2 * 1", False, ["01-03", "01-17", "01-31"]),
        ("0 0 * * 1", True, ["01-03", "01-10"]),
        ("0 0 13 * *", False, ["01-13", "02-13"]),
    ],
)
def test_day_or(text: str, day_or: bool, expected: list[str]) -> None:
    """Days are due by one of their two fields or by both; where one begins with a star, by both, as cron has it."""
    found = islice(CronSchedule(text, day_or=day_or).after(utc(2022, 1, 1) - SECOND), len(expected))
    assert [f"{each:%m-%d}" for each in found] == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has 0 fields, and takes 5 (minute, hour, day of month, month, day of week), or 6 with the second before them"),
        ("nonsense", "it has 1 field, and takes 5"),
        ("* * * *", "it has 4 fields, and takes 5"),
        ("* * * * * * *", "it has 7 fields, and takes 5"),
        ("61 * * * *", "its field 1 (minute) has '61', and takes 0-59, *, lists (1,5), ranges (1-5) and steps (*/2)"),
        ("0 25 * * *", "its field 2 (hour) has '25', and takes 0-23"),
        ("0 9,25 * * *", "its field 2 (hour) has '25' in '9,25', and takes 0-23"),
        ("0 0 32 * *", "its field 3 (day of month) has '32', and takes 1-31, L (the last day) or LW (the last weekday)"),
        ("0 0 * FEBRUARY *", "its field 4 (month) has 'FEBRUARY', and takes 1-12 or JAN-DEC"),
        ("0 0 * * 8", "its field 5 (day of week) has '8', and takes 0-7 or SUN-SAT"),
        ("0 0 * * 5L/2", "its field 5 (day of week) has '5L/2', and takes"),
        ("60 0 0 * * *", "its field 1 (second) has '60', and takes 0-59"),
        ("0 0 0 * * 9", "its field 6 (day of week) has '9', and takes"),
        (
            "0 17-9 * * *",
            "its field 2 (hour) has '17-9', and takes 0-23, *, lists (1,5), ranges (1-5) and steps (*/2); a range goes from the",
        ),
        ("*/0 * * * *", "its field 1 (minute) has '*/0'"),
        ("1,,2 * * * *", "its field 1 (minute) has '' in '1,,2'"),
        ("0 0 ? * 1", "its field 3 (day of month) has '?', which is written * here"),
        ("0 0 31 2 *", "it never comes: no day is 31 (day of month), 2 (month), * (day of week)"),
        ("0 0 30,31 2 *", "it never comes"),
        ("@reboot", "@reboot is no time"),
        ("@fortnightly", "there is no @fortnightly; there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
        ("* " * 1_000, "it has 1999 characters"),
        ("*/" + "9" * 900 + " 25 * * *", "its field 2 (hour) has '25'"),
        (None, "a cron expression is a text"),
        (5, "a cron expression is a text"),
    ],
)
def test_what_is_no_expression(text: Any, why: str) -> None:
    """It is refused when the schedule is made, and the sentence says where in it."""
    with pytest.raises(InvalidOption, match=re.escape(f"cannot be used: {why}")):
        CronSchedule(text)


@pytest.mark.parametrize("text", ["0 0 31 * 5#1", "0 0 1 * 5L", "0 0 30 2 1"])
def test_days_that_are_never_both(text: str) -> None:
    """A day of month and a day of week that never meet are refused where both must hold, and fine where one is enough."""
    assert list(islice(CronSchedule(text).after(START), 1))
    with pytest.raises(InvalidOption, match="it never comes: no day is .* with day_or=False"):
        CronSchedule(text, day_or=False)


def test_wrong_kinds_of_options() -> None:
    """A zone that is none and a flag that is none are refused by their names."""
    with pytest.raises(
        InvalidOption, match="timezone='Europe/Berln' cannot be used: there is no such time zone; did you mean 'Europe/Berlin'"
    ):
        CronSchedule("@daily", timezone="Europe/Berln")
    with pytest.raises(InvalidOption, match="day_or='no' cannot be used: it is true or false"):
        CronSchedule("@daily", day_or="no")  # type: ignore[arg-type]


# Daylight saving, and what the system before this one got wrong, by its numbers there


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 2 * * *", ["03-12 02:30 -0500", "03-13 03:00 -0400", "03-14 02:30 -0400"]),
        ("0,30 2,3 13 * *", ["03-13 03:00 -0400", "03-13 03:30 -0400", "04-13 02:00 -0400"]),
        ("0 30 2 13 * *", ["03-13 03:00 -0400", "04-13 02:30 -0400"]),
        ("*/15 2 13 * *", ["03-13 03:00 -0400", "04-13 02:00 -0400"]),
    ],
)
def test_a_time_in_a_gap(text: str, expected: list[str]) -> None:
    """Defect 4: it comes at the first instant after the gap, once, also if something else is due then, and the next day is as ever."""
    assert local(text, utc(2022, 3, 12, 5), len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 1 * * *", ["11-06 01:30 -0400", "11-07 01:30 -0500"]),
        ("0 30 1 * * *", ["11-06 01:30 -0400", "11-07 01:30 -0500"]),
        ("*/30 1 * * *", ["11-06 01:00 -0400", "11-06 01:30 -0400", "11-07 01:00 -0500"]),
        ("0 0-2 * * *", ["11-06 00:00 -0400", "11-06 01:00 -0400", "11-06 02:00 -0500"]),
        ("30 * * * *", ["11-06 00:30 -0400", "11-06 01:30 -0400", "11-06 01:30 -0500", "11-06 02:30 -0500"]),
        ("0 0-23 * * *", ["11-06 00:00 -0400", "11-06 01:00 -0400", "11-06 01:00 -0500", "11-06 02:00 -0500"]),
    ],
)
def test_a_time_in_a_fold(text: str, expected: list[str]) -> None:
    """Defect 5: it comes once, the first time; where the hour is a wildcard, both times."""
    assert local(text, utc(2022, 11, 6, 4), len(expected)) == expected


def test_wildcards_in_a_gap() -> None:
    """Every hour is each hour that there is; every second hour that falls into a gap is made up for."""
    assert local("30 * * * *", utc(2022, 3, 13, 6), 3) == ["03-13 01:30 -0500", "03-13 03:30 -0400", "03-13 04:30 -0400"]
    assert local("30 */2 * * *", utc(2022, 3, 13, 5), 3) == ["03-13 00:30 -0500", "03-13 03:00 -0400", "03-13 04:30 -0400"]


def test_every_second_hour_in_a_fold() -> None:
    """A wildcard of every second hour comes both times, as cron has it."""
    found = local("0 */2 * * *", utc(2026, 10, 24, 22), 4, zone="Europe/Berlin")
    assert found == ["10-25 00:00 +0200", "10-25 02:00 +0200", "10-25 02:00 +0100", "10-25 04:00 +0100"]


@pytest.mark.parametrize(
    ("zone", "text", "since", "expected"),
    [
        ("Australia/Lord_Howe", "15 2 * * *", utc(2026, 10, 3, 0), ["10-04 02:30 +1100", "10-05 02:15 +1100"]),
        ("Australia/Lord_Howe", "45 1 * * *", utc(2026, 4, 4, 0), ["04-05 01:45 +1100", "04-06 01:45 +1030"]),
        ("Australia/Lord_Howe", "45 * * * *", utc(2026, 4, 4, 14, 30), ["04-05 01:45 +1100", "04-05 01:45 +1030", "04-05 02:45 +1030"]),
        ("Pacific/Apia", "0 9 30 12 *", utc(2011, 12, 1), ["12-31 00:00 +1400", "12-30 09:00 +1400"]),
        ("Pacific/Apia", "0 9 * * *", utc(2011, 12, 29, 19), ["12-29 09:00 -1000", "12-31 00:00 +1400", "12-31 09:00 +1400"]),
        ("Pacific/Apia", "0 * * * *", utc(2011, 12, 30, 9), ["12-29 23:00 -1000", "12-31 00:00 +1400", "12-31 01:00 +1400"]),
        ("Europe/Dublin", "30 1 * * *", utc(2026, 3, 28), ["03-28 01:30 +0000", "03-29 02:00 +0100", "03-30 01:30 +0100"]),
        ("Europe/Dublin", "30 1 * * *", utc(2026, 10, 24, 12), ["10-25 01:30 +0100", "10-26 01:30 +0000"]),
        ("America/Havana", "0 0 * * *", utc(2026, 3, 7, 12), ["03-08 01:00 -0400", "03-09 00:00 -0400"]),
        ("America/Havana", "0 0 * * *", utc(2026, 10, 31, 12), ["11-01 00:00 -0400", "11-02 00:00 -0500"]),
    ],
)
def test_zones_with_their_own_ways(zone: str, text: str, since: datetime, expected: list[str]) -> None:
    """Half an hour, a day that was left out, a summer that is standard time, a midnight that is not there."""
    assert local(text, since, len(expected), zone=zone) == expected


@pytest.mark.parametrize(
    ("start", "shown", "hours"),
    [
        (utc(2018, 3, 11, 4), [23, 0, 1, 3, 4], [4, 5, 6, 7, 8]),
        (utc(2018, 11, 4, 3), [23, 0, 1, 1, 2], [3, 4, 5, 6, 7]),
    ],
)
def test_hourly_through_changes_of_clocks(start: datetime, shown: list[int], hours: list[int]) -> None:
    """Every hour that passes has one moment, in spring and in autumn."""
    found = list(islice(CronSchedule("0 * * * *", timezone="America/New_York").after(start - SECOND), 5))
    assert [each.hour for each in found] == hours
    assert [each.astimezone(ZoneInfo("America/New_York")).hour for each in found] == shown


def test_the_zone_holds_from_the_beginning_of_time() -> None:
    """Defect 7: who asks from far back has the moments of the schedule's zone, not of UTC."""
    first = next(CronSchedule("0 9 * * *", timezone="America/New_York").after(utc(1990, 1, 1)))
    assert first == utc(1990, 1, 1, 14)


@pytest.mark.parametrize("text", ["R * * * *", "0 H * * *", "0 0 R(1-5) * *", "H/15 * * * *", "0 0 h * *", "0,R * * * *"])
def test_no_dice(text: str) -> None:
    """Defect 8: what would be another number each time is refused, so that one schedule has one set of moments."""
    with pytest.raises(InvalidOption, match=r"its field [123] \(.*\) has .* stands for a random number; write the number that it shall be"):
        CronSchedule(text)
