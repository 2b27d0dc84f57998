"""What every schedule does."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice, pairwise
from typing import Any

import attrs
import pytest

from headrace.ports.schedule import Schedule
from headrace.testing.clock import START
from headrace.testing.conformance.facts import Facts
from headrace.wire.plain import to_plain

MANY = 100
INSTANT = timedelta(microseconds=1)
LONG_AGO, NEVER = datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ZONES = [timezone(timedelta(hours=hours)) for hours in (-11, 0, 5.5, 14)]


def first(schedule: Schedule, moment: datetime, many: int = MANY) -> list[datetime]:
    """The first moments after that one."""
    return list(islice(schedule.after(moment), many))


class ScheduleConformance(Facts):
    """Facts about schedules. Override the fixtures `schedule`, and `expected`: its first moments after `START`, at least two."""

    @pytest.fixture
    def schedule(self) -> Schedule:
        raise NotImplementedError("override the fixture `schedule`; it gives the schedule to try")

    @pytest.fixture
    def expected(self) -> list[datetime]:
        raise NotImplementedError("override the fixture `expected`; it gives the first moments after START")

    @pytest.fixture(params=["UTC", "America/New_York", "Pacific/Kiritimati"])
    def _elsewhere(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A machine whose own zone is another one."""
        with monkeypatch.context() as patch:
            patch.setenv("TZ", request.param)
            time.tzset()
            yield
        time.tzset()

    # Values

    def test_a_schedule_is_a_value(self, schedule: Any) -> None:
        """A schedule equals another one with the same fields, and cannot be changed."""
        assert attrs.evolve(schedule) == schedule
        assert hash(attrs.evolve(schedule)) == hash(schedule)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            schedule.anything = 1

    def test_it_is_kept_as_plain_data(self, schedule: Any, expected: list[datetime]) -> None:
        """Its options survive JSON: a deployment keeps its schedule as a name and options."""
        options = {field.name: getattr(schedule, field.name) for field in attrs.fields(type(schedule)) if field.init}
        back = type(schedule)(**json.loads(json.dumps(to_plain(options))))
        assert back == schedule
        assert first(back, START, len(expected)) == expected

    # Moments

    def test_the_moments(self, schedule: Schedule, expected: list[datetime]) -> None:
        """The moments are those that it stands for, on a machine in any zone of the world."""
        assert len(expected) >= 2
        assert first(schedule, START, len(expected)) == expected

    @pytest.mark.usefixtures("_elsewhere")
    def test_the_machines_zone_is_nothing_to_it(self, schedule: Schedule, expected: list[datetime]) -> None:
        """The moments are the same on a machine whose own zone is another one."""
        assert first(schedule, START, len(expected)) == expected

    @pytest.mark.parametrize("moment", [LONG_AGO, START, START + timedelta(days=3650)], ids=["long ago", "now", "in ten years"])
    def test_moments_are_aware_and_increase(self, schedule: Schedule, moment: datetime) -> None:
        """Every moment is aware, later than the one that was asked about, and later than the one before it."""
        moments = first(schedule, moment)
        assert not [found for found in moments if found.utcoffset() is None]
        assert all(one < other for one, other in pairwise([moment, *moments]))

    def test_the_moment_itself_is_left_out(self, schedule: Schedule, expected: list[datetime]) -> None:
        """What is due at the moment that was asked about is not after it; an instant before, it is."""
        for one, other in pairwise(expected):
            assert first(schedule, one, 1) == [other]
            assert first(schedule, one - INSTANT, 2) == [one, other]
            assert first(schedule, other - INSTANT, 1) == [other]

    def test_a_moment_is_the_same_in_every_zone(self, schedule: Schedule, expected: list[datetime]) -> None:
        """However the moment that is asked about is written, the answer is the same."""
        assert [first(schedule, START.astimezone(zone), len(expected)) for zone in ZONES] == [expected] * len(ZONES)

    def test_nothing_is_kept(self, schedule: Schedule, expected: list[datetime]) -> None:
        """Asking leaves no trace: iterators know nothing of each other, and one that is left in the middle harms nobody."""
        one, other = schedule.after(START), schedule.after(START)
        assert iter(one) is one
        assert next(one) == expected[0]
        assert [next(one), next(other)] == [expected[1], expected[0]]
        assert first(schedule, START, len(expected)) == expected
        assert [first(schedule, moment, 1) for moment in (expected[0], START)] == [[expected[1]], [expected[0]]]

    def test_time_ends(self, schedule: Schedule) -> None:
        """After the last moment of the calendar there is none, which is no error."""
        assert first(schedule, NEVER) == []
        assert all(found > NEVER - timedelta(days=2) for found in first(schedule, NEVER - timedelta(days=2)))
