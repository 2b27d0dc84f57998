"""The schedule `rrule` is a schedule, and what is special about it."""

import re
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import InvalidOption
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.ports.schedule import Schedule
from headrace.testing.conformance.schedule import ScheduleConformance
from headrace_schedules.rrule import RRuleSchedule

SECOND = timedelta(seconds=1)
DAILY_9 = "DTSTART:20180101T090000\nRRULE:FREQ=DAILY"


def utc(*fields: int) -> datetime:
    """A moment in UTC."""
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type,misc]


def since(text: str, start: datetime, many: int = 3, zone: str | None = None) -> list[datetime]:
    """The first moments of rules from one on."""
    return list(islice(RRuleSchedule(text, timezone=zone).after(start - SECOND), many))


def local(text: str, start: datetime, many: int = 3, zone: str = "America/New_York") -> list[str]:
    """The same as clocks of a zone show them."""
    return [f"{each.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for each in since(text, start, many, zone)]


class TestOneRule(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return RRuleSchedule("FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9", timezone="Europe/Berlin")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        return [utc(2026, 1, day, 8) for day in (5, 7, 12)]


class TestSeveralLines(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return RRuleSchedule(
            """
            DTSTART;TZID=America/New_York:20180101T013000
            RRULE:FREQ=DAILY
            RRULE:FREQ=HOURLY;INTERVAL=6;BYDAY=FR
            RDATE:20260105T120000,20260106T120000Z
            EXDATE:20260102T013000
            EXDATE;VALUE=DATE:20260104
            EXRULE:FREQ=WEEKLY;BYDAY=SA
            """
        )

    @pytest.fixture
    def expected(self) -> list[datetime]:
        friday = [utc(2026, 1, 2, 12, 30), utc(2026, 1, 2, 18, 30), utc(2026, 1, 3, 0, 30)]
        return [utc(2026, 1, 1, 6, 30), *friday, utc(2026, 1, 5, 6, 30), utc(2026, 1, 5, 17), utc(2026, 1, 6, 6, 30), utc(2026, 1, 6, 12)]


class TestEverySecond(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return RRuleSchedule("DTSTART:20000101T000000 RRULE:FREQ=SECONDLY;INTERVAL=7")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        first = utc(2000, 1, 1)
        passed = (utc(2026, 1, 1) - first) // timedelta(seconds=7)
        return [first + (passed + step) * timedelta(seconds=7) for step in (1, 2, 3)]


@pytest.mark.parametrize(
    "start", ["DTSTART:20200101T000000\nRRULE:", "DTSTART:2020-01-01T00:00:00\n", "DTSTART;VALUE=DATE:20200101\nrrule:", ""]
)
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=YEARLY;INTERVAL=3;BYMONTH=10;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=TU", ["2020-10-06", "2023-10-03", "2026-10-06"]),
        ("FREQ=MINUTELY", ["2020-01-01T00:00", "2020-01-01T00:01", "2020-01-01T00:02"]),
        ("FREQ=MONTHLY;INTERVAL=2;BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR", ["2020-01-31", "2020-03-31", "2020-05-29"]),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06"]),
        ("FREQ=WEEKLY;INTERVAL=3;UNTIL=20210923T000000;BYDAY=SU", ["2020-01-05", "2020-01-26", "2020-02-16"]),
        ("FREQ=WEEKLY;BYHOUR=9;BYMINUTE=13;BYSECOND=54", ["2020-01-01T09:13:54", "2020-01-08T09:13:54", "2020-01-15T09:13:54"]),
        ("FREQ=YEARLY;BYWEEKNO=7,16;BYDAY=WE", ["2020-02-12", "2020-04-15", "2021-02-17"]),
    ],
)
def test_rules(start: str, rule: str, expected: list[str]) -> None:
    """Rules mean what RFC 5545 says; without DTSTART they begin with 2020, whenever one asks."""
    assert since(start + rule, utc(2020, 1, 1), len(expected)) == [datetime.fromisoformat(each).replace(tzinfo=UTC) for each in expected]


def test_counted_rules_end() -> None:
    """COUNT counts from DTSTART on, however late one asks."""
    text = "DTSTART:20200101T000000\nRRULE:FREQ=DAILY;COUNT=8;BYDAY=MO,TU,WE,TH,FR"
    assert [each.day for each in since(text, utc(2020, 1, 1), 100)] == [1, 2, 3, 6, 7, 8, 9, 10]
    assert [each.day for each in since(text, utc(2020, 1, 9), 100)] == [9, 10]
    assert since(text, utc(2035, 1, 1), 100) == []


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20200103T090000", 3),
        ("20200103T085959", 2),
        ("20200103", 3),
        ("20200103T140000Z", 3),
        ("20200103T135959Z", 2),
    ],
)
def test_until(until: str, last: int) -> None:
    """UNTIL is local to the zone, in UTC with Z, and a day is meant whole; what falls on it is the last."""
    found = since(f"DTSTART:20200101T090000 RRULE:FREQ=DAILY;UNTIL={until}", utc(2020, 1, 1), 9, zone="America/New_York")
    assert found[-1] == utc(2020, 1, last, 14)


def test_until_inside_of_a_fold() -> None:
    """UNTIL in UTC ends between the two passes of a fold."""
    text = "DTSTART:20221106T003000 RRULE:FREQ=HOURLY;UNTIL=20221106T0{}3000Z"
    assert [each.hour for each in since(text.format(5), utc(2022, 11, 6), 9, "America/New_York")] == [4, 5]
    assert [each.hour for each in since(text.format(6), utc(2022, 11, 6), 9, "America/New_York")] == [4, 5, 6]


def test_dates_inside_of_a_fold() -> None:
    """EXDATE and RDATE in UTC mean one pass of a fold, EXDATE as a wall time both."""
    hours = "DTSTART:20221106T003000 RRULE:FREQ=HOURLY;UNTIL=20221106T043000 {}"
    found = {
        added: [each.hour for each in since(hours.format(added), utc(2022, 11, 6), 9, "America/New_York")]
        for added in ("EXDATE:20221106T053000Z", "EXDATE:20221106T063000Z", "EXDATE:20221106T013000", "RDATE:20221106T061500Z")
    }
    assert list(found.values()) == [[4, 6, 7, 8, 9], [4, 5, 7, 8, 9], [4, 7, 8, 9], [4, 5, 6, 6, 7, 8, 9]]


@pytest.mark.parametrize(
    ("text", "zone", "kept", "hour"),
    [
        (DAILY_9, None, None, 9),
        (DAILY_9, "America/New_York", "America/New_York", 14),
        ("DTSTART;TZID=America/New_York:20180101T090000\nRRULE:FREQ=DAILY", None, "America/New_York", 14),
        ("DTSTART;TZID=America/New_York:20180101T090000\nRRULE:FREQ=DAILY", "America/New_York", "America/New_York", 14),
        ("DTSTART:20180101T090000Z\nRRULE:FREQ=DAILY", None, "UTC", 9),
        ("DTSTART:20180101T090000Z\nRRULE:FREQ=DAILY", "America/New_York", "America/New_York", 9),
    ],
)
def test_the_zone(text: str, zone: str | None, kept: str | None, hour: int) -> None:
    """The zone is the one that is given, or that DTSTART names; a DTSTART in UTC is a moment, whose wall time is kept."""
    schedule = RRuleSchedule(text, timezone=zone)
    assert schedule.timezone == kept
    assert next(schedule.after(utc(2018, 1, 1))) == utc(2018, 1, 1, hour)
    registry = Registry()
    assert registry.make("schedule", registry.choice_of("schedule", schedule)) == schedule


def test_zones_that_contradict() -> None:
    """A zone and another one in DTSTART are refused; one of them is a slip."""
    with pytest.raises(
        InvalidOption, match="timezone='Europe/Berlin' cannot be used: DTSTART has TZID=America/New_York, which is another one"
    ):
        RRuleSchedule("DTSTART;TZID=America/New_York:20180101T090000\nRRULE:FREQ=DAILY", timezone="Europe/Berlin")


def test_dates_of_other_zones() -> None:
    """A date with a TZID of its own is a moment there."""
    text = f"{DAILY_9}\nEXDATE;TZID=Europe/Berlin:20260102T150000\nRDATE;TZID=Asia/Tokyo:20260101T090000"
    assert since(text, utc(2026, 1, 1), 3, "America/New_York") == [utc(2026, 1, 1), utc(2026, 1, 1, 14), utc(2026, 1, 3, 14)]


def test_dates_alone() -> None:
    """RDATE needs no rule; a day is its midnight."""
    assert since("RDATE:20260105T120000,20260103\nEXDATE:20260107", utc(2026, 1, 1)) == [utc(2026, 1, 3), utc(2026, 1, 5, 12)]


def test_two_rules_at_once() -> None:
    """What two rules say for one moment comes once."""
    assert since("RRULE:FREQ=DAILY RRULE:FREQ=WEEKLY RRULE:FREQ=HOURLY;INTERVAL=12", utc(2026, 1, 1), 4) == [
        utc(2026, 1, 1),
        utc(2026, 1, 1, 12),
        utc(2026, 1, 2),
        utc(2026, 1, 2, 12),
    ]


def test_folded_lines() -> None:
    """Lines may be folded, as files of calendars have them, and the form that is kept is one."""
    folded = RRuleSchedule("DTSTART:20200101T000000\r\nRRULE:FREQ=DAILY;BYDAY=MO,\r\n TU,WE\r\n")
    assert folded == RRuleSchedule("DTSTART:20200101T000000 RRULE:FREQ=DAILY;BYDAY=MO,TU,WE")
    assert folded.rrule == "DTSTART:20200101T000000\nRRULE:FREQ=DAILY;BYDAY=MO,TU,WE"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1 is ''; lines are DTSTART, RRULE, RDATE, EXDATE and EXRULE, or one rule alone"),
        ("nonsense", "line 1 is 'nonsense'; lines are DTSTART"),
        ("VEVENT:x", "line 1 is 'VEVENT:x'"),
        ("FREQ=DALY", "RRULE: it has FREQ=DALY, and FREQ takes one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY"),
        ("BYHOUR=3", "RRULE: it has no FREQ, as FREQ=DAILY"),
        ("RRULE:", "RRULE: nothing stands after it"),
        ("RRULE:FREQ", "RRULE: it has 'FREQ', and its parts are written NAME=VALUE"),
        ("RRULE;X=1:FREQ=DAILY", "RRULE: it has X=1, which means nothing there"),
        ("FREQ=DAILY;BYHOUR=9,25", "RRULE: it has BYHOUR=9,25, and BYHOUR takes numbers from 0 to 23; '25' is none"),
        ("FREQ=DAILY;BYMINUTE=60", "BYMINUTE takes numbers from 0 to 59"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY takes numbers from 1 to 31 and -1 to -31; '0' is none"),
        ("FREQ=YEARLY;BYEASTER=300", "BYEASTER takes numbers from -80 to 250; '300' is none"),
        ("FREQ=MONTHLY;BYDAY=XX", "RRULE: it has BYDAY=XX, and BYDAY takes MO, TU, WE, TH, FR, SA, SU, or as 1MO and -1FR; 'XX' is none"),
        ("FREQ=MONTHLY;BYDAY=0MO", "'0MO' is none"),
        ("FREQ=WEEKLY;BYDAY=1MO", "beside FREQ=WEEKLY days have no numbers; '1MO' has one"),
        ("FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO", "beside BYWEEKNO days have no numbers; '1MO' has one"),
        ("FREQ=WEEKLY;WKST=XX", "RRULE: it has WKST=XX"),
        ("FREQ=DAILY;INTERVAL=0", "RRULE: it has INTERVAL=0, and INTERVAL takes a number from 1"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL takes a number from 1"),
        ("FREQ=DAILY;BYSETPOS=1", "it has BYSETPOS, which chooses from what another BY… says"),
        ("FREQ=DAILY;FREQ=DAILY", "it has FREQ twice"),
        ("FREQ=DAILY;FOO=1", "it has FOO, which is no part of a rule; there are FREQ, INTERVAL"),
        ("FREQ=DAILY;COUNT=3", "it has COUNT and there is no DTSTART, so that nothing says where to count from"),
        ("DTSTART:20200101\nFREQ=DAILY;COUNT=0", "line 2 (RRULE): it has COUNT=0, and COUNT takes a number from 1 to 10000"),
        ("DTSTART:20200101\nFREQ=DAILY;COUNT=10001", "COUNT takes a number from 1 to 10000"),
        ("DTSTART:20200101\nFREQ=DAILY;COUNT=3;UNTIL=20300101", "it has COUNT and UNTIL, and takes one of them"),
        ("FREQ=DAILY;UNTIL=soon", "RRULE: it has UNTIL=SOON, and 'SOON' is no moment; write it as 20260131T090000"),
        ("DTSTART:2020\nFREQ=DAILY", "line 1 (DTSTART): '2020' is no moment"),
        ("DTSTART:20201301T000000\nFREQ=DAILY", "line 1 (DTSTART): '20201301T000000' is no moment"),
        ("DTSTART:09991231T000000\nFREQ=DAILY", "line 1 (DTSTART): it lies before the year 1000"),
        ("DTSTART:20200101\nDTSTART:20200102\nFREQ=DAILY", "line 2 (DTSTART) is a second DTSTART"),
        ("DTSTART:20200101T000000", "it has neither RRULE nor RDATE"),
        ("FREQ=DAILY\nEXDATE:x", "line 2 (EXDATE): 'x' is no moment"),
        ("RDATE;VALUE=PERIOD:20200101T000000/P1D", "RDATE: it has VALUE=PERIOD, which means nothing there"),
        (
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
            "RRULE: it never comes: no day and time fits all that it says in the 100 years from 2020-01-01 on",
        ),
        ("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "RRULE: it never comes"),
        ("FREQ=HOURLY;INTERVAL=24;BYHOUR=3", "RRULE: it never comes"),
        ("FREQ=SECONDLY;BYMINUTE=10;BYSETPOS=2", "RRULE: it never comes"),
        ("FREQ=MINUTELY;BYSECOND=0,30;BYSETPOS=-3", "RRULE: it never comes"),
        (
            "DTSTART:20200101\nFREQ=DAILY;UNTIL=20190101",
            "it never comes: no day and time fits all that it says from DTSTART 2020-01-01T00:00:00 to UNTIL",
        ),
        ("FREQ=DAILY\nEXRULE:FREQ=DAILY", "it never comes: what EXDATE and EXRULE leave out is all that it says"),
        ("RDATE:20200101T000000\nEXDATE:20200101", "it never comes"),
        ("FREQ=SECONDLY\nEXRULE:FREQ=DAILY", "it has EXRULE beside FREQ=SECONDLY, which cannot be asked quickly"),
        ("FREQ=DAILY;BYHOUR=" + "1," * 30_000, "it has 60018 characters"),
        (None, "a rule is a text"),
    ],
)
def test_what_is_no_rule(text: Any, why: str) -> None:
    """Defect 6: nonsense, and what never comes, is refused when the schedule is made, and the sentence says where in it."""
    with pytest.raises(InvalidOption, match=re.escape(f"{why}")):
        RRuleSchedule(text)


EVERY_TIME = ";".join(f"BY{name}={','.join(map(str, range(count)))}" for name, count in (("HOUR", 24), ("MINUTE", 60), ("SECOND", 60)))


def test_many_rules_are_refused_at_once() -> None:
    """Each costs time, when it is read and whenever it is asked: of many, none is read."""
    worst = [f"RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE;{EVERY_TIME};BYSETPOS={place};COUNT=10000" for place in range(1, 100)]
    text = "\n".join(["DTSTART:20200101T000000", *worst])
    begun = time.process_time()
    with pytest.raises(
        InvalidOption, match=r"^schedule 'rrule': rrule='.{50,60} …' cannot be used: line 12 \(RRULE\): it has 99 lines of RRULE and EXRULE"
    ):
        RRuleSchedule(text)
    assert time.process_time() - begun < 0.2
    few = [f"RRULE:FREQ=DAILY;BYHOUR={hour}" for hour in range(9)]
    assert len(since("\n".join([*few, "EXRULE:FREQ=DAILY;BYHOUR=0"]), utc(2026, 1, 1), 20)) == 20
    with pytest.raises(
        InvalidOption, match=r"line 11 \(EXRULE\): it has 11 lines of RRULE and EXRULE, and 10 are allowed; say it with fewer"
    ):
        RRuleSchedule("\n".join([*few, "EXRULE:FREQ=DAILY;BYHOUR=0", "EXRULE:FREQ=DAILY;BYHOUR=1"]))


def test_many_dates_are_refused() -> None:
    """A thousand RDATE are enough, in one line or in several; they are walked through whenever it is asked. EXDATE are only looked up."""
    dates = [f"{utc(2026, 1, 1) + timedelta(days=day):%Y%m%d}" for day in range(1001)]
    assert len(since(f"RDATE;VALUE=DATE:{','.join(dates[:500])}\nRDATE:{','.join(dates[500:1000])}", utc(2025, 1, 1), 2000)) == 1000
    with pytest.raises(InvalidOption, match="it has 1001 dates in RDATE, and 1000 are allowed; say it with an RRULE"):
        RRuleSchedule(f"RDATE:{','.join(dates[:500])}\nRDATE:{','.join(dates[500:])}")
    assert since(f"FREQ=DAILY\nEXDATE:{','.join(dates)}", utc(2026, 1, 1), 1)[0] > utc(2028, 9, 1)


def test_unknown_zones() -> None:
    """An unknown zone is refused wherever it stands, with a name that is near."""
    with pytest.raises(
        InvalidOption, match="timezone='Europe/Berln' cannot be used: there is no such time zone; did you mean 'Europe/Berlin'"
    ):
        RRuleSchedule("FREQ=DAILY", timezone="Europe/Berln")
    with pytest.raises(InvalidOption, match="TZID of DTSTART: .*there is no such time zone; did you mean 'Europe/Berlin'"):
        RRuleSchedule("DTSTART;TZID=Europe/Berln:20200101T000000\nRRULE:FREQ=DAILY")


# Daylight saving, and what the system before this one got wrong, by its numbers there


def test_sets_of_rules_are_schedules() -> None:
    """Defect 6: what has EXDATE or several rules is made from a choice, and has moments."""
    schedule = Registry().make("schedule", Choice("rrule", {"rrule": f"{DAILY_9}\nRRULE:FREQ=DAILY;BYHOUR=12\nEXDATE:20180102T090000"}))
    assert list(islice(schedule.after(utc(2018, 1, 1, 12, 30)), 2)) == [utc(2018, 1, 2, 12), utc(2018, 1, 3, 9)]


@pytest.mark.parametrize(
    ("start", "shown", "hours"),
    [
        (utc(2018, 3, 11, 4), [23, 0, 1, 3, 4], [4, 5, 6, 7, 8]),
        (utc(2018, 11, 4, 3), [23, 0, 1, 1, 2], [3, 4, 5, 6, 7]),
    ],
)
def test_hourly_through_changes_of_clocks(start: datetime, shown: list[int], hours: list[int]) -> None:
    """Every hour that passes has one moment, in spring and in autumn."""
    found = since("DTSTART:20180101T000000 RRULE:FREQ=HOURLY", start, 5, "America/New_York")
    assert [each.hour for each in found] == hours
    assert [each.astimezone(ZoneInfo("America/New_York")).hour for each in found] == shown


def test_gaps() -> None:
    """Defect 4: a time in a gap comes at the first instant after it, and the next day is as ever."""
    at = "DTSTART:20180101T023000 RRULE:FREQ="
    assert local(at + "DAILY", utc(2022, 3, 12, 5)) == ["03-12 02:30 -0500", "03-13 03:00 -0400", "03-14 02:30 -0400"]
    assert local(at + "HOURLY;INTERVAL=2", utc(2022, 3, 13, 5)) == ["03-13 00:30 -0500", "03-13 03:00 -0400", "03-13 04:30 -0400"]
    assert local(at + "HOURLY", utc(2022, 3, 13, 6)) == ["03-13 01:30 -0500", "03-13 03:30 -0400", "03-13 04:30 -0400"]


def test_folds() -> None:
    """Defect 5: a time in a fold comes once, the first time; hours that are counted come both times."""
    at = "DTSTART:20180101T013000 RRULE:FREQ="
    assert local(at + "DAILY", utc(2022, 11, 6, 4), 2) == ["11-06 01:30 -0400", "11-07 01:30 -0500"]
    assert local(at + "HOURLY;BYHOUR=1", utc(2022, 11, 6, 4), 2) == ["11-06 01:30 -0400", "11-07 01:30 -0500"]
    assert local(at + "HOURLY", utc(2022, 11, 6, 5), 2) == ["11-06 01:30 -0400", "11-06 01:30 -0500"]
    assert local(at + "MINUTELY;INTERVAL=30", utc(2022, 11, 6, 5, 30), 3) == ["11-06 01:30 -0400", "11-06 01:00 -0500", "11-06 01:30 -0500"]


@pytest.mark.parametrize(("start", "hour"), [(utc(2018, 3, 8, 14), [14, 14, 14, 13, 13]), (utc(2018, 11, 1, 13), [13, 13, 13, 14, 14])])
def test_daily_through_changes_of_clocks(start: datetime, hour: list[int]) -> None:
    """Nine in the morning is nine in the morning."""
    assert [each.hour for each in since(DAILY_9, start, 5, "America/New_York")] == hour


# Asking far from the beginning

FREQUENCIES = st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])
PARTS = st.sampled_from(
    [
        "",
        ";BYHOUR=9,17;BYMINUTE=0,30;BYSECOND=0",
        ";BYDAY=MO,FR",
        ";BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ";BYDAY=SU,MO;WKST=SU",
        ";BYMONTHDAY=1,-1",
        ";BYMONTH=1,2,12",
        ";BYMONTH=2;BYMONTHDAY=29",
        ";BYYEARDAY=1,100,-1",
        ";BYWEEKNO=1,20,53;BYDAY=TH",
        ";BYMINUTE=10,40;BYSETPOS=2",
        ";BYHOUR=3;BYMINUTE=7",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    frequency=FREQUENCIES,
    interval=st.integers(1, 5),
    parts=PARTS,
    start=st.datetimes(datetime(2018, 1, 1), datetime(2021, 12, 31)),
    place=st.integers(0, 28),
    zone=st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
)
def test_asking_later_is_reading_on(frequency: str, interval: int, parts: str, start: datetime, place: int, zone: str) -> None:
    """A rule that is asked about a later moment answers what it would have come to, walking from its beginning."""
    text = f"DTSTART:{start:%Y%m%dT%H%M%S} RRULE:FREQ={frequency};INTERVAL={interval}{parts}"
    try:
        schedule = RRuleSchedule(text, timezone=zone)
    except InvalidOption:  # it never comes, as a second that five hours from the first do not hit
        return
    walked = list(islice(schedule.after(utc(2017, 1, 1)), 30))
    assert walked == sorted(set(walked))
    later = walked[min(place, len(walked) - 1)]
    rest = [each for each in walked if each > later]
    assert list(islice(schedule.after(later), len(rest))) == rest
    assert list(islice(schedule.after(later - timedelta(microseconds=1)), 1)) == [later]
