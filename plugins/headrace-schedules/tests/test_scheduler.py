"""The service that has schedules' runs made."""

from collections.abc import Iterator
from datetime import timedelta

import attrs
import pytest

from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.schedules import DeploymentSchedule
from headrace.orchestration.local_client import LocalClient
from headrace.testing.clock import START, FixedClock
from headrace.testing.conformance.service import ServiceConformance
from headrace.testing.orchestration import in_memory
from headrace_schedules.scheduler import SHORTEST, Scheduler

HOURS = [START + timedelta(hours=hours) for hours in (1, 2, 5)]


def deployment() -> Deployment:
    """At three moments."""
    kind = Choice("moments", {"moments": [moment.isoformat() for moment in HOURS]})
    return Deployment(
        id="d",
        name="d",
        flow_name="etl",
        code=Code(entrypoint="a:b"),
        schedules=(DeploymentSchedule(kind=kind),),
        created=START,
        updated=START,
    )


class TestScheduler(ServiceConformance):
    """It does what every service does."""

    @pytest.fixture
    def service(self) -> Scheduler:
        return Scheduler()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def client(clock: FixedClock) -> Iterator[LocalClient]:
    with in_memory(clock) as opened:
        yield opened


def test_its_runs_are_made(client: LocalClient, clock: FixedClock) -> None:
    """Round by round, as their times come near; the next round is when there is something to do, or soon."""
    client.put_deployments((deployment(),))
    scheduler, rounds = Scheduler(every=3600 * 3), []
    while clock.now() < HOURS[-1]:
        following = scheduler.step(client, clock.now())
        rounds.append(following)
        clock.advance((following - clock.now()).total_seconds())
    found = client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))
    assert [run.expected_start_time for run in found] == HOURS
    assert rounds[0] == HOURS[0]
    assert all(timedelta() < after - before <= timedelta(hours=3) for before, after in zip([START, *rounds], rounds, strict=False))


def test_a_round_that_is_due_at_once_rests(client: LocalClient, clock: FixedClock) -> None:
    """Where its clock is ahead of the orchestration's, it does not ask without a pause."""
    client.put_deployments((deployment(),))
    ahead = START + timedelta(hours=4)
    assert Scheduler().step(client, ahead) == ahead + SHORTEST


def test_every_is_a_length_of_time() -> None:
    """Which is positive."""
    with pytest.raises(ValueError, match="every"):
        Scheduler(every=0)
    assert attrs.fields(Scheduler).every.metadata["meaning"]
