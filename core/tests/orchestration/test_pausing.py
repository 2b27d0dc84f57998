"""Runs that are paused: by somebody, or by their own flow."""

from datetime import timedelta

import pytest

from headrace.errors import NotFound, NotResumable
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.orchestration.local_client import LocalClient
from headrace.rules.verdicts import Answer, Verdict
from headrace.testing.clock import START, FixedClock


@pytest.fixture(autouse=True)
def deployed(client: LocalClient) -> None:
    client.put_work_queue(WorkQueue(id="q", name="q", created=START, updated=START))
    client.put_deployments((Deployment(id="d", name="d", flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START),))


def asked(client: LocalClient, *, seconds: float = 0, holder: str | None = None) -> FlowRun:
    return client.request_run(RunRequest(id="run", deployment_id="d", name="run", at=START + timedelta(seconds=seconds), holder=holder))


def claimed(client: LocalClient, name: str) -> list[int]:
    return [run.epoch for run in client.claim_runs(ClaimRequest(id=name, agent_id="a", queue_ids=("q",), limit=5)).runs]


def moved(client: LocalClient, state: State, epoch: int | None = 1, name: str = "") -> Verdict:
    return client.move_flow_run(Move(id=f"{name}{state.name}{epoch}", run_id="run", state=state, epoch=epoch))


def test_a_run_that_waits_is_held(client: LocalClient) -> None:
    """Nobody gets it until it is resumed, and not before it is due."""
    asked(client, seconds=60)
    assert moved(client, State.paused("not today"), None).answer is Answer.ACCEPTED
    assert client.explain_flow_run("run").summary == "it is paused since 2026-01-01T00:00:00+00:00: not today"
    again = client.resume_flow_run("run", "resume")
    assert again.state.scheduled_time == START + timedelta(seconds=60)
    assert client.resume_flow_run("run", "resume") == again


def test_a_flow_pauses_its_run(client: LocalClient) -> None:
    """It has no owner then, and is not lost; resumed, it goes on in the next epoch, knowing how often it has paused."""
    asked(client)
    assert claimed(client, "first") == [1]
    moved(client, State.running())
    assert moved(client, State.awaiting_resume("look at it")).answer is Answer.ACCEPTED
    run = client.read_flow_run("run")
    assert (run.state.type, run.pauses, client.count_under_way("q")) == (StateType.PAUSED, 1, 0)
    assert claimed(client, "nothing") == []
    client.resume_flow_run("run", "resume")
    assert claimed(client, "second") == [3]
    assert client.read_flow_run("run").pauses == 1


def test_the_process_of_a_paused_run_is_to_stop(client: LocalClient, clock: FixedClock) -> None:
    """Its being ended is not the end of the run, its lease is not prolonged, and what was under way in it is presumed lost."""
    asked(client)
    claimed(client, "first")
    moved(client, State.running())
    assert moved(client, State.paused("enough"), None).answer is Answer.ACCEPTED
    order = client.renew_lease("run", 1)
    assert (order.stop, order.reason) == (True, "enough")
    for state in (State.crashed("stopped"), State.failed(), State.cancelled(), State.running(), State.scheduled(START)):
        assert moved(client, state, name="late").stop
    clock.advance(100)
    assert client.release_lost_runs() == []
    assert client.read_flow_run("run").state.is_paused()
    client.resume_flow_run("run", "resume")
    assert claimed(client, "second") == [3]
    assert moved(client, State.crashed("stopped"), name="later").stop


def test_what_completed_meanwhile_has_completed(client: LocalClient) -> None:
    """There is nothing to go on with."""
    asked(client)
    claimed(client, "first")
    moved(client, State.running())
    moved(client, State.paused(), None)
    assert moved(client, State.completed()).answer is Answer.ACCEPTED


def test_a_paused_run_is_cancelled_at_once(client: LocalClient) -> None:
    """It has no process to be stopped."""
    asked(client)
    moved(client, State.paused(), None)
    moved(client, State(type=StateType.CANCELLING), None)
    assert client.read_flow_run("run").state.is_cancelled()


def test_what_cannot_be_paused_or_resumed(client: LocalClient) -> None:
    """What no agent could start again, what has ended, and what is not paused."""
    asked(client, holder="terminal")
    assert "no agent started it" in moved(client, State.paused(), None).reason
    with pytest.raises(NotResumable, match="it is not paused: it is PENDING"):
        client.resume_flow_run("run", "resume")
    moved(client, State.completed())
    assert moved(client, State.paused(), None, name="late").answer is Answer.REFUSED
    with pytest.raises(NotFound):
        client.resume_flow_run("nobody", "resume")


def test_what_has_no_code_any_more_cannot_go_on(client: LocalClient) -> None:
    """Its deployment was deleted."""
    asked(client)
    moved(client, State.paused(), None)
    client.delete_deployment("d")
    with pytest.raises(NotResumable, match="its deployment was deleted"):
        client.resume_flow_run("run", "resume")
