"""What becomes of the times of a schedule, going by how long runs take."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count, islice

import pytest

from headrace.model.choices import Choice
from headrace.model.schedules import DeploymentSchedule, OnMissed, Overlap
from headrace.rules.coming_times import Coming
from headrace.rules.forecast import UnderWay, Usual, forecast
from headrace.testing.clock import START

EIGHT = Usual(length=timedelta(seconds=8))
THE_ONE_BEFORE = "the run before may still be under way (they take 8.00s); "


def every(seconds: int) -> Iterator[Coming]:
    return (Coming(at=START + timedelta(seconds=seconds * number), place=0) for number in count())


def marks(schedule: DeploymentSchedule, *, seconds: int = 3, usual: Usual | None = EIGHT, under_way: UnderWay | None = None) -> list[str]:
    """What is said of the first times of a schedule."""
    rows = list(islice(forecast(every(seconds), schedule, usual, under_way), 5))
    assert [found.at for found, _ in rows] == [START + timedelta(seconds=seconds * number) for number in range(5)]
    return ["; ".join(said).removeprefix(THE_ONE_BEFORE) for _, said in rows]


def schedule(overlap: Overlap, on_missed: OnMissed = OnMissed.RUN_LATEST, most: int = 10, late: float | None = None) -> DeploymentSchedule:
    return DeploymentSchedule(kind=Choice("every"), overlap=overlap, on_missed=on_missed, most_missed=most, max_lateness=late)


def too_late(second: int) -> str:
    return f"this one is skipped then, since it must begin by 00:00:{second:02}"


WAITS, SKIPPED = "this one waits for its end then", "this one is skipped then"


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        (schedule(Overlap.ALLOW), ["", *["both run then"] * 4]),
        (schedule(Overlap.SKIP), ["", SKIPPED, SKIPPED, "", SKIPPED]),
        (schedule(Overlap.CANCEL_PREVIOUS), ["", *["that one is cancelled then"] * 4]),
        (schedule(Overlap.QUEUE), ["", too_late(6), WAITS, too_late(12), too_late(15)]),
        (schedule(Overlap.QUEUE, OnMissed.RUN_ALL, 1000), ["", *[WAITS] * 4]),
        (schedule(Overlap.QUEUE, OnMissed.RUN_ALL, 3), ["", WAITS, too_late(15), WAITS, too_late(21)]),
        (schedule(Overlap.QUEUE, OnMissed.RUN_ALL, 1000, late=6), ["", WAITS, too_late(12), too_late(15), WAITS]),
        (schedule(Overlap.QUEUE, OnMissed.SKIP, late=6), ["", WAITS, too_late(12), too_late(15), WAITS]),
    ],
    ids=range(8),
)
def test_overlap(policies: DeploymentSchedule, said: list[str]) -> None:
    """Each time follows from what becomes of those before it: one that is skipped is in nobody's way, and one that waits keeps the next ones waiting."""
    assert marks(policies) == said


@pytest.mark.parametrize("overlap", Overlap)
def test_runs_that_are_short(overlap: Overlap) -> None:
    """Nothing is said where runs end before the next time, or at it, and where nobody knows how long they take."""
    assert marks(schedule(overlap), seconds=8) == [""] * 5
    assert marks(schedule(overlap), usual=None) == [""] * 5


def test_a_run_that_is_under_way() -> None:
    """The first times meet it, until it is likely to end; where nobody can say when, the first one does."""
    still = "run 'slow' is under way now, and may still be; "
    until = UnderWay(name="slow", end=START + timedelta(seconds=4))
    assert marks(schedule(Overlap.SKIP), under_way=until)[:4] == [f"{still}{SKIPPED}"] * 2 + ["", SKIPPED]
    assert marks(schedule(Overlap.QUEUE), under_way=until)[:3] == [f"{still}{too_late(3)}", f"{still}{WAITS}", too_late(9)]
    unknown = UnderWay(name="slow", end=None)
    assert marks(schedule(Overlap.QUEUE), under_way=unknown)[0] == f"{still}{WAITS}"
    assert marks(schedule(Overlap.QUEUE), usual=None, under_way=unknown) == [f"{still}{WAITS}", *[""] * 4]
    assert marks(schedule(Overlap.QUEUE), usual=None, under_way=UnderWay(name="slow", end=START)) == [""] * 5


def test_runs_that_were_cancelled() -> None:
    """How long they would have taken is not known, which is said."""
    cancelled = Usual(length=timedelta(seconds=8), is_least=True)
    assert "(they take 8.00s or longer)" in marks(schedule(Overlap.CANCEL_PREVIOUS), usual=cancelled)[1]


def test_times_that_end() -> None:
    """A run that waits for the last time waits for as long as it takes."""
    rows = list(forecast(islice(every(3), 2), schedule(Overlap.QUEUE), EIGHT))
    assert [said for _, said in rows] == [(), (f"{THE_ONE_BEFORE}{WAITS}",)]
