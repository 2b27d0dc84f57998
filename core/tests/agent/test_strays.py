"""Processes that nobody stops but who sees them from outside."""

from typing import Any

import pytest

from headrace.agent.agent import AgentAtWork
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.moves import Move
from headrace.model.orders import ExitStatus
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.states import State, StateType
from headrace.testing.clock import START, FixedClock


@pytest.fixture
def queue(house: Instance) -> WorkQueue:
    return house.client.put_work_queue(WorkQueue(id="q", name="all", created=START, updated=START))


@pytest.fixture
def agent(house: Instance, queue: WorkQueue) -> AgentAtWork:
    return AgentAtWork(house, [queue])


def running(house: Instance, agent: AgentAtWork, name: str = "one", **deployment: Any) -> None:
    """A run is asked for, started by the agent, and runs."""
    made = Deployment(id=name, name=name, flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START, **deployment)
    house.client.put_deployments((made,))
    house.client.request_run(RunRequest(id=name, deployment_id=name, name=name))
    agent.step()
    enter(house, name, State.running(), epoch=1)


def enter(house: Instance, name: str, state: State, epoch: int | None = None) -> None:
    house.client.move_flow_run(Move(id=house.ids.new(), run_id=name, state=state, epoch=epoch))


def pass_time(house: Instance, clock: FixedClock, agent: AgentAtWork, seconds: float) -> None:
    """The agent goes on for so long."""
    for _ in range(round(seconds / house.settings.renew_seconds)):
        clock.advance(house.settings.renew_seconds)
        agent.step()


def patience(house: Instance) -> float:
    return house.settings.lease_seconds + house.settings.grace_seconds


@pytest.mark.parametrize("how", ["cancelling", "cancelled", "failed", "paused"])
def test_a_process_that_does_not_hear_is_stopped_from_outside(
    house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock, how: str
) -> None:
    """When its run has ended, or is to end, for longer than its supervisor needs to see to that."""
    running(house, agent)
    wanted = {
        "cancelling": State(type=StateType.CANCELLING),
        "cancelled": State.cancelled(),
        "failed": State.failed(message="why"),
        "paused": State.paused(),
    }[how]
    enter(house, "one", wanted)
    process = stage.processes["one.1"]
    pass_time(house, clock, agent, patience(house))
    assert process.grace is None
    pass_time(house, clock, agent, house.settings.renew_seconds)
    agent.leave()
    assert process.grace == 0
    assert process.status is not None


def test_a_run_that_goes_on_is_left_alone(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock) -> None:
    """Also one that waits for its next try, or that is presumed lost since a while, as it may come back."""
    for name in ("runs", "tries", "lost"):
        running(house, agent, name)
    enter(house, "tries", State.scheduled(START, name="AwaitingRetry"), epoch=1)
    enter(house, "lost", State.lost("nobody renews"))
    for _ in range(2 * round(patience(house) / house.settings.renew_seconds)):
        house.client.renew_lease("runs", 1)
        house.client.renew_lease("tries", 1)
        pass_time(house, clock, agent, house.settings.renew_seconds)
    agent.leave()
    assert [process.grace for process in stage.processes.values()] == [None] * 3


def test_a_run_that_is_lost_for_long_is_not_waited_for(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock) -> None:
    """No run waits for an orchestration for longer than that; its process is stopped, whatever that is doing."""
    running(house, agent)
    enter(house, "one", State.lost("nobody renews"))
    pass_time(house, clock, agent, house.settings.outage_seconds)
    assert stage.processes["one.1"].grace is None
    pass_time(house, clock, agent, house.settings.renew_seconds)
    agent.leave()
    assert stage.processes["one.1"].grace == 0


def test_a_longer_grace_of_its_own(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock) -> None:
    """A run has as long to end as the variables of its flow runner say."""
    running(house, agent, flow_runner=Choice("staged", {"env": {"HEADRACE_GRACE_SECONDS": "300"}}))
    enter(house, "one", State.cancelled())
    pass_time(house, clock, agent, patience(house) + 200)
    assert stage.processes["one.1"].grace is None
    pass_time(house, clock, agent, 100)
    agent.leave()
    assert stage.processes["one.1"].grace == 0


def test_a_process_of_an_older_epoch_is_stopped(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock) -> None:
    """That of the newer one goes on; a process whose run is not known is none of this agent's business."""
    running(house, agent, max_restarts=1)
    enter(house, "one", State.crashed("it says that it was killed, and goes on"), epoch=1)
    agent.step()
    enter(house, "one", State.running(), epoch=2)
    stage.processes["unknown.1"] = type(stage.processes["one.1"])("unknown.1")
    for _ in range(round(patience(house) / house.settings.renew_seconds) + 1):
        house.client.renew_lease("one", 2)
        pass_time(house, clock, agent, house.settings.renew_seconds)
    agent.leave()
    assert {name: process.grace for name, process in stage.processes.items()} == {"one.1": 0, "one.2": None, "unknown.1": None}


def test_a_process_that_is_no_stray_any_more_is_seen_anew(house: Instance, agent: AgentAtWork, stage: Any, clock: FixedClock) -> None:
    """The time that it has begins again."""
    running(house, agent)
    enter(house, "one", State(type=StateType.CANCELLING))
    pass_time(house, clock, agent, patience(house))
    stage.processes["one.1"].status = ExitStatus(0)
    agent.step()
    pass_time(house, clock, agent, house.settings.renew_seconds)
    agent.leave()
    assert stage.processes["one.1"].grace is None


# What an agent finds that begins anew


def test_the_flow_runners_of_runs_under_way_are_opened(house: Instance, queue: WorkQueue, stage: Any, clock: FixedClock) -> None:
    """So that a restarted agent sees their processes, and adopts them, before any new run asks for that flow runner."""
    first = AgentAtWork(house, [queue])
    choice = Choice("staged", {"env": {"COLOUR": "blue"}})
    running(house, first, flow_runner=choice)
    opened = stage.opened
    house.client.drop_agent(first.agent.id)
    second = AgentAtWork(house, [queue])
    second.step()
    assert stage.opened == opened + 2  # the one that it prefers, and that of the run
    assert second.underway == 1


def test_a_flow_runner_that_cannot_say_what_runs(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """It is told, and is in no other's way: runs are claimed and started as ever."""
    stage.trouble = RuntimeError("the engine is away")
    running(house, agent)
    assert house.client.read_flow_run("one").state.is_running()


# Limits by flow runner


def claimed(stage: Any) -> list[str]:
    return [order.run_id for order in stage.orders]


def asked(house: Instance, name: str, **deployment: Any) -> None:
    made = Deployment(id=name, name=name, flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START, **deployment)
    house.client.put_deployments((made,))
    house.client.request_run(RunRequest(id=name, deployment_id=name, name=name))


def test_no_more_of_a_flow_runner_than_its_limit(house: Instance, queue: WorkQueue, stage: Any) -> None:
    """Runs that leave it to the agent count as what it prefers; others are not held up, and what waits is taken when there is room."""
    agent = AgentAtWork(house, [queue], limits={"staged": 2})
    for number in range(2):
        asked(house, f"own{number}", flow_runner=Choice("staged", {"env": {"N": "1"}}))
    asked(house, "yielding", flow_runner=None)
    asked(house, "other", flow_runner=Choice("universal-is-not-this"))
    agent.step()
    assert claimed(stage) == ["own0", "own1"]
    assert house.client.read_flow_run("yielding").state.is_scheduled()
    assert house.client.read_flow_run("other").state.is_crashed()  # nobody has such a flow runner, which it was told
    enter(house, "own0", State.running(), epoch=1)
    enter(house, "own0", State.completed(), epoch=1)
    stage.processes["own0.1"].status = ExitStatus(0)
    agent.step()
    assert claimed(stage) == ["own0", "own1", "yielding"]


def test_a_run_that_is_left_is_for_others(house: Instance, queue: WorkQueue) -> None:
    """A claim gives no run of a flow runner that is full, and goes on behind it."""
    asked(house, "docker", flow_runner=Choice("docker"))
    asked(house, "plain")
    request = ClaimRequest(id="c", agent_id="a", queue_ids=("q",), limit=5, full_runners=("docker",))
    assert [run.id for run in house.client.claim_runs(request).runs] == ["plain"]
    other = ClaimRequest(id="d", agent_id="b", queue_ids=("q",), limit=5, full_runners=("universal",))
    assert [run.id for run in house.client.claim_runs(other).runs] == ["docker"]


def test_what_an_agent_prefers(house: Instance, queue: WorkQueue, stage: Any) -> None:
    """It is for those runs that leave it the choice, whatever the setting says."""
    agent = AgentAtWork(house, [queue], prefers="moon")
    asked(house, "yielding")
    asked(house, "own", flow_runner=Choice("staged"))
    agent.step()
    assert claimed(stage) == ["own"]
    assert "no flow runner named 'moon'" in (house.client.read_flow_run("yielding").state.message or "")
