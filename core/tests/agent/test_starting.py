"""Runs that live elsewhere are started beside, and keep their leases until they have begun."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from headrace.agent.agent import MOST_AT_ONCE, AgentAtWork
from headrace.errors import FlowRunnerFailed
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.moves import Move
from headrace.model.orders import ExitStatus
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.services.lost_leases import LostLeases
from headrace.testing.clock import START, FixedClock


@attrs.define
class Beside:
    """What is to be done beside is done when the test says so."""

    chores: list[Callable[[], None]] = attrs.field(factory=list)
    waited: list[float] = attrs.field(factory=list)

    def __call__(self, chore: Callable[[], None]) -> "Beside":
        self.chores.append(chore)
        return self

    def join(self, timeout: float) -> None:
        self.waited.append(timeout)

    def do(self) -> None:
        """Does it."""
        chores, self.chores = self.chores, []
        for chore in chores:
            chore()


@pytest.fixture
def beside(stage: Any) -> Beside:
    stage.is_elsewhere = True
    return Beside()


@pytest.fixture
def queue(house: Instance) -> WorkQueue:
    return house.client.put_work_queue(WorkQueue(id="q", name="all", created=START, updated=START))


@pytest.fixture
def agent(house: Instance, queue: WorkQueue, beside: Beside) -> AgentAtWork:
    return AgentAtWork(house, [queue], beside=beside)


def ask(house: Instance, name: str = "one") -> None:
    """A run is asked for."""
    made = Deployment(id="d", name="d", flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START)
    house.client.put_deployments((made,))
    house.client.request_run(RunRequest(id=name, deployment_id="d", name=name))


def cancel(house: Instance, name: str = "one") -> None:
    house.client.move_flow_run(Move(id=f"cancel {name}", run_id=name, state=State(type=StateType.CANCELLING)))


def found(house: Instance, name: str = "one") -> FlowRun:
    return house.client.read_flow_run(name)


def pass_time(house: Instance, clock: FixedClock, agent: AgentAtWork, seconds: float) -> None:
    """The agent goes on for so long, and so does the service that finds what is lost."""
    for _ in range(round(seconds / house.settings.renew_seconds)):
        clock.advance(house.settings.renew_seconds)
        agent.step()
        LostLeases().step(house.client, clock.now())


def test_a_start_that_takes_long(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock, beside: Beside) -> None:
    """It holds up nothing, the run stays with the agent for as long as it takes, and then goes its way."""
    ask(house)
    agent.step()
    assert (stage.orders, agent.is_busy, agent.underway) == ([], True, 1)
    pass_time(house, clock, agent, 5 * house.settings.lease_seconds)
    assert (found(house).state.type, found(house).epoch, found(house).restarts) == (StateType.PENDING, 1, 0)
    assert [each.underway for each in house.client.read_agents()] == [1]
    beside.do()
    agent.step()
    assert ([order.identity for order in stage.orders], agent.underway) == (["one.1"], 1)
    house.client.move_flow_run(Move(id="runs", run_id="one", state=State.running(), epoch=1))
    house.client.move_flow_run(Move(id="ends", run_id="one", state=State.completed(), epoch=1))
    stage.processes["one.1"].status = ExitStatus(0)
    agent.step()
    assert (agent.is_busy, found(house).state.is_completed()) == (False, True)


def test_a_process_that_has_not_arrived(house: Instance, queue: WorkQueue, stage: Any, clock: FixedClock) -> None:
    """Its run keeps its lease until the process says that it has begun; from then on that is its own affair."""

    @attrs.define
    class Arriving(stage.makes):  # type: ignore[name-defined, misc]
        has_begun: bool = False

    stage.makes = Arriving
    agent = AgentAtWork(house, [queue])
    ask(house)
    agent.step()
    pass_time(house, clock, agent, 3 * house.settings.lease_seconds)
    assert (found(house).state.type, found(house).restarts) == (StateType.PENDING, 0)
    stage.processes["one.1"].has_begun = True
    agent.drain()
    pass_time(house, clock, agent, 2 * house.settings.lease_seconds)
    assert (found(house).state.name, found(house).lost_starts) == ("AwaitingRestart", 1)


def test_cancelled_while_it_is_started(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock, beside: Beside) -> None:
    """It is cancelled as soon as the agent hears of it, and what is there in the end is stopped."""
    ask(house)
    agent.step()
    cancel(house)
    agent.hear([Event(moment=clock.now(), kind="flow-run.CANCELLING", subject="another")])
    agent.step()
    assert found(house).state.type is StateType.CANCELLING
    agent.hear([Event(moment=clock.now(), kind="flow-run.CANCELLING", subject="one")])
    agent.step()
    assert found(house).state.type is StateType.CANCELLED
    assert not agent.is_busy
    beside.do()
    agent.step()
    agent.leave()
    assert stage.processes["one.1"].status == ExitStatus(-15)
    assert found(house).state.type is StateType.CANCELLED


def test_taken_by_somebody_else_meanwhile(
    house: Instance, queue: WorkQueue, agent: AgentAtWork, stage: Any, clock: FixedClock, beside: Beside
) -> None:
    """An agent that slept for too long stops what it started, and says nothing of the run."""
    ask(house)
    agent.step()
    clock.advance(2 * house.settings.lease_seconds)
    LostLeases().step(house.client, clock.now())
    clock.advance(house.settings.lease_seconds)
    (taken,) = house.client.claim_runs(ClaimRequest(id="c", agent_id="other", queue_ids=(queue.id,), limit=1)).runs
    assert taken.epoch == 2
    agent.step()
    beside.do()
    agent.step()
    agent.leave()
    assert stage.processes["one.1"].status == ExitStatus(-15)
    assert (found(house).state.type, found(house).epoch) == (StateType.PENDING, 2)


def test_a_start_that_fails(house: Instance, agent: AgentAtWork, stage: Any, beside: Beside) -> None:
    """The run says why."""
    stage.refusal = FlowRunnerFailed(runner="staged", run="one", why="there is no image 'flows:1'")
    ask(house)
    agent.step()
    beside.do()
    agent.step()
    assert found(house).state.message == "The run could not be started by flow runner 'staged': there is no image 'flows:1'"
    assert not agent.is_busy


def test_as_many_starts_as_are_in_time(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock, beside: Beside) -> None:
    """No more runs are taken for a flow runner that does not come after with what it was given, and that is told to who explains."""
    for number in range(MOST_AT_ONCE + 2):
        ask(house, f"run {number}")
    agent.step()
    agent.step()
    assert (len(beside.chores), agent.underway) == (MOST_AT_ONCE, MOST_AT_ONCE)
    (known,) = house.client.read_agents()
    assert known.full_runners == ()
    clock.advance(house.settings.renew_seconds)
    agent.step()
    (known,) = house.client.read_agents()
    assert known.full_runners == ("staged", "universal")
    beside.do()
    agent.step()
    assert (len(beside.chores), agent.underway) == (2, MOST_AT_ONCE + 2)


def test_leaving_while_something_is_started(house: Instance, agent: AgentAtWork, stage: Any, beside: Beside) -> None:
    """It is waited for, a moment; what is there by then goes on, or is stopped where that was asked for."""
    ask(house)
    agent.step()
    beside.do()
    agent.leave()
    assert beside.waited
    assert stage.processes["one.1"].status is None

    other = AgentAtWork(house, [house.client.read_work_queue("q")], beside=beside)
    ask(house, "two")
    other.step()
    beside.do()
    other.stop_all()
    other.leave()
    assert stage.processes["two.1"].status == ExitStatus(-15)
    assert found(house, "two").state.is_crashed()


def test_threads(house: Instance, queue: WorkQueue, stage: Any) -> None:
    """Where nothing else is said, each is started in a thread."""
    stage.is_elsewhere = True
    agent = AgentAtWork(house, [queue])
    ask(house)
    agent.step()
    agent.leave()
    assert list(stage.processes) == ["one.1"]
