"""A week of schedules, whose schedulers die at every step that they take; no time is lost, and none has two runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.schedules import DeploymentSchedule, OnMissed
from headrace.orchestration.local_client import LocalClient
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.ports.schedule import Schedule
from headrace.rules.decide import RuleBook
from headrace.rules.ticks import Horizon
from headrace.testing.clock import START, FixedClock

WEEK = timedelta(days=7)
EVERY = {"hourly": timedelta(hours=1), "rarely": timedelta(hours=30), "often": timedelta(minutes=7)}


class Died(BaseException):
    """A scheduler that was killed."""


class Mortal:
    """A store whose user dies at its n-th step: before a question, in the middle of a change, or just after it was kept."""

    def __init__(self, store: OpenRunStore) -> None:
        self._store = store
        self.steps_left = -1
        self.steps = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def step(self) -> None:
        self.steps += 1
        if self.steps_left == 0:
            raise Died
        self.steps_left -= 1

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        self.step()
        with self._store.reading() as reading:
            yield reading

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        self.step()
        with self._store.writing() as writing:
            yield writing
            self.step()
        self.step()


@pytest.mark.parametrize("pause", [timedelta(minutes=13), timedelta(hours=1), timedelta(hours=9)], ids=str)
@pytest.mark.parametrize("policy", OnMissed)
def test_a_week(store: OpenRunStore, clock: FixedClock, schedule: Callable[[Choice], Schedule], policy: OnMissed, pause: timedelta) -> None:
    """Every round is begun anew as often as it has steps, and dies at each; a second scheduler looks now and then too."""
    mortal = Mortal(store)
    first, second = (
        LocalClient.over(
            each,
            rules=RuleBook(),
            clock=clock,
            lease_seconds=20,
            ids=Ids(clock, seed=seed),
            matcher=lambda name: pytest.fail(name),
            schedule=schedule,
            tell=lambda event: None,
            horizon=Horizon(span=timedelta(minutes=20), most=3),
        )
        for seed, each in enumerate((mortal, store))
    )
    second.put_deployments(tuple(deployment(name, policy) for name in EVERY))
    while clock.now() < START + WEEK:
        clock.advance(pause.total_seconds())
        died = 0
        while _dies(mortal, first, died):
            died += 1
        assert died > 3
        second.schedule_runs()
    for name, every in EVERY.items():
        ticks, untold = _decided(second, name)
        assert ticks == sorted(set(ticks)), "none has two"
        expected = [START + every * number for number in range(1, (ticks[-1] - START) // every + 1)]
        assert set(ticks) <= set(expected), "there is none that the schedule has not"
        assert len(expected) - len(ticks) == untold, "none is lost that nobody tells of"
        assert ticks[-1] > clock.now(), "the next one is ahead"


def deployment(name: str, policy: OnMissed) -> Deployment:
    kind = Choice("every", {"seconds": EVERY[name].total_seconds()})
    code = Code(entrypoint="etl:etl")
    schedules = (DeploymentSchedule(kind=kind, on_missed=policy),)
    return Deployment(id=name, name=name, flow_name="etl", code=code, schedules=schedules, created=START, updated=START)


def _dies(mortal: Mortal, client: LocalClient, after: int) -> bool:
    """Whether a round died that was to die after so many steps."""
    mortal.steps_left = after
    try:
        client.schedule_runs()
    except Died:
        return True
    finally:
        mortal.steps_left = -1
    return False


def _decided(client: LocalClient, deployment_id: str) -> tuple[list[Any], int]:
    """The times of all runs and records, and of how many more those tell."""
    wanted, after = FlowRunFilter(deployment_ids=(deployment_id,)), None
    ticks, untold = [], 0
    while page := client.read_flow_runs(wanted, Page(after=after, newest_first=False)):
        after = page[-1].id
        for run in page:
            assert run.tick is not None
            ticks.append(run.tick.at)
            told = str(run.state.message).partition("So were ")[2]
            untold += int(told.split()[0]) if told else 0
    return sorted(ticks), untold
