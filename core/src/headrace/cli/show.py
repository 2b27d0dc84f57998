"""How commands show things: tables, records, JSON, times; for the commands of plugins too.

Results go to the standard output, remarks and errors to the standard error, so that a pipe gets results only. Colours and wrapping are for
terminals: elsewhere a row is one line, whole. Nothing is ever cut. What others wrote cannot steer the terminal: its control characters are
shown, not sent.
"""

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from json import dumps
from typing import Any, TypeVar

import attrs
import click

from headrace.model.durations import told_duration
from headrace.model.states import State, StateType

C = TypeVar("C", bound=Callable[..., Any])

NOTHING = "-"
_GAP = "  "
_LEAST_ROOM = 8
"""With less room than this, a wrapped column is harder to read than a line that the terminal breaks."""

_STATE_COLOURS = {
    StateType.SCHEDULED: "yellow",
    StateType.PENDING: "yellow",
    StateType.RUNNING: "cyan",
    StateType.PAUSED: "yellow",
    StateType.CANCELLING: "yellow",
    StateType.COMPLETED: "green",
    StateType.FAILED: "red",
    StateType.CRASHED: "magenta",
    StateType.CANCELLED: "bright_black",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_LINES = re.compile(r"(\x1b\[[0-9;]*m|[\t\n])|[\x00-\x1f\x7f-\x9f]")


@attrs.frozen
class Painted:
    """A cell with a colour (a name that click knows); it is shown on terminals only."""

    text: str
    colour: str | None = None


# Tables, records, JSON


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows under their headings. A cell is a text, a `Painted`, or what `str` makes a text of; None and nothing are shown as `-`.

    Without rows the sentence `empty` goes to the standard error; it says which command to type. On a terminal the last column is wrapped
    where it has room for that.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        remark(empty)
        return
    headings = [Painted(name.upper(), "bright_black") for name in columns]
    click.echo("\n".join(_lines([headings, *cells])))


def record(values: Mapping[str, object]) -> None:
    """One thing, a line for each of its values; cells are those of `table`."""
    click.echo("\n".join(_lines([[Painted(name, "bright_black"), _cell(value)] for name, value in values.items()])))


def json(value: Any) -> None:
    """Any value of headrace's, or plain data, as JSON; a list is a JSON list."""
    _echo_json(value, indent=2)


def json_line(value: Any) -> None:
    """Any value as JSON in one line, at once: for what comes one by one."""
    _echo_json(value, indent=None)


def _echo_json(value: Any, *, indent: int | None) -> None:
    from headrace.wire.plain import to_plain  # what shows no JSON need not wait for cattrs

    readable = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    click.echo(dumps(to_plain(value), indent=indent, ensure_ascii=not readable))


def json_option(command: C) -> C:
    """Gives a command the option `--json`, as its argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def text(lines: str) -> None:
    """Text of several lines that others wrote, such as logs: line ends, tabs and colours are let through."""
    click.echo(_harmless(lines))


def aside(lines: str) -> None:
    """Text of several lines that others wrote, where remarks go, since it is no result."""
    _aside(_harmless(lines))


# Remarks


def remark(sentence: str) -> None:
    """Something worth knowing that is no result."""
    _aside(_one_line(sentence))


def progress(doing: str) -> None:
    """What is being done, for a person who waits; nobody else is told."""
    if sys.stderr is not None and sys.stderr.isatty():
        remark(f"{doing} …")


def warning(sentence: str) -> None:
    """Something that the user may want to mend."""
    _say("warning", "yellow", sentence)


def error(sentence: str) -> None:
    """Why the command could not do what was asked."""
    _say("error", "red", sentence)


def colour() -> bool | None:
    """Whether colours are wanted: False where NO_COLOR says no, else None, which leaves it to what is written to."""
    return False if os.environ.get("NO_COLOR") else None


def _say(kind: str, shade: str, sentence: str) -> None:
    _aside(click.style(f"{kind}: {_one_line(sentence)}", fg=shade))


def _aside(words: str) -> None:
    """Where nobody can hear it, what is done goes on: an agent, say, whose terminal is gone."""
    with suppress(OSError):
        click.echo(words, err=True, color=colour())


# Values


def state(shown: State) -> Painted:
    """A state by its name, in the colour of its type."""
    return Painted(shown.name, _STATE_COLOURS[shown.type])


def moment(at: datetime | None) -> str:
    """A moment in the local time zone, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}" if at is not None else ""


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago a moment was, or how soon it is; after a month, its date."""
    if at is None:
        return ""
    seconds = int((now - at).total_seconds())
    if abs(seconds) >= 30 * 86_400:
        return f"{at.astimezone():%Y-%m-%d}"
    if seconds == 0:
        return "now"
    return f"{_largest_unit(seconds)} ago" if seconds > 0 else f"in {_largest_unit(-seconds)}"


def age(since: datetime | None, now: datetime) -> str:
    """How old something is, in few letters, for tables: 0s, 5m, 3h, 40d."""
    return _largest_unit(max(0, int((now - since).total_seconds()))) if since is not None else ""


def _largest_unit(seconds: int) -> str:
    size, unit = next(((size, unit) for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")) if seconds >= size), (1, "s"))
    return f"{seconds // size}{unit}"


def moment_ago(at: datetime | None, now: datetime) -> str:
    """A moment, and how long ago it was."""
    return f"{moment(at)} ({ago(at, now)})" if at is not None else ""


def duration(seconds: float) -> str:
    """A length of time, as exactly as people care for: 0.09s, 12.3s, 3m 4s, 2h 5m, 4d 3h."""
    return told_duration(seconds)


# Cells and lines


def _cell(value: object) -> Painted:
    painted = value if isinstance(value, Painted) else Painted("" if value is None else str(value))
    return attrs.evolve(painted, text=_CONTROL.sub(lambda found: _escaped(found[0]), painted.text) or NOTHING)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _harmless(lines: str) -> str:
    return _CONTROL_IN_LINES.sub(lambda found: found[1] or _escaped(found[0]), lines)


def _one_line(sentence: str) -> str:
    return _CONTROL.sub(lambda found: _escaped(found[0]), " ".join(sentence.split()))


def _lines(rows: Sequence[Sequence[Painted]]) -> Iterable[str]:
    """The rows as aligned lines."""
    widths = [max(width(cell.text) for cell in column) for column in list(zip(*rows, strict=True))[:-1]]
    indent = sum(widths) + len(_GAP) * len(widths)
    room = _room(indent)
    for row in rows:
        start = "".join(_paint(cell, cell.text + " " * (size - width(cell.text))) + _GAP for cell, size in zip(row, widths, strict=False))
        first, *others = wrapped(row[-1].text, room) if room else [row[-1].text]
        yield start + _paint(row[-1], first)
        yield from (" " * indent + _paint(row[-1], line) for line in others)


def _paint(cell: Painted, shown: str) -> str:
    return click.style(shown, fg=cell.colour) if cell.colour else shown


def _room(indent: int) -> int:
    """Columns for the last cell of a line; 0 where it is not to be wrapped."""
    if sys.stdout is None or not sys.stdout.isatty():
        return 0
    room = shutil.get_terminal_size().columns - indent
    return room if room >= _LEAST_ROOM else 0


def width(shown: str) -> int:
    """How many columns of a terminal a text takes: wide characters two, combining ones none."""
    return len(shown) if shown.isascii() else sum(map(_columns, shown))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(shown: str, room: int) -> list[str]:
    """A text in lines of at most `room` columns, broken between words where that can be, else inside compound ones."""
    lines = [""]
    for word in shown.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if width(joined) <= room:
            lines[-1] = joined
            continue
        pieces = _pieces(word, room)
        lines[-1:] = [lines[-1], *pieces] if lines[-1] else pieces
    return lines


def _pieces(word: str, room: int) -> list[str]:
    """A word cut after the marks that join its parts, and where a line is full."""
    pieces = [""]
    for part in re.split(r"(?<=[-_/.,])", word):
        if pieces[-1] and width(pieces[-1] + part) > room:
            pieces.append("")
        for character in part:
            if width(pieces[-1]) + _columns(character) > room:
                pieces.append("")
            pieces[-1] += character
    return pieces


def near(typed: str, known: Sequence[str]) -> str:
    """The near name, else all names, to be added to a sentence."""
    from difflib import get_close_matches  # needed after a slip only

    found = get_close_matches(typed, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else f"; there are: {', '.join(known) or 'none'}"
