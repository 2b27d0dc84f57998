"""An agent's steps."""

import logging
from datetime import timedelta
from typing import Any, cast

import attrs
import pytest

from headrace.agent.agent import AgentAtWork
from headrace.errors import FlowRunnerFailed, StoreAway
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import LogFilter, Page
from headrace.model.moves import Move
from headrace.model.orders import ExitStatus
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.states import State
from headrace.ports.client import OpenClient
from headrace.testing.clock import START, FixedClock


@pytest.fixture
def queue(house: Instance) -> WorkQueue:
    return house.client.put_work_queue(WorkQueue(id="q", name="all", created=START, updated=START))


@pytest.fixture
def agent(house: Instance, queue: WorkQueue) -> AgentAtWork:
    return AgentAtWork(house, [queue])


def run(house: Instance, name: str, *, seconds: float = 0, **deployment: Any) -> None:
    made = Deployment(id=name, name=name, flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START, **deployment)
    house.client.put_deployments((made,))
    house.client.request_run(RunRequest(id=name, deployment_id=name, name=name, at=START + timedelta(seconds=seconds)))


def end(house: Instance, stage: Any, name: str, code: int = 0) -> None:
    """The run says that it has completed, and its process ends."""
    house.client.move_flow_run(Move(id=f"{name} runs", run_id=name, state=State.running(), epoch=1))
    house.client.move_flow_run(Move(id=f"{name} ends", run_id=name, state=State.completed(), epoch=1))
    stage.processes[f"{name}.1"].status = ExitStatus(code)


def test_what_is_due_is_started(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """By the runner that the agent prefers, with the settings in force; what is due later says when."""
    run(house, "one")
    run(house, "two", seconds=60)
    assert agent.step() == START + timedelta(seconds=60)
    (order,) = stage.orders
    assert (order.run_id, order.epoch, order.run_name, agent.underway) == ("one", 1, "one", 1)
    assert order.environment["HEADRACE_LEASE_SECONDS"] == "30"
    assert order.environment["HEADRACE_HOME"] == str(house.settings.home)
    assert "HEADRACE_GRACE_SECONDS" not in order.environment
    assert house.client.read_flow_run("one").state.is_pending()


class GivesTokens:
    """A client of a server that gives each run that is claimed a token of its own."""

    def __init__(self, inner: OpenClient) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def claim_runs(self, request: ClaimRequest) -> Claimed:
        claimed = self._inner.claim_runs(request)
        return attrs.evolve(claimed, tokens={run.id: f"hrr_{run.id}" for run in claimed.runs})


def test_a_run_has_its_own_token(house: Instance, queue: WorkQueue, stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    """In place of the agent's, where the answer to the claim has one; and neither is told."""
    caplog.set_level("DEBUG")
    far = attrs.evolve(
        house, client=cast(OpenClient, GivesTokens(house.client)), settings=attrs.evolve(house.settings, api_token="hrt_of_the_agent")
    )
    agent = AgentAtWork(far, [queue])
    run(house, "one")
    agent.step()
    agent.leave()
    (order,) = stage.orders
    assert order.environment["HEADRACE_API_TOKEN"] == "hrr_one"
    assert "hrt_of_the_agent" not in order.environment.values()
    told = caplog.text + repr(order) + repr(far.settings) + repr(agent.agent)
    assert "hrr_one" not in told
    assert "hrt_of_the_agent" not in told


class Unreliable:
    """A client of a server: what it is asked to claim is kept, and the answer to it may be lost."""

    def __init__(self, inner: OpenClient) -> None:
        self._inner = inner
        self.asked: list[ClaimRequest] = []
        self.loses = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def claim_runs(self, request: ClaimRequest) -> Claimed:
        self.asked.append(request)
        claimed = self._inner.claim_runs(request)
        if self.loses:
            raise StoreAway(where="here", why="the answer is lost")
        return claimed


@pytest.fixture
def unreliable(house: Instance) -> Unreliable:
    return Unreliable(house.client)


@pytest.fixture
def far(house: Instance, queue: WorkQueue, unreliable: Unreliable) -> AgentAtWork:
    """An agent that asks by way of it."""
    return AgentAtWork(attrs.evolve(house, client=cast(OpenClient, unreliable)), [queue])


def test_a_claim_is_asked_until_it_was_given_something(house: Instance, far: AgentAtWork, unreliable: Unreliable, stage: Any) -> None:
    """So a message that comes late gives nothing away that the agent does not hear of."""
    far.step()
    run(house, "one")
    house.client.claim_runs(unreliable.asked[-1])
    far.step()
    run(house, "two")
    far.step()
    assert [order.run_id for order in stage.orders] == ["one", "two"]
    assert [len({request.id for request in unreliable.asked[:last]}) for last in (2, 3)] == [1, 2]


def test_a_claim_whose_answer_was_lost_is_asked_again(house: Instance, far: AgentAtWork, unreliable: Unreliable, stage: Any) -> None:
    """What was given is started then."""
    run(house, "one")
    unreliable.loses = True
    with pytest.raises(StoreAway):
        far.step()
    unreliable.loses = False
    far.step()
    assert [order.run_id for order in stage.orders] == ["one"]


def test_a_claim_of_which_nothing_is_left_is_over(
    house: Instance, far: AgentAtWork, unreliable: Unreliable, stage: Any, clock: FixedClock
) -> None:
    """Where the answer was lost, and others have by now what was given, the agent goes on with another, at once."""
    run(house, "one")
    unreliable.loses = True
    with pytest.raises(StoreAway):
        far.step()
    unreliable.loses = False
    clock.advance(61)
    house.client.release_lost_runs()
    house.client.claim_runs(ClaimRequest(id="claim", agent_id="other", queue_ids=("q",), limit=5))
    run(house, "two")
    assert far.step() == clock.now()
    far.step()
    assert [order.run_id for order in stage.orders] == ["two"]


class Away:
    """A client that cannot be asked about deployments as long as it is away."""

    def __init__(self, inner: OpenClient) -> None:
        self._inner = inner
        self.is_away = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def read_deployment(self, deployment_id: str) -> Deployment:
        if self.is_away:
            raise StoreAway(where="here", why="it is away")
        return self._inner.read_deployment(deployment_id)


def test_only_what_is_signed_is_started(house: Instance, queue: WorkQueue, stage: Any) -> None:
    """Where that is required: a run of anything else ends with the reason in its state and its log, and no flow runner is opened for it."""
    agent = AgentAtWork(house, [queue], requires_signature=True)
    run(house, "one")
    agent.step()
    agent.leave()
    state = house.client.read_flow_run("one").state
    sentence = "The run was not started: only signed code is run here, and deployment 'f/one' is not: nobody has signed it"
    assert (state.type, str(state.message)[: len(sentence)]) == ("FAILED", sentence)
    (line,) = house.client.read_logs(LogFilter(flow_run_ids=("one",)), Page())
    assert line.message == state.message
    assert (stage.orders, agent.underway) == ([], 0)


def test_a_signature_that_cannot_be_looked_at(house: Instance, queue: WorkQueue, stage: Any) -> None:
    """While the orchestration cannot say what a run is of, nothing is started and nothing is refused: its lease runs out, and it is taken again."""
    far = attrs.evolve(house, client=cast(OpenClient, Away(house.client)))
    agent = AgentAtWork(far, [queue], requires_signature=True)
    run(house, "one")
    agent.step()
    agent.leave()
    assert house.client.read_flow_run("one").state.is_pending()
    assert (stage.orders, agent.underway) == ([], 0)


def test_an_end_is_seen(house: Instance, agent: AgentAtWork, stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    """And there is room again."""
    run(house, "one")
    agent.step()
    assert agent.is_busy
    end(house, stage, "one")
    agent.step()
    assert not agent.is_busy


def test_a_process_that_says_nothing_has_crashed(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """The run says how its process ended."""
    run(house, "one")
    agent.step()
    stage.processes["one.1"].status = ExitStatus(-9)
    agent.step()
    state = house.client.read_flow_run("one").state
    assert (state.type, state.message) == ("CRASHED", "The process of the run ended with signal 9 (SIGKILL) and could not say why.")


def test_a_run_that_was_deleted_is_forgotten(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """Its end is no trouble."""
    run(house, "one")
    agent.step()
    house.client.delete_flow_run("one")
    stage.processes["one.1"].status = ExitStatus(3)
    agent.step()
    assert not agent.is_busy


def test_no_more_runs_than_its_limit(house: Instance, queue: WorkQueue, stage: Any) -> None:
    """What waits is taken when one has ended."""
    agent = AgentAtWork(house, [queue], limit=2)
    for number in range(3):
        run(house, f"run{number}")
    agent.step()
    agent.step()
    assert [order.run_id for order in stage.orders] == ["run0", "run1"]
    end(house, stage, "run1")
    agent.step()
    assert [order.run_id for order in stage.orders] == ["run0", "run1", "run2"]


def test_many_runs_are_taken_in_one_step(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """However many; each once."""
    for number in range(50):
        run(house, f"run{number:02}")
    assert agent.step() is None
    assert [order.run_id for order in stage.orders] == [f"run{number:02}" for number in range(50)]


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (FlowRunnerFailed(runner="staged", run="bad", why="no room"), "no room"),
        (RuntimeError("a bug"), "RuntimeError: a bug"),
    ],
)
def test_a_run_that_cannot_be_started_says_why(house: Instance, agent: AgentAtWork, stage: Any, refusal: Exception, said: str) -> None:
    """And the next one is started."""
    stage.refusal = refusal
    run(house, "bad")
    agent.step()
    stage.refusal = None
    run(house, "good")
    agent.step()
    state = house.client.read_flow_run("bad").state
    assert state.is_crashed()
    assert said in (state.message or "")
    assert [order.run_id for order in stage.orders] == ["good"]


def test_an_unknown_flow_runner_harms_that_run_only(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """It says what is not installed; so do options that do not fit."""
    run(house, "one", flow_runner=Choice("docker"))
    run(house, "two", flow_runner=Choice("staged", {"colour": "red"}))
    run(house, "three")
    agent.step()
    messages = [house.client.read_flow_run(name).state.message or "" for name in ("one", "two")]
    assert "no flow runner named 'docker'" in messages[0]
    assert "do not fit: " in messages[1]
    for name, message in zip(("one", "two"), messages, strict=True):
        (line,) = house.client.read_logs(LogFilter(flow_run_ids=(name,)), Page())
        assert (line.message, line.level) == (message, logging.ERROR)
    assert [order.run_id for order in stage.orders] == ["three"]


def test_a_runner_is_opened_once_for_each_choice(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """With its options, those of a universal one too; leaving closes it, and ends no run."""
    for number, options in enumerate(({}, {}, {"env": {"A": "1"}})):
        run(house, f"run{number}", flow_runner=Choice("universal", options))
    agent.step()
    assert stage.opened == 2
    agent.leave()
    assert stage.opened == 0
    assert len(stage.running()) == 3


def test_what_the_runner_remarks_is_in_the_runs_log(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """As a line of the agent's."""
    stage.remark = "started cold, since it is cold"
    run(house, "one")
    agent.step()
    assert [line.message for line in house.client.read_logs(LogFilter(flow_run_ids=("one",)), Page())] == [stage.remark]


def test_an_agent_says_that_it_is_there(house: Instance, agent: AgentAtWork, clock: FixedClock) -> None:
    """Again whenever leases are renewed, until it leaves."""
    agent.step()
    (seen,) = house.client.read_agents()
    assert (seen.id, seen.queues, seen.live, seen.is_draining) == (agent.agent.id, ("q",), True, False)
    house.client.drop_agent(agent.agent.id)
    agent.step()
    assert house.client.read_agents() == []
    clock.advance(5)
    agent.step()
    assert house.client.read_agents() == [seen]
    agent.leave()
    assert house.client.read_agents() == []


def test_a_draining_agent_takes_nothing(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """And says so."""
    agent.drain()
    run(house, "one")
    assert agent.step() is None
    assert stage.orders == []
    assert house.client.read_agents()[0].is_draining


def test_stopping_ends_what_it_started(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """With the grace that settings give."""
    run(house, "one")
    agent.step()
    agent.stop_all()
    assert stage.processes["one.1"].grace == house.settings.grace_seconds
    assert not agent.is_busy
    assert house.client.read_flow_run("one").state.is_crashed()


def test_a_queue_that_is_gone_is_served_no_longer(house: Instance, queue: WorkQueue, stage: Any) -> None:
    """The others are."""
    other = house.client.put_work_queue(WorkQueue(id="r", name="other", created=START, updated=START))
    agent = AgentAtWork(house, [queue, other])
    house.client.delete_work_queue("q")
    run(house, "one")
    agent.step()
    assert [order.run_id for order in stage.orders] == ["one"]
    assert agent.has_queues
    house.client.delete_work_queue("r")
    agent.step()
    assert not agent.has_queues


def test_what_it_said_in_vain_is_told(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """A process that could not begin says why in no log; the run's state does."""
    run(house, "one")
    agent.step()
    process = stage.processes["one.1"]
    process.status, process.last_words = ExitStatus(1), "No module named 'headrace'"
    agent.step()
    message = house.client.read_flow_run("one").state.message
    assert message == "The process of the run ended with exit code 1 and said: No module named 'headrace'"


def test_a_run_whose_agent_is_gone_is_adopted(house: Instance, queue: WorkQueue, stage: Any, clock: FixedClock) -> None:
    """By an agent that sees its process: it counts against the limit, and its end is told. One whose agent is there is left alone."""
    first = AgentAtWork(house, [queue])
    run(house, "one")
    first.step()
    second = AgentAtWork(house, [queue], limit=1)
    second.step()
    assert second.underway == 0
    house.client.drop_agent(first.agent.id)
    clock.advance(house.settings.renew_seconds)
    second.step()
    assert second.underway == 1
    run(house, "two")
    second.step()
    assert [order.run_id for order in stage.orders] == ["one"]
    stage.processes["one.1"].status = ExitStatus(-9)
    second.step()
    assert house.client.read_flow_run("one").state.is_crashed()
    assert [order.run_id for order in stage.orders] == ["one", "two"]


def test_a_run_that_is_to_be_started_again_has_not_ended(house: Instance, agent: AgentAtWork, stage: Any) -> None:
    """Its process is gone, and the next one is started in the next epoch."""
    run(house, "one", max_restarts=1)
    agent.step()
    house.client.move_flow_run(Move(id="runs", run_id="one", state=State.running(), epoch=1))
    stage.processes["one.1"].status = ExitStatus(-9)
    agent.step()
    assert [order.identity for order in stage.orders] == ["one.1", "one.2"]
    assert house.client.read_flow_run("one").epoch == 2
