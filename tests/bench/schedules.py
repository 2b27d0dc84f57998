"""Rounds of the scheduler, over as many schedules as a large house has, with a clock that is put forward from one to the next."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import headrace
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.model.schedules import DeploymentSchedule, OnMissed
from headrace.settings import load
from headrace.testing.clock import START, FixedClock

AT_ONCE = 500


def rounds(home: Path, schedules: int, every: timedelta, hours: int) -> tuple[float, float]:
    """Seconds that a round over all of them takes at the median, and runs that are made in a second then; hourly rounds. Nobody starts a run, and all
    are made up for, so that none is skipped."""
    waiting = (hours + 2) * (timedelta(hours=1) // every)
    clock = FixedClock()
    with _house(home, clock) as house:
        for first in range(0, schedules, AT_ONCE):
            house.client.put_deployments(
                tuple(_deployment(number, every, waiting) for number in range(first, min(first + AT_ONCE, schedules)))
            )
        taken = []
        for _ in range(hours):
            clock.advance(3600)
            began, made = time.perf_counter(), 0
            while True:
                found = house.client.schedule_runs()
                made += found.made
                if found.next_look is None or found.next_look > clock.now():
                    break
            seconds = time.perf_counter() - began
            taken.append((seconds, made / seconds))
    return sorted(taken)[len(taken) // 2]


@contextmanager
def _house(home: Path, clock: FixedClock) -> Iterator[Instance]:
    settings = load({"HEADRACE_HOME": str(home), "HEADRACE_SCHEDULE_AHEAD_RUNS": "100"})
    with headrace.open(settings, lasting=True, clock=clock) as house:
        yield house


def _deployment(number: int, every: timedelta, waiting: int) -> Deployment:
    kind = Choice("interval", {"interval": f"{every.total_seconds():g}s"})
    policy = DeploymentSchedule(kind=kind, on_missed=OnMissed.RUN_ALL, most_missed=waiting)
    name, code = f"deployment-{number}", Code(entrypoint="etl:etl")
    return Deployment(id=name, name=name, flow_name="etl", code=code, schedules=(policy,), created=START, updated=START)
