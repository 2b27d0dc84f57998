"""Schedules as they are written in specs."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import headrace.reference.plugin
from headrace.deploying.schedules import understood_schedules
from headrace.deployments import ScheduleSpec
from headrace.errors import NotInstalled, OptionsDoNotFit, WrongSpec
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Registry, inline
from headrace.model.choices import Choice
from headrace.model.schedules import DeploymentSchedule, OnMissed, Overlap


@attrs.frozen
class BeatSchedule:
    """Every so many seconds."""

    beat: float
    zone: str | None = None

    def after(self, moment: datetime) -> Iterator[datetime]:
        yield moment + timedelta(seconds=self.beat)


@hookimpl
def headrace_schedules() -> Iterator[Provider[Any]]:
    yield Provider("beat", BeatSchedule, "Every so many seconds")


@pytest.fixture
def registry() -> Registry:
    """What core offers, and a kind of schedule that has an option of its own name."""
    own = SimpleNamespace(headrace_schedules=headrace_schedules)
    return Registry([inline(headrace.reference.plugin, name="core"), inline(own, name="own")])


BEAT = DeploymentSchedule(kind=Choice("beat", {"beat": 5, "zone": None}))


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        (None, ()),
        ([], ()),
        (BeatSchedule(5), [BEAT]),
        ({"beat": 5}, [BEAT]),
        ({"type": "beat", "beat": 5}, [BEAT]),
        ({"beat": 5, "zone": "UTC"}, [attrs.evolve(BEAT, kind=Choice("beat", {"beat": 5, "zone": "UTC"}))]),
        ([BeatSchedule(5), {"beat": 6}], [BEAT, attrs.evolve(BEAT, kind=Choice("beat", {"beat": 6, "zone": None}))]),
        ((BeatSchedule(5),), [BEAT]),
        (ScheduleSpec(BeatSchedule(5)), [BEAT]),
        (
            ScheduleSpec({"beat": 5}, on_missed="skip", max_lateness=timedelta(minutes=1), overlap="allow"),
            [
                DeploymentSchedule(
                    kind=Choice("beat", {"beat": 5, "zone": None}), on_missed=OnMissed.SKIP, max_lateness=60.0, overlap=Overlap.ALLOW
                )
            ],
        ),
        (
            {"beat": 5, "on_missed": "run_all(3)", "max_lateness": "1h", "overlap": "cancel_previous"},
            [
                DeploymentSchedule(
                    kind=Choice("beat", {"beat": 5, "zone": None}),
                    on_missed=OnMissed.RUN_ALL,
                    most_missed=3,
                    max_lateness=3600.0,
                    overlap=Overlap.CANCEL_PREVIOUS,
                )
            ],
        ),
        ({"schedule": BeatSchedule(5), "max_lateness": 2}, [attrs.evolve(BEAT, max_lateness=2.0)]),
    ],
)
def test_how_a_schedule_is_written(registry: Registry, given: Any, understood: Any) -> None:
    """As a value, a mapping with its kind as type or as the key of its own option, with policies beside; alone or in a list."""
    assert list(understood_schedules(given, "here", registry)) == list(understood)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0 9 * * *", "the text '0 9 * * *' is no schedule; write it as a mapping such as {cron: '0 9 * * *', timezone: Europe/Berlin}"),
        (3600, "3600 (int) is no schedule"),
        (timedelta(hours=1), "is no schedule"),
        ({}, "{} is no schedule"),
        ({"every": 5}, "{'every': 5} is no schedule"),
        ({"beat": 5, "cron": "x"}, "a schedule is of one kind, not of beat and cron"),
        ({"beat": 5, "overlap": "never"}, "overlap must be allow, skip, queue or cancel_previous, not the text 'never'"),
        ({"beat": 5, "on_missed": "all"}, "on_missed must be skip, run_latest or run_all, not the text 'all'"),
        ({"beat": 5, "on_missed": "run_all(0)"}, "on_missed makes up for 1 to 1000 times, not 0; write skip to make up for none"),
        ({"beat": 5, "on_missed": "run_all(1001)"}, "on_missed makes up for 1 to 1000 times, not 1001"),
        ({"beat": 5, "on_missed": 3}, "on_missed must be skip, run_latest or run_all, not 3 (int)"),
        ({"beat": 5, "max_lateness": "soon"}, "max_lateness: "),
        ({"beat": 5, "max_lateness": 0}, "max_lateness must be longer than nothing"),
        ({"beat": 5, "max_lateness": -1}, "max_lateness must be longer than nothing"),
        (
            {"beat": 5, "max_lateness": [1]},
            "max_lateness: it must be a length of time, as 3600 (seconds), 30s, 5m or 1h, not a list with 1 item",
        ),
        ({"beat": 5, "max_lateness": float("nan")}, "max_lateness: "),
        ({"beat": 5, "max_lateness": 1e300}, "max_lateness: "),
        ([{"beat": 5}, {"beat": 5, "overlap": "skip"}], "two of its schedules are the same: beat beat=5"),
        ([[{"beat": 5}]], "a schedule is written as its name, or as a mapping with its name as type, not a list with 1 item"),
        ([None], "a schedule is missing"),
        (BeatSchedule, "a schedule is a value, and BeatSchedule is a class"),
    ],
)
def test_what_is_no_schedule(registry: Registry, given: Any, said: str) -> None:
    """It is said what it is, and how one is written."""
    with pytest.raises(WrongSpec) as caught:
        understood_schedules(given, "here", registry)
    assert said in caught.value.why


def test_a_kind_that_is_not_there(registry: Registry) -> None:
    """Which distribution would bring it is told, and options that it has not are refused."""
    with pytest.raises(NotInstalled, match="pip install headrace-schedules"):
        understood_schedules({"cron": "0 9 * * *"}, "here", registry)
    with pytest.raises(NotInstalled, match="pip install headrace-schedules"):
        understood_schedules("cron", "here", registry)
    with pytest.raises(OptionsDoNotFit, match="it has no option 'timezone'; it takes beat, zone"):
        understood_schedules({"beat": 5, "timezone": "UTC"}, "here", registry)
