"""The schedule `interval` is a schedule, and what is special about it."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from headrace.errors import InvalidOption
from headrace.hooks.registry import Registry
from headrace.ports.schedule import Schedule
from headrace.testing.clock import START
from headrace.testing.conformance.schedule import ScheduleConformance
from headrace_schedules.interval import IntervalSchedule

NEW_YORK = ZoneInfo("America/New_York")
SECOND = timedelta(seconds=1)


def utc(*fields: int) -> datetime:
    """A moment in UTC."""
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type,misc]


def local(schedule: Schedule, since: datetime, many: int = 5, zone: str = "America/New_York") -> list[str]:
    """The first moments from one on, as clocks of a zone show them."""
    return [f"{each.astimezone(ZoneInfo(zone)):%m-%d %H:%M %z}" for each in islice(schedule.after(since - SECOND), many)]


class TestElapsedTime(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule("1h30m")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        first = utc(2020, 1, 1)
        steps = (START - first) // timedelta(minutes=90)
        return [first + (steps + step) * timedelta(minutes=90) for step in (1, 2, 3)]


class TestWholeDays(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule(timedelta(days=1), anchor_date="2022-07-01T09:00", timezone="America/New_York")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        assert utc(2026, 1, 1) == START
        return [utc(2026, 1, 1, 14), utc(2026, 1, 2, 14), utc(2026, 1, 3, 14)]


class TestSecondPassOfAFold(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return IntervalSchedule(17 * 3600.5, anchor_date=datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK, fold=1))

    @pytest.fixture
    def expected(self) -> list[datetime]:
        anchor, length = utc(2026, 11, 1, 6, 30), timedelta(seconds=17 * 3600.5)
        steps = (START - anchor) // length
        return [anchor + (steps + step) * length for step in (1, 2)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (2, "2s"),
        (2.5, "2.5s"),
        ("2", "2s"),
        ("30s", "30s"),
        ("90", "1m30s"),
        ("5m", "5m"),
        ("60m", "1h"),
        ("1d", "1d"),
        ("7d", "1w"),
        (timedelta(days=1), "1d"),
        (timedelta(hours=1, minutes=30), "1h30m"),
        (86_400, "1d"),
    ],
)
def test_how_intervals_are_given(given: Any, kept: str) -> None:
    """A timedelta, a number of seconds or a text are kept in one form, so that equal intervals are equal values."""
    assert IntervalSchedule(given).interval == kept
    assert IntervalSchedule(given) == IntervalSchedule(kept)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (0, "a second at least"),
        (-1, "a second at least"),
        (timedelta(minutes=-1), "a second at least"),
        (timedelta(0), "a second at least"),
        ("0", "a second at least"),
        ("0.5s", "a second at least"),
        (0.999, "a second at least"),
        (True, "neither a timedelta"),
        (None, "neither a timedelta"),
        ([1], "neither a timedelta"),
        (float("nan"), "neither a timedelta"),
        (float("inf"), "a hundred years at most"),
        (1e300, "a hundred years at most"),
        ("36501d", "more than a hundred years"),
        ("often", "'often' is no length of time; write seconds, or numbers with w, d, h, m or s, as 30s or 5m or 1h30m"),
        ("-5m", "is no length of time"),
    ],
)
def test_what_is_no_interval(given: Any, why: str) -> None:
    """Anything else is refused with what was written, in a sentence."""
    with pytest.raises(InvalidOption, match=f"schedule 'interval': interval=.* cannot be used: .*{why}"):
        IntervalSchedule(given)


@pytest.mark.parametrize("given", ["", "tomorrow", 3, "9:00", "2026-13-01", object()])
def test_what_is_no_anchor(given: Any) -> None:
    """An anchor that is no moment is refused with how to write one."""
    with pytest.raises(InvalidOption, match="anchor_date=.*it is no moment; write it as 2026-01-31T09:00"):
        IntervalSchedule("1h", anchor_date=given)


@pytest.mark.parametrize("anchor", ["0001-01-01", "9999-12-31T23:59:59"])
def test_anchors_at_the_end_of_the_calendar(anchor: str) -> None:
    """An anchor that is no moment of the calendar in its zone is refused."""
    zone = "Asia/Tokyo" if anchor < "5" else "America/New_York"
    with pytest.raises(InvalidOption, match="it lies at the end of the calendar"):
        IntervalSchedule("1h", anchor_date=anchor, timezone=zone)


@pytest.mark.parametrize(
    ("zone", "why"),
    [
        ("Europe/Berln", "there is no such time zone; did you mean 'Europe/Berlin'"),
        ("berlin", "there is no such time zone; did you mean 'Europe/Berlin'"),
        ("new york", "there is no such time zone; did you mean 'America/New_York'"),
        ("+02:00", "there is no such time zone"),
        ("", "there is no such time zone; write its IANA name"),
        ("/etc/localtime", "there is no such time zone"),
        ("../zoneinfo/UTC", "there is no such time zone"),
        ("localtime", "there is no such time zone"),
        ("right/Europe/Berlin", "there is no such time zone"),
        ("America", "there is no such time zone"),
        ("\udc80", "there is no such time zone"),
        ("a\0b", "there is no such time zone"),
        (3, "a zone is given by its name, as Europe/Berlin"),
    ],
)
def test_what_is_no_zone(zone: Any, why: str) -> None:
    """An unknown zone is refused when the schedule is made, with names that are near."""
    with pytest.raises(InvalidOption, match=f"(?s)schedule 'interval': timezone=.* cannot be used: {why}"):
        IntervalSchedule("1h", timezone=zone)


@pytest.mark.parametrize(
    ("anchor", "interval", "since", "expected"),
    [
        ("2020-02-02T23:35", "1d", utc(2021, 7, 1), [utc(2021, 7, day, 23, 35) for day in (1, 2, 3)]),
        ("2030-02-02T05:24", "17h", utc(2021, 7, 1), [utc(2021, 7, 1, 7, 24), utc(2021, 7, 2, 0, 24), utc(2021, 7, 2, 17, 24)]),
        (date(2021, 1, 1), "1d", utc(2018, 1, 1, 6), [utc(2018, 1, 2), utc(2018, 1, 3)]),
        ("2021-01-01T00:00:10Z", 1, utc(2021, 1, 1), [utc(2021, 1, 1), utc(2021, 1, 1, 0, 0, 1)]),
    ],
)
def test_anchors_reach_both_ways(anchor: Any, interval: Any, since: datetime, expected: list[datetime]) -> None:
    """The moments before the anchor are of the schedule as those after it."""
    assert list(islice(IntervalSchedule(interval, anchor_date=anchor).after(since - SECOND), len(expected))) == expected


def test_an_anchor_between_seconds() -> None:
    """An anchor keeps its fraction of a second."""
    anchor = datetime.fromtimestamp(1582002945.964696, ZoneInfo("US/Pacific"))
    start = datetime.fromtimestamp(1593643144.233938, UTC)
    found = list(islice(IntervalSchedule(75, anchor_date=anchor).after(start), 4))
    assert all(each > start and (each - anchor) % timedelta(seconds=75) == timedelta(0) for each in found)
    assert found[0] - start <= timedelta(seconds=75)


def test_days_of_a_range() -> None:
    """From one midnight to another a daily schedule comes once more than there are days between."""
    schedule, end = IntervalSchedule("1d"), utc(2019, 3, 1)
    found = list(takewhile(lambda each: each <= end, schedule.after(utc(2018, 1, 1) - SECOND)))
    assert len(found) == (end - utc(2018, 1, 1)).days + 1


# What the system before this one got wrong, by its numbers there


def test_a_zone_survives_being_kept() -> None:
    """Defect 1: an interval with a zone is a choice that makes it again; an anchor and a zone go together."""
    registry = Registry()
    for schedule in (
        IntervalSchedule("1d", timezone="America/New_York"),
        IntervalSchedule("1d", timezone="America/New_York", anchor_date="2022-01-01T09:00"),
    ):
        assert registry.make("schedule", registry.choice_of("schedule", schedule)) == schedule


def test_a_named_zone_stays_named() -> None:
    """Defect 2: the zone of an anchor is the schedule's, by its name, if no other one is given."""
    schedule = IntervalSchedule("1d", anchor_date=datetime(2022, 3, 1, 9, tzinfo=NEW_YORK))
    assert (schedule.anchor_date, schedule.timezone) == ("2022-03-01T09:00:00", "America/New_York")
    assert [each[6:11] for each in local(schedule, utc(2022, 3, 11, 5))] == ["09:00"] * 5
    other = IntervalSchedule("1d", anchor_date=datetime(2022, 3, 1, 9, tzinfo=NEW_YORK), timezone="Europe/Berlin")
    assert (other.anchor_date, other.timezone) == ("2022-03-01T15:00:00", "Europe/Berlin")
    assert IntervalSchedule("1d", anchor_date="2022-03-01T09:00-05:00", timezone="America/New_York") == schedule


@pytest.mark.parametrize(("anchor", "since"), [("2022-01-01T09:00", utc(2022, 7, 1)), ("2022-07-01T09:00", utc(2022, 12, 1))])
def test_the_jump_keeps_the_wall_clock(anchor: str, since: datetime) -> None:
    """Defect 3: whole days come at the same time of day on the other side of a change of clocks."""
    schedule = IntervalSchedule("1d", anchor_date=anchor, timezone="America/New_York")
    assert [each[6:11] for each in local(schedule, since)] == ["09:00"] * 5


@pytest.mark.parametrize(
    ("interval", "anchor", "since", "expected"),
    [
        ("1d", "2022-01-01T02:30", utc(2022, 3, 12, 5), ["03-12 02:30 -0500", "03-13 03:00 -0400", "03-14 02:30 -0400"]),
        ("2d", "2022-03-11T02:30", utc(2022, 3, 11, 5), ["03-11 02:30 -0500", "03-13 03:00 -0400", "03-15 02:30 -0400"]),
        ("1d", "2022-01-01T01:30", utc(2022, 11, 5, 4), ["11-05 01:30 -0400", "11-06 01:30 -0400", "11-07 01:30 -0500"]),
        ("1h", None, utc(2022, 3, 13, 5), ["03-13 00:00 -0500", "03-13 01:00 -0500", "03-13 03:00 -0400"]),
        ("1h", None, utc(2022, 11, 6, 4), ["11-06 00:00 -0400", "11-06 01:00 -0400", "11-06 01:00 -0500", "11-06 02:00 -0500"]),
        ("24h", "2022-01-01T02:30", utc(2022, 3, 12, 5), ["03-12 02:30 -0500", "03-13 03:00 -0400", "03-14 02:30 -0400"]),
        ("25h", "2022-03-12T02:30", utc(2022, 3, 12, 5), ["03-12 02:30 -0500", "03-13 04:30 -0400"]),
    ],
)
def test_gaps_and_folds(interval: str, anchor: str | None, since: datetime, expected: list[str]) -> None:
    """Defects 4 and 5: whole days keep the wall clock, once a day; any other interval is time that has passed."""
    schedule = IntervalSchedule(interval, anchor_date=anchor, timezone="America/New_York")
    assert local(schedule, since, len(expected)) == expected


def test_values_differ_by_what_they_mean() -> None:
    """Schedules are equal by what was said, and can be changed into others."""
    schedule = IntervalSchedule("1d")
    assert attrs.evolve(schedule, timezone="Europe/Berlin") == IntervalSchedule("1d", timezone="Europe/Berlin") != schedule
    assert repr(schedule) == "IntervalSchedule(interval='1d', anchor_date=None, timezone=None)"


def test_a_moment_has_a_zone() -> None:
    """Who asks with a moment that could be anywhere is told so."""
    with pytest.raises(TypeError, match="could be anywhere"):
        next(IntervalSchedule("1d").after(datetime(2026, 1, 1)))
