"""An agent that looks ahead."""

from datetime import timedelta
from typing import Any

import pytest

from headrace.agent.agent import AgentAtWork
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.queues import WorkQueue
from headrace.testing.clock import START, FixedClock


@pytest.fixture
def queue(house: Instance) -> WorkQueue:
    return house.client.put_work_queue(WorkQueue(id="q", name="all", created=START, updated=START))


def asked(house: Instance, name: str, seconds: float, **options: Any) -> None:
    """A run that is due in so many seconds."""
    code = Code(entrypoint="m:f")
    choice = Choice("staged", options)
    house.client.put_deployments(
        (Deployment(id=name, name=name, flow_name="f", code=code, flow_runner=choice, created=START, updated=START),)
    )
    house.client.request_run(RunRequest(id=name, deployment_id=name, name=name, at=START + timedelta(seconds=seconds)))


def looked(house: Instance, agent: AgentAtWork, clock: FixedClock) -> None:
    """The agent goes on for a while, until all is done that it began."""
    clock.advance(house.settings.renew_seconds)
    agent.step()
    agent.leave()


def test_what_is_due_soon_is_prepared_once(house: Instance, queue: WorkQueue, stage: Any, clock: FixedClock) -> None:
    """By the flow runner of each choice that such runs have made; nothing of it is started."""
    asked(house, "one", 600)
    asked(house, "same", 900)
    asked(house, "other", 900, env={"A": "1"})
    asked(house, "late", 7200, env={"A": "2"})
    agent = AgentAtWork(house, [queue], looks_ahead=True)
    for _ in range(3):
        looked(house, agent, clock)
    assert (stage.prepared, stage.orders) == (2, [])


def test_only_who_is_asked_to_looks_ahead(house: Instance, queue: WorkQueue, stage: Any, clock: FixedClock) -> None:
    """Others prepare nothing, and one that drains begins nothing new."""
    asked(house, "one", 600)
    looked(house, AgentAtWork(house, [queue]), clock)
    draining = AgentAtWork(house, [queue], looks_ahead=True)
    draining.drain()
    looked(house, draining, clock)
    assert stage.prepared == 0


def test_what_cannot_be_prepared_is_tried_by_the_run(house: Instance, queue: WorkQueue, stage: Any, clock: FixedClock) -> None:
    """The agent says so, and goes on."""
    asked(house, "one", 600)
    stage.trouble = RuntimeError("the registry is away")
    agent = AgentAtWork(house, [queue], looks_ahead=True)
    looked(house, agent, clock)
    clock.advance(600)
    agent.step()
    assert (stage.prepared, [order.run_id for order in stage.orders]) == (1, ["one"])
