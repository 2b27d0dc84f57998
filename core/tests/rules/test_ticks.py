"""Which times of a schedule get a run, which are skipped, and until when a run may begin."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import WrongData
from headrace.model.choices import Choice
from headrace.model.schedules import DeploymentSchedule, OnMissed, Tick
from headrace.rules.ticks import MOST_COUNTED, MOST_SKIPPED, Horizon, Planned, check_policies, latest, planned
from headrace.testing.clock import START
from headrace.testing.schedules import EverySchedule

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def schedule(on_missed: OnMissed = OnMissed.RUN_LATEST, **fields: Any) -> DeploymentSchedule:
    """One with that policy."""
    return attrs.evolve(DeploymentSchedule(kind=Choice("every"), id="s", on_missed=on_missed), **fields)


def look(
    of: DeploymentSchedule,
    *,
    decided: datetime = START,
    now: datetime = START,
    step: timedelta = HOUR,
    span: timedelta = HOUR,
    most: int = 20,
) -> Planned:
    """A look at a schedule."""
    return planned(of, EverySchedule(seconds=step.total_seconds()).after, decided=decided, now=now, horizon=Horizon(span=span, most=most))


def times(ticks: tuple[Tick, ...]) -> list[timedelta]:
    """How long after `START` each is."""
    return [tick.at - START for tick in ticks]


def test_one_is_always_made_ahead() -> None:
    """However far the next time is, its run is there; it is looked at again when that is due."""
    found = look(schedule(), step=timedelta(days=1))
    assert times(found.ticks) == [timedelta(days=1)]
    assert found.decided == found.look_at == START + timedelta(days=1)
    assert found.skipped == ()


def test_those_within_the_horizon_are_made() -> None:
    """Up to the limit, and no more as long as they wait."""
    found = look(schedule(), step=MINUTE, span=HOUR, most=20)
    assert times(found.ticks) == [MINUTE * number for number in range(1, 21)]
    assert found.look_at == START + 10 * MINUTE
    again = look(schedule(), decided=found.decided, now=START, step=MINUTE, most=20)
    assert (again.ticks, again.decided) == ((), found.decided)
    later = look(schedule(), decided=found.decided, now=START + 10 * MINUTE, step=MINUTE, most=20)
    assert times(later.ticks) == [MINUTE * number for number in range(21, 31)]


def test_what_ends_is_not_looked_at_any_more() -> None:
    """The last time has a run, and after it nothing is to be decided."""
    end = EverySchedule(seconds=3600, end=START + HOUR)
    found = planned(schedule(), end.after, decided=START, now=START, horizon=Horizon())
    assert (times(found.ticks), found.look_at) == ([HOUR], None)
    assert planned(schedule(), end.after, decided=START + HOUR, now=START + HOUR, horizon=Horizon()).look_at is None


@pytest.mark.parametrize(
    ("policy", "lateness", "made_up", "skipped"),
    [
        (OnMissed.RUN_LATEST, None, [4], [1, 2, 3]),
        (OnMissed.RUN_LATEST, 60.0, [], [1, 2, 3, 4]),
        (OnMissed.RUN_LATEST, 3600.0 * 10, [4], [1, 2, 3]),
        (OnMissed.SKIP, None, [], [1, 2, 3, 4]),
        (OnMissed.SKIP, 3600.0, [4], [1, 2, 3]),
        (OnMissed.RUN_ALL, None, [1, 2, 3, 4], []),
        (OnMissed.RUN_ALL, 3600.0 * 2, [3, 4], [1, 2]),
    ],
)
def test_what_was_missed(policy: OnMissed, lateness: float | None, made_up: list[int], skipped: list[int]) -> None:
    """Nobody looked for four hours and a half: the policy and the lateness say which times are made up for; all others are told."""
    found = look(schedule(policy, max_lateness=lateness), now=START + HOUR * 4.5)
    assert times(found.ticks) == [HOUR * number for number in [*made_up, 5]]
    assert times(found.skipped) == [HOUR * number for number in skipped]
    assert found.untold == 0


def test_not_all_are_made_up_for() -> None:
    """`run_all` has a bound, and takes the latest."""
    found = look(schedule(OnMissed.RUN_ALL, most_missed=2), now=START + HOUR * 4.5)
    assert (times(found.ticks), times(found.skipped)) == ([HOUR * 3, HOUR * 4, HOUR * 5], [HOUR, HOUR * 2])


def test_a_long_absence_is_told_shortly() -> None:
    """Of a year of seconds the last are told one by one, and how many there were before them at least; nobody walks through it."""
    asked: list[datetime] = []

    class Counted(EverySchedule):
        def after(self, moment: datetime) -> Iterator[datetime]:
            for at in super().after(moment):
                asked.append(at)
                yield at

    now = START + timedelta(days=365, seconds=0.5)
    found = planned(schedule(), Counted(seconds=1).after, decided=START, now=now, horizon=Horizon(most=2))
    assert len(found.skipped) == MOST_SKIPPED
    assert found.untold >= MOST_COUNTED - MOST_SKIPPED - 1
    assert found.ticks[0].at == now - timedelta(seconds=0.5)
    assert len(asked) < 10 * MOST_COUNTED


def test_until_when_a_run_may_begin() -> None:
    """Until the next time, or as long as was said; where many are to be made up for, until as many later times have come."""
    assert [tick.start_by for tick in look(schedule()).ticks] == [START + 2 * HOUR]
    assert [tick.start_by for tick in look(schedule(max_lateness=60.0)).ticks] == [START + HOUR + MINUTE]
    assert [tick.start_by for tick in look(schedule(OnMissed.SKIP)).ticks] == [START + HOUR + MINUTE]
    assert [tick.start_by for tick in look(schedule(OnMissed.RUN_ALL)).ticks] == [START + 11 * HOUR]
    assert [tick.start_by for tick in look(schedule(OnMissed.RUN_ALL, most_missed=3, max_lateness=60.0)).ticks] == [START + HOUR + MINUTE]
    of_seconds = planned(schedule(OnMissed.SKIP), EverySchedule(seconds=2).after, decided=START, now=START, horizon=Horizon(most=2))
    assert [tick.start_by and tick.start_by - tick.at for tick in of_seconds.ticks] == [timedelta(seconds=2)] * 2
    ending = EverySchedule(seconds=3600, end=START + 3 * HOUR)
    last = planned(schedule(OnMissed.RUN_ALL, most_missed=2), ending.after, decided=START, now=START, horizon=Horizon(span=3 * HOUR))
    assert [tick.start_by for tick in last.ticks] == [START + 3 * HOUR, None, None]


@pytest.mark.parametrize("lateness", [None, 3600.0 * 10])
def test_no_policy_to_skip_makes_up_for_many(lateness: float | None) -> None:
    """Where missed times are to be skipped, the latest has a run at most, if it is still in time; however many others would be, too."""
    found = look(schedule(OnMissed.SKIP, max_lateness=lateness), now=START + HOUR * 4 + timedelta(seconds=30))
    assert times(found.ticks) == [4 * HOUR, 5 * HOUR]
    assert times(found.skipped) == [HOUR, 2 * HOUR, 3 * HOUR]


@pytest.mark.parametrize(
    ("policies", "why"),
    [
        ({"most_missed": 0}, "on_missed makes up for 1 to 1000 times, not 0"),
        ({"most_missed": -5}, "not -5"),
        ({"most_missed": 10**9}, "not 1000000000"),
        ({"max_lateness": -1.0}, "max_lateness must be longer than nothing and at most a hundred years, not -1.0 seconds"),
        ({"max_lateness": 0.0}, "not 0.0 seconds"),
        ({"max_lateness": 1e308}, "at most a hundred years"),
        ({"max_lateness": float("inf")}, "not inf seconds"),
        ({"max_lateness": float("nan")}, "not nan seconds"),
    ],
)
def test_policies_that_mean_nothing_are_refused(policies: dict[str, Any], why: str) -> None:
    """Wherever they come from."""
    check_policies(schedule(OnMissed.RUN_ALL, most_missed=1000, max_lateness=1.0), "here")
    with pytest.raises(WrongData, match=f"^here.*{why}"):
        check_policies(schedule(OnMissed.RUN_ALL, **policies), "here")


@given(
    step=st.integers(1, 7200),
    looks=st.lists(st.integers(0, 20_000), min_size=1, max_size=12),
    policy=st.sampled_from(OnMissed),
    most=st.integers(1, 5),
)
def test_every_time_is_decided_once(step: int, looks: list[int], policy: OnMissed, most: int) -> None:
    """Whenever somebody looks: no time is decided twice, none is left out, and one is always ahead."""
    of, kind = schedule(policy), EverySchedule(seconds=step)
    decided, now, seen, untold = START, START, [], 0
    for seconds in looks:
        now += timedelta(seconds=seconds)
        found = planned(of, kind.after, decided=decided, now=now, horizon=Horizon(span=MINUTE, most=most))
        seen += [tick.at for tick in (*found.skipped, *found.ticks)]
        untold += found.untold
        decided = found.decided
        assert decided > now
        assert found.look_at is not None
        assert now < found.look_at <= decided
    assert seen == sorted(set(seen))
    assert len(seen) + untold == (decided - START) // timedelta(seconds=step) or untold >= MOST_COUNTED - MOST_SKIPPED


def test_the_latest_times() -> None:
    """The latest of a stretch, oldest first, and how many more there are at least."""
    assert latest(EverySchedule(seconds=3600).after, START, START) == ([], 0)
    assert latest(EverySchedule(seconds=3600).after, START, START + 3 * HOUR) == ([START + HOUR, START + 2 * HOUR, START + 3 * HOUR], 0)
    found, more = latest(EverySchedule(seconds=60).after, START, START + 100 * HOUR, most=3)
    assert found == [START + 100 * HOUR - 2 * MINUTE, START + 100 * HOUR - MINUTE, START + 100 * HOUR]
    assert more >= 1
