"""Charts, as numbers that a template draws: where what is, and how large."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import attrs

from headrace.model.counts import CountFilter
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import StateType
from headrace.ports.client import OpenClient
from headrace_dashboard.calls import Call

BELOW = (StateType.FAILED, StateType.CRASHED, StateType.CANCELLED, StateType.CANCELLING)
"""What hangs below the line of a history; the rest stands on it."""

ABOVE = (StateType.COMPLETED, StateType.RUNNING, StateType.PENDING, StateType.PAUSED, StateType.SCHEDULED)


@attrs.frozen
class Box:
    """A piece of a bar."""

    kind: str
    y: float
    height: float
    count: int


@attrs.frozen
class Bar:
    """The runs of one span of time."""

    begin: datetime
    end: datetime
    x: float
    width: float
    boxes: tuple[Box, ...]
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@attrs.frozen
class History:
    """How many runs were made when, and what became of them."""

    bars: tuple[Bar, ...]
    width: float
    height: float
    line: float
    most: int
    ticks: tuple[tuple[float, datetime], ...]

    @property
    def total(self) -> int:
        return sum(bar.total for bar in self.bars)


def history_of(
    client: OpenClient, begin: datetime, end: datetime, *, wanted: CountFilter, bars: int = 30, size: tuple[float, float] = (960, 190)
) -> History:
    """Counts between two moments, by spans of whole hours."""
    begin = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = max(1, -(-int((end - begin).total_seconds()) // 3600))
    step = timedelta(hours=max(1, -(-hours // bars)))
    counted: list[tuple[datetime, Mapping[str, int]]] = []
    at = begin
    while at < end:
        until = at + step - timedelta(microseconds=1)
        found = client.count_flow_runs(attrs.evolve(wanted, created_after=at, created_before=until))
        counted.append((at, _by_kind((state.type, state.count) for state in found.states)))
        at += step
    return _drawn(counted, step, size)


def _by_kind(states: Iterable[tuple[StateType, int]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for kind, count in states:
        found[kind.lower()] = found.get(kind.lower(), 0) + count
    return found


def _drawn(counted: Sequence[tuple[datetime, Mapping[str, int]]], step: timedelta, size: tuple[float, float]) -> History:
    width, height = size
    ups = max([sum(counts.get(kind.lower(), 0) for kind in ABOVE) for _, counts in counted], default=0)
    downs = max([sum(counts.get(kind.lower(), 0) for kind in BELOW) for _, counts in counted], default=0)
    scale = height / max(1, ups + downs)
    line = ups * scale if ups or downs else height
    room = width / max(1, len(counted))
    bars = []
    for number, (at, counts) in enumerate(counted):
        boxes = [*_stacked(counts, ABOVE, line, scale, up=True), *_stacked(counts, BELOW, line, scale, up=False)]
        bars.append(Bar(at, at + step, round(number * room + 2, 1), round(max(2.0, room - 4), 1), tuple(boxes), counts))
    every = max(1, len(bars) // 6)
    ticks = tuple((bar.x, bar.begin) for bar in bars[::every] if bar.x < width - 100)
    return History(tuple(bars), width, height, round(line, 1), max(ups, downs), ticks)


def _stacked(counts: Mapping[str, int], kinds: Sequence[StateType], line: float, scale: float, *, up: bool) -> Iterable[Box]:
    at = line
    for kind in kinds:
        count = counts.get(kind.lower(), 0)
        if not count:
            continue
        tall = max(count * scale, 2.0)
        at = at - tall if up else at
        yield Box(kind.lower(), round(at, 1), round(tall, 1), count)
        at = at if up else at + tall


@attrs.frozen
class Span:
    """A run on a timeline: from where to where, in parts of a thousand of its width, and how deep it lies in subflows."""

    call: Call
    x: float
    width: float
    y: float
    depth: int

    @property
    def run(self) -> TaskRun | FlowRun:
        return self.call.run


@attrs.frozen
class Timeline:
    """Runs by when they began and ended, those of a subflow below it."""

    spans: tuple[Span, ...]
    begin: datetime | None
    seconds: float
    height: float
    ticks: tuple[tuple[float, float], ...]

    @property
    def has_flows(self) -> bool:
        """Whether some of them are subflows."""
        return any(span.call.is_flow for span in self.spans)


ROW = 26.0


def timeline_of(calls: Sequence[Call], begin: datetime | None, now: datetime) -> Timeline:
    """Those that have begun, one below the other."""
    begun = [*_begun(calls, 0)]
    begin = min([*(start for _, start, _ in begun), *([begin] if begin is not None else [])], default=None)
    if begin is None:
        return Timeline((), None, 0.0, 0.0, ())
    end = max([call.run.end_time or now for call, _, _ in begun], default=now)
    seconds = max((end - begin).total_seconds(), 0.001)
    spans = []
    for row, (call, start, depth) in enumerate(begun):
        x = (start - begin).total_seconds() / seconds * 1000
        wide = ((call.run.end_time or now) - start).total_seconds() / seconds * 1000
        spans.append(Span(call, round(x, 2), round(max(wide, 3.0), 2), row * ROW, depth))
    ticks = tuple((part * 1000 / 5, seconds * part / 5) for part in range(6))
    return Timeline(tuple(spans), begin, seconds, len(spans) * ROW, ticks)


def _begun(calls: Sequence[Call], depth: int) -> Iterator[tuple[Call, datetime, int]]:
    """Those that have begun, in their order, each before what it called."""
    started = [(start, call.run.id, call) for call in calls if (start := call.run.start_time) is not None]
    for start, _, call in sorted(started, key=lambda each: each[:2]):
        yield call, start, depth
        yield from _begun(call.inner, depth + 1)
