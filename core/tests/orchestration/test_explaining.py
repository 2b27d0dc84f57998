"""Why a run is not running."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import NotFound
from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Code, Deployment, RunRequest
from headrace.model.explanations import Kind
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.model.storages import NamedStorage, named
from headrace.orchestration.local_client import LocalClient
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, wait
from headrace.testing.clock import START, FixedClock


def run(client: LocalClient, name: str = "run", *, seconds: float = 0, runner: str = "universal", storage: Choice | None = None) -> FlowRun:
    archive = Archive(sha256="a" * 64, files=1, size=1, storage=storage)
    code = Code(entrypoint="m:f", archive=archive if storage is not None else None)
    client.put_deployments(
        (Deployment(id="d", name="d", flow_name="etl", code=code, flow_runner=Choice(runner), created=START, updated=START),)
    )
    return client.request_run(RunRequest(id=name, deployment_id="d", name=name, at=START + timedelta(seconds=seconds)))


def queue(client: LocalClient, name: str = "q", **fields: Any) -> WorkQueue:
    return client.put_work_queue(WorkQueue(id=name, name=name, created=START, updated=START, **fields))


def agent(client: LocalClient, *queues: str, **fields: Any) -> None:
    client.keep_agent(
        Agent(**({"id": "a", "name": "amy", "host": "h", "process": 1, "version": "1", "queues": queues, "started": START} | fields))
    )


def claim(client: LocalClient, name: str = "claim") -> None:
    client.claim_runs(ClaimRequest(id=name, agent_id="a", queue_ids=("q",), limit=10))


def moved(client: LocalClient, state: State, epoch: int | None = 1) -> None:
    client.move_flow_run(Move(id=f"{state.name}", run_id="run", state=state, epoch=epoch))


def said(client: LocalClient) -> tuple[str, list[tuple[Kind, str]]]:
    found = client.explain_flow_run("run")
    return found.summary, [(obstacle.kind, obstacle.advice) for obstacle in found.obstacles]


def test_without_a_queue(client: LocalClient) -> None:
    """One is to be made."""
    run(client)
    assert said(client) == ("there is no work queue", [(Kind.NO_QUEUE, "headrace work-queue create NAME")])


def test_where_no_queue_wants_it(client: LocalClient) -> None:
    """Each says which of its criteria the run does not meet."""
    run(client)
    queue(client, criteria={"flows": ["report"]})
    found = client.explain_flow_run("run")
    assert found.summary == "no work queue wants it"
    assert found.obstacles[1].sentence == ("work queue 'q' does not want it: it is a run of flow 'etl', and those of 'report' are wanted")
    assert found.queues == ()


def test_a_paused_queue(client: LocalClient) -> None:
    """The command that goes on with it is told."""
    run(client)
    queue(client, "the q", is_paused=True)
    assert said(client) == ("work queue 'the q' is paused", [(Kind.PAUSED, "headrace work-queue resume 'the q'")])


@pytest.mark.parametrize(
    ("limit", "kind", "sentence"),
    [
        (0, Kind.SHUT, "work queue 'q' gives nothing away, since its limit is 0"),
        (1, Kind.FULL, "work queue 'q' is full: its limit is 1, and other is under way"),
    ],
)
def test_a_full_queue(client: LocalClient, limit: int, kind: Kind, sentence: str) -> None:
    """Its limit and its holders are named; one that is only full will have room again by itself."""
    made = queue(client, concurrency_limit=1)
    run(client, "other")
    claim(client)
    client.put_work_queue(attrs.evolve(made, concurrency_limit=limit))
    run(client)
    assert said(client) == (sentence, [(kind, "headrace work-queue set-concurrency-limit q N")])
    assert (client.explain_flow_run("run").hindrance is None) == (limit > 0)


def test_a_full_queue_with_many_holders(client: LocalClient) -> None:
    """The first of them are named, and the others counted."""
    queue(client, concurrency_limit=5)
    for number in range(5):
        run(client, f"other{number}")
    claim(client)
    run(client)
    assert "its limit is 5, and other0, other1, other2 and 2 more are under way" in said(client)[0]


def test_agents(client: LocalClient) -> None:
    """None, one that drains, one without the flow runner, one that has as much as it may, and in the end one that takes it."""
    run(client, runner="docker")
    queue(client)
    start = "headrace agent start q"
    assert said(client) == ("no agent serves work queue 'q'", [(Kind.NO_AGENT, start)])
    agent(client, "other")
    assert said(client)[1] == [(Kind.NO_AGENT, start)]
    agent(client, "q", is_draining=True)
    assert said(client) == ("all agents that serve work queue 'q' are leaving", [(Kind.NO_AGENT, start)])
    agent(client, "q", flow_runners=("subprocess",))
    assert said(client) == (
        "no agent that serves work queue 'q' has flow runner 'docker'; one that takes it will say so",
        [(Kind.NO_FLOW_RUNNER, "pip install headrace-docker")],
    )
    agent(client, "q", flow_runners=("docker", "subprocess"), limit=2, underway=2)
    assert said(client) == (
        "all agents that serve work queue 'q' have as many runs under way as they may: amy (2 of 2)",
        [(Kind.BUSY_AGENTS, start)],
    )
    agent(client, "q", flow_runners=("docker",), limit=2, underway=1, full_runners=("docker",))
    assert said(client) == (
        "all agents that serve work queue 'q' have as many runs under way as they may: amy (1, and no more of 'docker')",
        [(Kind.BUSY_AGENTS, start)],
    )
    agent(client, "q", flow_runners=("docker",), limit=2, underway=1, full_runners=("subprocess", "universal"))
    assert said(client) == ("it is due, and is about to be taken from work queue 'q' by agent amy", [])
    assert client.explain_flow_run("run").queues == ("q",)


def test_a_storage_that_agents_have_not(client: LocalClient) -> None:
    """Where the code is, by its type or behind a name, an agent must have installed; those that say nothing, or start the run elsewhere, are believed."""
    queue(client)
    client.put_storage(NamedStorage(id="s", name="prod", choice=Choice("s3", {"bucket": "b"}), created=START, updated=START), {})
    about = "it is due, and is about to be taken from work queue 'q' by agent amy"
    for storage in (Choice("s3", {"bucket": "b"}), named("prod")):
        run(client, storage=storage)
        agent(client, "q")
        assert said(client)[0] == about
        agent(client, "q", storages=("file", "local"))
        assert said(client) == (
            "its code is in a storage of type 's3', which no agent that serves work queue 'q' has installed",
            [(Kind.NO_STORAGE, "pip install headrace-s3")],
        )
        found = client.explain_flow_run("run")
        assert found.hindrance is not None
        agent(client, "q", storages=("local", "s3"))
        assert said(client)[0] == about
        client.delete_flow_run("run")
    agent(client, "q", storages=("local",))
    run(client, storage=named("prod"), runner="docker")
    assert said(client)[0] == about


def test_a_storage_that_is_gone(client: LocalClient) -> None:
    """Code in a storage whose name nobody has any more is not found by anybody; who makes it again is told how it was called."""
    queue(client)
    agent(client, "q")
    client.put_storage(NamedStorage(id="s", name="prod", choice=Choice("s3", {"bucket": "b"}), created=START, updated=START), {})
    run(client, storage=named("prod"))
    client.delete_storage("s")
    assert said(client) == (
        "its code is in storage 'prod', and there is no storage of that name any more",
        [(Kind.NO_STORAGE, "headrace storage create TYPE --name prod")],
    )


def test_one_open_queue_is_enough(client: LocalClient) -> None:
    """What is in the way in others is told, and does not count; where all of them are closed, each says why."""
    run(client)
    made = queue(client)
    queue(client, "p", is_paused=True)
    agent(client, "q")
    assert said(client)[0] == "it is due, and is about to be taken from work queue 'q' by agent amy"
    assert client.explain_flow_run("run").hindrance is None
    client.put_work_queue(attrs.evolve(made, concurrency_limit=0))
    assert said(client)[0] == "2 work queues want it, and something is in the way in each of them"
    assert [kind for kind, _ in said(client)[1]] == [Kind.PAUSED, Kind.SHUT]
    assert client.explain_flow_run("run").hindrance == client.explain_flow_run("run").obstacles[0]


def test_a_queue_where_it_is_only_a_matter_of_time_is_enough(client: LocalClient) -> None:
    """Nothing need be done about another one that nobody serves."""
    run(client)
    queue(client, "p")
    assert client.explain_flow_run("run").hindrance is not None
    queue(client, "q")
    agent(client, "q", limit=1, underway=1)
    assert [kind for kind, _ in said(client)[1]] == [Kind.NO_AGENT, Kind.BUSY_AGENTS]
    assert client.explain_flow_run("run").hindrance is None


def test_a_run_that_is_due_later(client: LocalClient) -> None:
    """It says when; what else would be in its way is told too."""
    run(client, seconds=60)
    queue(client, is_paused=True)
    assert said(client)[0] == "it is due at 2026-01-01T00:01:00+00:00"
    assert [kind for kind, _ in said(client)[1]] == [Kind.DUE_LATER, Kind.PAUSED]


class TestWithARule:
    """A rule of a plugin."""

    @pytest.fixture
    def rules(self) -> RuleBook:
        class OfficeHours:
            name = "office-hours"
            moves = moves(to={StateType.PENDING})
            needs = NO_FACTS

            def judge(self, move: Move, facts: Facts) -> Verdict | None:
                return wait(facts.now + timedelta(hours=8), "the office is closed")

        return RuleBook([OfficeHours()])

    def test_a_rule_that_holds_it_back(self, client: LocalClient) -> None:
        """It is asked as when runs are handed out."""
        run(client)
        queue(client)
        agent(client, "q")
        assert said(client) == ("a rule holds it back: the office is closed", [(Kind.HELD_BACK, "")])


def test_what_is_under_way_and_what_has_ended(client: LocalClient, clock: FixedClock) -> None:
    """Says what it does, who has it, and how it ended."""
    run(client)
    queue(client)
    agent(client, "q")
    claim(client)
    assert said(client)[0] == "it was taken at 2026-01-01T00:00:00+00:00, and its process is beginning (agent amy took it)"
    moved(client, State.running())
    assert said(client)[0] == "it has been running since 2026-01-01T00:00:00+00:00 (agent amy took it)"
    clock.advance(20)
    assert said(client)[0] == "it has been running since 2026-01-01T00:00:00+00:00, and nobody has renewed its lease"
    client.renew_lease("run", 1)
    moved(client, State(type=StateType.CANCELLING), None)
    assert said(client)[0] == "it is being cancelled since 2026-01-01T00:00:20+00:00 (agent amy took it)"
    moved(client, State.crashed("gone"))
    assert said(client) == ("it ended at 2026-01-01T00:00:20+00:00, CANCELLED", [])


def test_a_failure_says_what_failed(client: LocalClient) -> None:
    """With the message of its state and the number of its tries."""
    run(client)
    queue(client)
    claim(client)
    moved(client, State.running())
    moved(client, State.scheduled(START, name="AwaitingRetry"))
    assert said(client)[0] == "its next try follows now, in the process that has it (its process renews its lease)"
    moved(client, State.running(name="Again"))
    moved(client, State.failed(message="no rows"))
    assert said(client)[0] == "it ended at 2026-01-01T00:00:00+00:00 after 2 tries, FAILED: no rows"


def test_a_run_that_is_not_there(client: LocalClient) -> None:
    """Says so."""
    with pytest.raises(NotFound):
        client.explain_flow_run("nobody")


def test_a_wait_is_explained_when_it_is_over(client: LocalClient, clock: FixedClock) -> None:
    """What was in the way is kept with the moments between which it was seen, a row for each change."""
    run(client)
    made = queue(client, is_paused=True)
    clock.advance(5)
    assert client.note_waits() == 0
    clock.advance(1)
    assert client.note_waits() == 1
    clock.advance(4)
    client.note_waits()
    made = client.put_work_queue(attrs.evolve(made, is_paused=False))
    clock.advance(5)
    client.note_waits()
    agent(client, "q")
    clock.advance(5)
    claim(client)
    assert client.note_waits() == 0
    moved(client, State.running())
    moved(client, State.completed())
    waits = client.explain_flow_run("run").waits
    assert [(wait.obstacles[0].kind, *((moment - START).seconds for moment in (wait.since, wait.until) if moment)) for wait in waits] == [
        (Kind.PAUSED, 0, 15),
        (Kind.NO_AGENT, 15, 20),
    ]


def test_the_wait_of_a_cancelled_run_is_over(client: LocalClient, clock: FixedClock) -> None:
    """With the run."""
    run(client)
    clock.advance(6)
    client.note_waits()
    clock.advance(1)
    moved(client, State.cancelled(), None)
    (wait,) = client.explain_flow_run("run").waits
    assert wait.until == clock.now()
