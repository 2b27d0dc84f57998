"""The times of schedules as they come, and what clocks do about them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import attrs
import pytest

from headrace.errors import ScheduleFailed
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Registry, inline
from headrace.model.choices import Choice
from headrace.model.schedules import DeploymentSchedule
from headrace.ports.schedule import Schedule
from headrace.rules.coming_times import OpenSchedule, clock_marks, coming, common_zone, next_time, opened
from headrace.testing.clock import START

BERLIN = ZoneInfo("Europe/Berlin")
EVER = datetime.max.replace(tzinfo=UTC)


@attrs.frozen
class Every:
    """So many minutes apart, at those that divide the day so; with `most`, only until that moment."""

    minutes: int = 30
    timezone: str | None = None
    most: datetime = EVER
    breaks: bool = False

    def after(self, moment: datetime) -> Iterator[datetime]:
        step = timedelta(minutes=self.minutes)
        at = START + ((moment - START) // step + 1) * step
        while at <= self.most:
            yield at
            if self.breaks:
                raise RuntimeError("on purpose")
            at += step


class Plugin:
    @hookimpl
    def headrace_schedules(self) -> Iterator[Provider[Schedule]]:
        yield Provider("every", Every, "Every so often")


REGISTRY = Registry([inline(Plugin())])


def schedule(**options: object) -> DeploymentSchedule:
    return DeploymentSchedule(kind=Choice("every", options))


def every(minutes: int = 30, **options: object) -> OpenSchedule:
    wanted = schedule(minutes=minutes, **options)
    return opened(wanted, REGISTRY.make("schedule", wanted.kind))


def marks(zone: ZoneInfo, start: datetime, minutes: int, number: int) -> list[tuple[str, list[str]]]:
    found = [start.astimezone(zone), *(each.at.astimezone(zone) for each in islice(coming([every(minutes)], start), number))]
    return [(f"{at:%H:%M}", list(clock_marks(at, before))) for before, at in pairwise(found)]


def test_the_order_of_several() -> None:
    """Times of all schedules come in one order, from a moment to another, both included, each with its schedule."""
    found = coming([every(30), every(60)], START, START + timedelta(hours=1))
    assert [((each.at - START).total_seconds() / 60, each.place) for each in found] == [(0, 0), (0, 1), (30, 0), (60, 0), (60, 1)]
    assert list(coming([], START)) == []


def test_zones() -> None:
    """Times are shown in the zone that a schedule names, else in UTC; a moment that is typed is meant in the one that all share."""
    berlin, other = every(timezone="Europe/Berlin"), every(timezone="nowhere")
    assert next(coming([berlin], START)).at.isoformat() == "2026-01-01T01:00:00+01:00"
    assert next(coming([other], START)).at.isoformat() == "2026-01-01T00:00:00+00:00"
    assert common_zone([berlin, berlin]) == BERLIN
    assert common_zone([berlin, other]) == common_zone([]) == UTC


def test_the_next_time() -> None:
    """It is after the moment that is asked about, and None where nothing is to come."""
    assert next_time([every(60), every(45)], START) == START + timedelta(minutes=45)
    assert next_time([every(most=START)], START) is None
    assert next_time([], START) is None


def test_a_kind_that_fails() -> None:
    """What a plugin's schedule raises is told as its own fault, in a sentence."""
    with pytest.raises(ScheduleFailed, match=r"schedule 'every' cannot say its times: RuntimeError: on purpose"):
        list(coming([every(breaks=True)], START))


def test_clocks_go_forward() -> None:
    """The first time after it is marked, and that clocks skipped what lies before, where it comes just then."""
    start = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    forward, skipped = "clocks go forward, +01:00 to +02:00", "the first moment after clocks skip 02:00 to 03:00"
    assert marks(BERLIN, start, 30, 3) == [("01:30", []), ("03:00", [forward, skipped]), ("03:30", [])]
    assert marks(BERLIN, datetime(2026, 3, 28, 12, tzinfo=UTC), 24 * 60, 3) == [("01:00", []), ("02:00", [forward]), ("02:00", [])]


def test_clocks_go_back() -> None:
    """Times that clocks show twice are told apart."""
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    back = "clocks go back, +02:00 to +01:00"
    twice = "clocks show {} twice, and this is the {} time"
    assert marks(BERLIN, start, 30, 6) == [
        ("01:30", []),
        ("02:00", [twice.format("02:00", "first")]),
        ("02:30", [twice.format("02:30", "first")]),
        ("02:00", [back, twice.format("02:00", "second")]),
        ("02:30", [twice.format("02:30", "second")]),
        ("03:00", []),
    ]
