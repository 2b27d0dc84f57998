"""Tables, records, JSON and times."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headrace.cli import show
from headrace.model.states import State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Every column starts where its heading does, and no line ends in spaces."""
    show.table(("id", "name"), [("1", "short"), ("1234", "longer")], empty="nothing")
    assert capsys.readouterr().out == "ID    NAME\n1     short\n1234  longer\n"


def test_wide_characters_take_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns stay aligned where characters are wide, combining or invisible."""
    show.table(("name", "x"), [("水車", "1"), ("café", "1"), ("cafe\u0301", "1")], empty="nothing")
    assert capsys.readouterr().out == "NAME  X\n水車  1\ncafé  1\ncafe\u0301  1\n"
    assert [show.width(text) for text in ("水車", "cafe\u0301", "ｆｌ", "🌊")] == [4, 4, 4, 2]


def test_nothing_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty cell is shown, so that columns can be counted; zero is not empty."""
    show.table(("a", "b", "c"), [(None, "", 0)], empty="nothing")
    assert capsys.readouterr().out.splitlines()[1] == "-  -  0"


def test_an_empty_table_is_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    """Without rows nothing goes to the standard output, and the other one says what to type."""
    show.table(("id",), [], empty="type: headrace x")
    assert capsys.readouterr() == ("", "type: headrace x\n")


def test_what_others_wrote_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in cells are shown; in text of several lines, line ends and colours are let through."""
    show.table(("a",), [("x\x1b[2Jy\nz",)], empty="nothing")
    assert capsys.readouterr().out == "A\nx\\x1b[2Jy\\nz\n"
    show.text("one\n\ttwo\x1b[2J\r")
    assert capsys.readouterr().out == "one\n\ttwo\\x1b[2J\\r\n"


def test_a_record_has_a_line_for_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    """Values stand in one column."""
    show.record({"id": "1", "longer": show.Painted("x", "red")})
    assert capsys.readouterr().out == "id      1\nlonger  x\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Values of headrace become plain data, a list a list, and moments UTC text."""
    show.json([State.completed(3), {"at": NOW, "path": Path("/a"), "name": "höhe"}])
    first, second = json.loads(capsys.readouterr().out)
    assert (first["type"], "data" in first) == ("COMPLETED", False)
    assert second == {"at": "2026-03-01T12:00:00+00:00", "path": "/a", "name": "höhe"}
    show.json([])
    assert capsys.readouterr().out == "[]\n"


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What comes one by one is JSON in a line each, whatever it holds."""
    show.json_line({"text": "a\nb"})
    show.json_line([1])
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"text": "a\nb"}, [1]]


def test_text_aside(capsys: pytest.CaptureFixture[str]) -> None:
    """Text of others that is no result goes where remarks go, and cannot steer the terminal."""
    show.aside("one\n\x1b[31mtwo\x1b[2J")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "one\ntwo\\x1b[2J\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "now"),
        (1, "1s ago"),
        (59, "59s ago"),
        (60, "1m ago"),
        (3599, "59m ago"),
        (3600, "1h ago"),
        (86_400 * 3, "3d ago"),
        (-90, "in 1m"),
        (0.9, "now"),
        (-0.9, "now"),
        (86_400 * 40, "2026-01-20"),
    ],
)
def test_ago(seconds: float, text: str) -> None:
    """How long ago, in the greatest unit that fits, rounded down; after a month the date."""
    assert show.ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(("seconds", "text"), [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (86_399, "23h"), (86_400 * 400, "400d")])
def test_age(seconds: float, text: str) -> None:
    """How old something is, in one unit; never less than nothing."""
    assert show.age(NOW - timedelta(seconds=seconds), NOW) == text


def test_no_moment() -> None:
    """A moment that has not come is nothing."""
    assert (show.ago(None, NOW), show.age(None, NOW), show.moment(None), show.moment_ago(None, NOW)) == ("", "", "", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00s"),
        (0.094, "0.09s"),
        (9.996, "10.0s"),
        (12.34, "12.3s"),
        (59.96, "1m 0s"),
        (184, "3m 4s"),
        (3599.7, "1h 0m"),
        (7500, "2h 5m"),
        (86_399.6, "1d 0h"),
        (356_400, "4d 3h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    """A length of time never shows 60 of a unit."""
    assert show.duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("", 5, [""]),
        ("one two three", 20, ["one two three"]),
        ("one two three", 8, ["one two", "three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("a abcdefghij b", 4, ["a", "abcd", "efgh", "ij b"]),
        ("nightly-report_of/everything.", 12, ["nightly-", "report_of/", "everything."]),
        ("an a-very-long-word", 9, ["an", "a-very-", "long-word"]),
        ("水車水車", 5, ["水車", "水車"]),
    ],
)
def test_wrapping(text: str, room: int, lines: list[str]) -> None:
    """Lines are broken between words where that can be, and none is longer than there is room."""
    assert show.wrapped(text, room) == lines
