"""Moments and lengths of time, as they are typed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest

from headrace.cli.moments import DURATION, MOMENT, WALL_MOMENT, ZONE, in_zone


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [
        ("30", 30),
        ("30s", 30),
        ("0", 0),
        ("5m", 300),
        ("1.5m", 90),
        ("2h", 7_200),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1h30m", 5_400),
        (" 5m ", 300),
        ("36500d", 36_500 * 86_400),
    ],
)
def test_lengths_of_time(typed: str, seconds: float) -> None:
    """A number of seconds, or numbers with their units."""
    assert DURATION.convert(typed, None, None) == timedelta(seconds=seconds)


@pytest.mark.parametrize("typed", ["", "m", "5 m", "-5m", "+5m", "5x", "5M", "30m1h", "1e3", "0x10", "٣", "1.", ".5", "inf", "nan", "5m5"])
def test_no_lengths_of_time(typed: str) -> None:
    """Anything else is refused with a sentence that shows how to write it."""
    with pytest.raises(click.BadParameter, match="as 30s or 5m"):
        DURATION.convert(typed, None, None)


@pytest.mark.parametrize("typed", ["36501d", "9" * 400, "1" + "0" * 30 + "d"])
def test_lengths_of_time_that_are_too_long(typed: str) -> None:
    """A length that no calendar holds is refused as such."""
    with pytest.raises(click.BadParameter, match="more than a hundred years"):
        DURATION.convert(typed, None, None)


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("2026-11-25T09:30Z", datetime(2026, 11, 25, 9, 30, tzinfo=UTC)),
        ("2026-11-25T09:30:15+02:00", datetime(2026, 11, 25, 7, 30, 15, tzinfo=UTC)),
        ("2026-11-25 09:30Z", datetime(2026, 11, 25, 9, 30, tzinfo=UTC)),
        ("2026-11-25T09:30", datetime(2026, 11, 25, 9, 30).astimezone(UTC)),
        ("2026-11-25", datetime(2026, 11, 25).astimezone(UTC)),
    ],
)
def test_moments(typed: str, moment: datetime) -> None:
    """ISO 8601; what has no zone is local time. The moment is aware."""
    found = MOMENT.convert(typed, None, None)
    assert found == moment
    assert found.tzinfo is not None


@pytest.mark.parametrize("typed", ["", "now", "tomorrow", "9:30", "2026-13-01", "2026-02-30T09:00", "9999-12-31T23:59-12:00", "1700000000"])
def test_no_moments(typed: str) -> None:
    """Anything else is refused with a sentence that shows how to write it; also what lies outside of the calendar."""
    with pytest.raises(click.BadParameter, match="write it as"):
        MOMENT.convert(typed, None, None)


@pytest.mark.parametrize(
    ("zone", "typed", "first", "last"),
    [
        ("America/New_York", "2026-03-08T01:30", "2026-03-08T06:30", None),
        ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00", None),
        ("America/New_York", "2026-03-08T02:30:00.5", "2026-03-08T07:00", None),
        ("America/New_York", "2026-03-08T02:59:59.999999", "2026-03-08T07:00", None),
        ("America/New_York", "2026-03-08T03:00", "2026-03-08T07:00", None),
        ("America/New_York", "2026-03-08T03:30", "2026-03-08T07:30", None),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30", "2026-11-01T06:30"),
        ("America/New_York", "2026-11-01T02:00", "2026-11-01T07:00", None),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00", None),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30", None),
        ("UTC", "2026-03-08T02:30", "2026-03-08T02:30", None),
        ("Europe/Berlin", "2026-03-29T02:30+02:00", "2026-03-29T00:30", None),
    ],
)
def test_moments_of_a_zone(zone: str, typed: str, first: str, last: str | None) -> None:
    """What clocks skip means the first moment after it, and of what they show twice it is said which is meant."""
    moment = WALL_MOMENT.convert(typed, None, None)
    assert in_zone(moment, ZoneInfo(zone)) == datetime.fromisoformat(first).replace(tzinfo=UTC)
    assert in_zone(moment, ZoneInfo(zone), is_last=True) == datetime.fromisoformat(last or first).replace(tzinfo=UTC)


@pytest.mark.parametrize("typed", ["local", "localtime", "posixrules", "right/Europe/Berlin", "posix/Europe/Berlin", "", "x" * 5000])
def test_zones_that_schedules_do_not_know(typed: str) -> None:
    """They are refused here as well, and not advised; what was typed is not repeated without end."""
    with pytest.raises(click.BadParameter, match="there is no time zone") as caught:
        ZONE.convert(typed, None, None)
    said = caught.value.message.partition(";")[2]
    assert not any(name in said for name in ("localtime", "posixrules", "right/", "posix/"))
    assert len(caught.value.message) < 200
