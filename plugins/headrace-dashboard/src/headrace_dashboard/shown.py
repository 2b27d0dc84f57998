"""How values are shown to people."""

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from headrace.cli import show
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State, StateType
from headrace.wire import schedule_words

LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


def moment(at: datetime | None, *, date: bool = True) -> Markup:
    """A time as a machine reads it; the browser shows it in the zone of who looks, and the exact one when it is pointed at."""
    if at is None:
        return Markup("–")
    utc = at.astimezone(UTC)
    text = utc.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")
    return Markup('<time datetime="{}" title="{} UTC"{}>{}</time>').format(
        utc.isoformat(), utc, "" if date else Markup(" data-clock"), text
    )


def ago(at: datetime | None, now: datetime) -> Markup:
    """How long ago, or in how long; the exact time when it is pointed at."""
    if at is None:
        return Markup("–")
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC" data-ago>{}</time>').format(utc.isoformat(), utc, show.ago(at, now))


def duration(seconds: float | None) -> str:
    """A length of time."""
    return "–" if seconds is None else show.duration(seconds)


def took(run: FlowRun | TaskRun, now: datetime) -> str:
    """How long a run has taken, or takes so far."""
    if run.start_time is None:
        return "–"
    return show.duration(max(0.0, ((run.end_time or now) - run.start_time).total_seconds()))


def kind(state: State, now: datetime | None = None) -> str:
    """What a state looks like: one word for each colour."""
    late = (
        now is not None
        and state.type is StateType.SCHEDULED
        and state.scheduled_time is not None
        and now - state.scheduled_time > timedelta(seconds=5)
    )
    return "late" if late else state.type.lower()


def size(count: float) -> str:
    """A number of bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(count: int) -> str:
    """A whole number."""
    return f"{count:,}"


def lines(text: str) -> Markup:
    """Text whose lines stay lines."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())


def level(value: int) -> str:
    """The name of how grave a line is."""
    return LEVELS[max((known for known in LEVELS if known <= value), default=10)]


def first_line(text: str) -> str:
    """The first line of a text that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


FILTERS: Mapping[str, Callable[..., Any]] = {
    "quoted": shlex.quote,
    "moment": moment,
    "ago": ago,
    "duration": duration,
    "took": took,
    "kind": kind,
    "size": size,
    "number": number,
    "lines": lines,
    "level": level,
    "first_line": first_line,
    "schedule_cell": schedule_words.in_a_cell,
    "schedule_words": schedule_words.in_words,
}
