"""Who would take a run, and what is missing for it."""

import attrs
import pytest

from headrace.cli.wanting import advice, queues_that_want
from headrace.instance import Instance
from headrace.model.agents import Agent
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun


@pytest.fixture
def run(house: Instance) -> FlowRun:
    """A run of a deployment that waits."""
    now = house.clock.now()
    wanted = Deployment(id=house.ids.new(), name="nightly", flow_name="hello", code=Code(entrypoint="a:b"), created=now, updated=now)
    (kept,) = house.client.put_deployments((wanted,))
    return house.client.request_run(RunRequest(id=house.ids.new(), deployment_id=kept.id, name="otter"))


def queue(house: Instance, name: str, *flows: str, is_paused: bool = False) -> WorkQueue:
    now = house.clock.now()
    criteria = {"flows": list(flows)} if flows else {}
    return house.client.put_work_queue(
        WorkQueue(id=house.ids.new(), name=name, criteria=criteria, is_paused=is_paused, created=now, updated=now)
    )


def agent(house: Instance, *queues: WorkQueue) -> Agent:
    ids = tuple(queue.id for queue in queues)
    found = Agent(id=house.ids.new(), name="a", host="h", process=1, version="0", queues=ids, started=house.clock.now())
    house.client.keep_agent(found)
    return found


def test_queues_that_want_a_run(house: Instance, run: FlowRun) -> None:
    """They are those whose criteria all hold, as those are that the run waits in."""
    every, own, other = queue(house, "every"), queue(house, "own", "hello", "bye"), queue(house, "other", "bye")
    found = queues_that_want(house, run)
    assert {queue.name for queue in found} == {"every", "own"}
    waiting = {each.name for each in (every, own, other) if house.client.read_due(each.id, house.clock.now(), 10)}
    assert waiting == {"every", "own"}


def test_more_queues_than_a_page_has(house: Instance, run: FlowRun) -> None:
    """All queues are looked at, however many there are."""
    for number in range(205):
        queue(house, f"other {number}", "bye")
    first = queue(house, "own", "hello")
    assert queues_that_want(house, run) == [first]


def test_without_a_queue(house: Instance, run: FlowRun) -> None:
    """Where no queue wants the run, one is to be made."""
    queue(house, "other", "bye")
    assert advice(house, run) == "no work queue wants this run; make one: headrace work-queue create NAME"


def test_with_paused_queues(house: Instance, run: FlowRun) -> None:
    """Where all that want it are paused, one is to be resumed, agent or not."""
    paused = queue(house, "the own", is_paused=True)
    agent(house, paused)
    assert advice(house, run) == "work queue 'the own' is paused; go on with: headrace work-queue resume 'the own'"


def test_without_an_agent(house: Instance, run: FlowRun) -> None:
    """Where nobody serves a queue that has it, an agent is to be started; one that drains takes nothing any more."""
    own, other = queue(house, "own", "hello"), queue(house, "other", "bye")
    missing = "no agent serves work queue 'own'; start one: headrace agent start own"
    assert advice(house, run) == missing
    agent(house, other)
    assert advice(house, run) == missing
    house.client.keep_agent(attrs.evolve(agent(house, own), is_draining=True))
    assert advice(house, run) == missing


def test_with_an_agent(house: Instance, run: FlowRun) -> None:
    """Where an agent serves a queue that has it, nothing is missing, whatever other queues do."""
    own = queue(house, "own", "hello")
    queue(house, "unserved")
    queue(house, "paused", is_paused=True)
    agent(house, own)
    assert advice(house, run) == ""


def test_with_a_full_stop(house: Instance, run: FlowRun) -> None:
    """A queue whose limit is 0 gives nothing away."""
    own = house.client.put_work_queue(attrs.evolve(queue(house, "own"), concurrency_limit=0))
    agent(house, own)
    assert advice(house, run) == "the limit of work queue 'own' is 0; change it with: headrace work-queue set-concurrency-limit own N"
