"""Lengths of time as they are written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.model.durations import LONGEST, duration, written_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2),
        ("0", 0),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3_600),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1h30m", 5_400),
        ("1w2d3h4m5s", 788_645),
        ("1h5s", 3_605),
        ("1.5m", 90),
        ("0.1", 0.1),
        ("0.000001s", 0.000001),
        ("1.5h30m", 7_200),
        (" 5m ", 300),
        ("090s", 90),
        ("36500d", 36_500 * 86_400),
        ("3153600000", 36_500 * 86_400),
    ],
)
def test_what_texts_say(text: str, seconds: float) -> None:
    """A number is seconds; numbers with units add up."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    "m|5 m|-5m|+5m|5x|5M|1e3|0x10|٣|²s|1.|.5|inf|nan|5m5|1h30|1.5.5s|1h,30m|1h 30m|P1D|PT1H|1 day|daily|\ud800|1_0".split("|"),
)
def test_what_is_no_length_of_time(text: str) -> None:
    """Anything else is refused with a sentence that shows how to write it."""
    with pytest.raises(ValueError, match="is no length of time; write seconds, or numbers with w, d, h, m or s, as 30s or 5m or 1h30m"):
        duration(text)


def test_nothing_is_no_length_of_time() -> None:
    """Neither an empty text nor one of spaces says a length."""
    for text in ("", " "):
        with pytest.raises(ValueError, match="is no length of time"):
            duration(text)


@pytest.mark.parametrize("text", ["30m1h", "1h1h", "1s1m", "5m5m"])
def test_units_in_their_order(text: str) -> None:
    """A unit that comes twice, or after a lesser one, is a slip of the pen."""
    with pytest.raises(ValueError, match="from the greatest to the least, each once"):
        duration(text)


@pytest.mark.parametrize("text", ["36501d", "9" * 5_000, "1" + "0" * 30 + "d", "3153600001", "5215w", "1w36500d"])
def test_what_is_too_long(text: str) -> None:
    """A length that no calendar holds is refused as such."""
    with pytest.raises(ValueError, match="is more than a hundred years"):
        duration(text)


def test_many_digits_cost_nothing() -> None:
    """Digits that a microsecond does not see are not looked at."""
    assert duration("1." + "0" * 100_000) == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=24), "1d"),
        (timedelta(days=14), "2w"),
        (timedelta(seconds=0.5), "0.5s"),
        (timedelta(hours=1, microseconds=10), "1h0.00001s"),
    ],
)
def test_how_lengths_are_written(length: timedelta, text: str) -> None:
    """The greatest units first, and none that is not needed."""
    assert written_duration(length) == text


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST))
def test_written_and_read_again(length: timedelta) -> None:
    """Nothing is lost on the way through text, to the microsecond."""
    assert duration(written_duration(length)) == length
