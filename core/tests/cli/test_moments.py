"""Moments and lengths of time, as they are typed."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from headrace.cli.moments import DURATION, MOMENT


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
