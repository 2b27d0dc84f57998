"""The reference schedule is a schedule, and what is special about it."""

from datetime import datetime, timedelta

import pytest

from headrace.errors import InvalidOption
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.ports.schedule import Schedule
from headrace.reference.schedule import MomentsSchedule
from headrace.testing.clock import START
from headrace.testing.conformance.schedule import ScheduleConformance

HOUR = timedelta(hours=1)


class TestMomentsSchedule(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        return MomentsSchedule(moments=[START + 3 * HOUR, START, "2026-01-01T02:00:00+01:00", START + 2 * HOUR])

    @pytest.fixture
    def expected(self) -> list[datetime]:
        return [START + HOUR, START + 2 * HOUR, START + 3 * HOUR]


def test_it_is_offered() -> None:
    """Core offers it through the public hook."""
    made = Registry().make("schedule", Choice("moments", {"moments": ["2026-01-01T00:00:00Z"]}))
    assert made == MomentsSchedule(moments=[START])


@pytest.mark.parametrize(
    ("written", "why"),
    [("2026-01-01", "lacks its zone"), ("tomorrow", "no moment"), (3, "no moment"), (datetime(2026, 1, 1), "lacks its zone")],
)
def test_what_is_no_moment(written: object, why: str) -> None:
    """A moment that could be anywhere, or is none, is refused with what was written."""
    with pytest.raises(InvalidOption, match=f"schedule 'moments': moments=.*cannot be used: it {why}|it is {why}"):
        MomentsSchedule(moments=[written])  # type: ignore[list-item]
