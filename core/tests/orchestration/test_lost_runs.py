"""Runs whose lease has run out: what becomes of them, and how their holders come back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.filters import FlowRunFilter, Page, WorkQueueFilter
from headrace.model.journals import JournalBatch, RunState
from headrace.model.leases import Lease
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State, StateType
from headrace.orchestration.local_client import LocalClient
from headrace.ports.run_store import OpenRunStore, Writing
from headrace.rules.facts import Retry
from headrace.rules.verdicts import Answer, Verdict
from headrace.testing.clock import START, FixedClock

LEASE = 20


def taken(client: LocalClient, *, max_restarts: int = 0, name: str = "run") -> FlowRun:
    """A run of a deployment that an agent has claimed."""
    code = Code(entrypoint="m:f")
    client.put_deployments(
        (Deployment(id="d", name="d", flow_name="f", code=code, max_restarts=max_restarts, created=START, updated=START),)
    )
    if not client.read_work_queues(WorkQueueFilter(), Page()):
        client.put_work_queue(WorkQueue(id="q", name="q", created=START, updated=START))
    client.request_run(RunRequest(id=name, deployment_id="d", name=name))
    return claimed(client, f"claim {name}")[0]


def claimed(client: LocalClient, name: str) -> tuple[FlowRun, ...]:
    return client.claim_runs(ClaimRequest(id=name, agent_id="agent", queue_ids=("q",), limit=10)).runs


def moved(client: LocalClient, state: State, *, epoch: int | None = 1, run: str = "run", name: str = "") -> Verdict:
    return client.move_flow_run(Move(id=f"{run} {name or state.name} {epoch}", run_id=run, state=state, epoch=epoch))


def state_of(client: LocalClient, run: str = "run") -> State:
    return client.read_flow_run(run).state


def test_a_run_that_was_not_started_is_to_be_taken_again(client: LocalClient, clock: FixedClock, told: list[Event]) -> None:
    """Its agent died between taking and starting it; the next one gets it in another epoch, and the first, should it come back, is told to stop."""
    taken(client)
    clock.advance(LEASE - 1)
    assert client.release_lost_runs() == []
    clock.advance(1)
    told.clear()
    (released,) = client.release_lost_runs()
    assert (released.state.name, released.restarts, released.lost_starts) == ("AwaitingRestart", 0, 1)
    assert released == client.read_flow_run("run")
    assert [event.kind for event in told] == ["flow-run.SCHEDULED"]
    assert client.release_lost_runs() == []
    (again,) = claimed(client, "again")
    assert (again.id, again.epoch, again.state.type) == ("run", 2, StateType.PENDING)
    assert client.renew_lease("run", 1).stop
    assert moved(client, State.running()).stop
    assert moved(client, State.running(), epoch=2).answer is Answer.ACCEPTED


def test_a_run_that_is_lost_on_its_way_again_and_again_has_crashed(client: LocalClient, clock: FixedClock) -> None:
    """Three times it is started anew; something about it ends those who start it."""
    taken(client)
    for number in range(3):
        clock.advance(LEASE)
        assert len(client.release_lost_runs()) == 1
        assert len(claimed(client, f"again {number}")) == 1
    clock.advance(LEASE)
    client.release_lost_runs()
    state = state_of(client)
    assert state.is_lost()
    assert state.message == "Nobody has renewed its lease: its processes were killed, or cannot reach the orchestration."
    assert claimed(client, "more") == ()


def test_a_run_that_was_under_way_has_crashed(client: LocalClient, clock: FixedClock) -> None:
    """With all that was under way in it; its slot in its queue is free."""
    run = taken(client)
    moved(client, State.running())
    write(client, task_run(run), State.running())
    clock.advance(LEASE)
    (released,) = client.release_lost_runs()
    assert released.state.is_lost()
    assert released.end_time == clock.now()
    assert client.read_task_run("task").state.is_lost()
    assert client.count_under_way("q") == 0


@pytest.mark.parametrize("max_restarts", [1, 2])
def test_a_run_is_started_anew_as_often_as_its_deployment_says(client: LocalClient, clock: FixedClock, max_restarts: int) -> None:
    """Whether its processes were lost or its supervisor says that it has crashed."""
    taken(client, max_restarts=max_restarts)
    for epoch in range(1, max_restarts + 1):
        moved(client, State.running(), epoch=epoch)
        if epoch == 1:
            verdict = moved(client, State.crashed("killed"), epoch=epoch)
            assert (verdict.answer, verdict.reason) == (Answer.REPLACED, f"restart 1 of {max_restarts} follows")
        else:
            clock.advance(LEASE)
            client.release_lost_runs()
        assert state_of(client).awaits_restart()
        assert [run.epoch for run in claimed(client, f"again {epoch}")] == [epoch + 1]
    moved(client, State.running(), epoch=max_restarts + 1)
    assert moved(client, State.crashed("killed"), epoch=max_restarts + 1).answer is Answer.ACCEPTED
    assert state_of(client).is_crashed()


def test_a_crash_that_is_told_twice_is_one(client: LocalClient) -> None:
    """By the supervisor and by the agent."""
    taken(client, max_restarts=2)
    moved(client, State.running())
    moved(client, State.crashed("killed"), name="supervisor")
    assert moved(client, State.crashed("gone"), name="agent").answer is Answer.REFUSED
    assert client.read_flow_run("run").restarts == 1


@pytest.mark.parametrize("max_restarts", [0, 1])
def test_a_holder_that_was_only_slow_comes_back(client: LocalClient, clock: FixedClock, max_restarts: int) -> None:
    """Renewing, it has its run again, as if nothing had been; nobody else gets it, and no try is lost."""
    taken(client, max_restarts=max_restarts)
    moved(client, State.running())
    before = client.read_flow_run("run")
    clock.advance(LEASE)
    client.release_lost_runs()
    assert not client.renew_lease("run", 1).stop
    run = client.read_flow_run("run")
    assert (run.state.type, run.run_count, run.restarts, run.end_time) == (StateType.RUNNING, before.run_count, 0, None)
    assert run.state.message == "It was presumed lost, and was not."
    assert claimed(client, "more") == ()
    assert client.count_under_way("q") == 1
    assert moved(client, State.completed()).answer is Answer.ACCEPTED
    assert client.count_under_way("q") == 0


@pytest.mark.parametrize("max_restarts", [0, 1])
def test_a_holder_comes_back_with_its_last_word(client: LocalClient, clock: FixedClock, max_restarts: int) -> None:
    """What it ends with counts, also where it did not renew first."""
    taken(client, max_restarts=max_restarts)
    moved(client, State.running())
    clock.advance(LEASE)
    client.release_lost_runs()
    assert moved(client, State.completed()).answer is Answer.ACCEPTED
    assert state_of(client).is_completed()
    assert claimed(client, "more") == ()


def test_a_slow_start_is_a_start(client: LocalClient, clock: FixedClock, store: OpenRunStore) -> None:
    """Its lease lives again, so that nobody takes it, and that it is noticed when it is lost once more."""
    taken(client)
    clock.advance(LEASE)
    client.release_lost_runs()
    assert moved(client, State.running()).answer is Answer.ACCEPTED
    with store.reading() as reading:
        lease = reading.lease("run")
    assert lease == Lease(run_id="run", epoch=1, holder="agent/claim run", live=True)
    assert claimed(client, "more") == ()
    clock.advance(LEASE)
    assert [run.state.name for run in client.release_lost_runs()] == ["Lost"]


def test_a_task_run_of_a_holder_that_came_back_goes_on(client: LocalClient, clock: FixedClock) -> None:
    """That it was presumed lost stands nowhere in its history."""
    run = taken(client)
    moved(client, State.running())
    task = write(client, task_run(run), State.running())
    clock.advance(LEASE)
    client.release_lost_runs()
    client.renew_lease("run", 1)
    write(client, task, State.completed())
    assert client.read_task_run("task").state.is_completed()
    assert [state.type for state in client.read_states("task")] == ["RUNNING", "COMPLETED"]


def test_a_subflow_of_a_holder_that_came_back_goes_on(client: LocalClient, clock: FixedClock) -> None:
    """Its next move counts."""
    taken(client)
    moved(client, State.running())
    state = attrs.evolve(State.pending(), timestamp=START)
    client.create_flow_run(FlowRun(id="sub", name="sub", state=state, created=START, flow_name="s", root_id="run", epoch=1))
    moved(client, State.running(), run="sub")
    clock.advance(LEASE)
    client.release_lost_runs()
    assert state_of(client, "sub").is_lost()
    assert moved(client, State.completed(), run="sub").answer is Answer.ACCEPTED


def test_a_run_that_is_being_cancelled_is_cancelled(client: LocalClient, clock: FixedClock) -> None:
    """Its process is gone: that is what was wanted. What was in it is cancelled with it."""
    run = taken(client, max_restarts=3)
    moved(client, State.running())
    write(client, task_run(run), State.running())
    moved(client, State(type=StateType.CANCELLING, message="enough"), epoch=None)
    clock.advance(LEASE)
    client.release_lost_runs()
    assert (state_of(client).type, state_of(client).message) == (StateType.CANCELLED, "enough")
    assert client.read_task_run("task").state.is_cancelled()


@pytest.mark.parametrize("state", [State.pending(), State.running(), State.scheduled(START, name="AwaitingRetry")])
def test_a_run_that_nobody_takes_has_crashed(client: LocalClient, clock: FixedClock, state: State) -> None:
    """The flow of a script that was killed, at whatever step, and what is executed in a terminal."""
    client.create_flow_run(
        FlowRun(id="run", name="run", state=attrs.evolve(state, timestamp=START), created=START, flow_name="f", root_id="run"),
        holder="script",
    )
    clock.advance(LEASE)
    client.release_lost_runs()
    assert state_of(client).is_lost()


def test_what_waits_for_its_next_try_is_to_be_taken(client: LocalClient, clock: FixedClock) -> None:
    """It is due when its try is, and its lease is in nobody's way."""
    run = taken(client)
    moved(client, State.running())
    moved(client, State.scheduled(START, name="AwaitingRetry"))
    clock.advance(LEASE)
    assert client.release_lost_runs() == []
    assert [again.id for again in claimed(client, "again")] == [run.id]


def test_what_has_ended_is_not_lost(client: LocalClient, clock: FixedClock) -> None:
    """Nor what somebody deleted."""
    taken(client)
    taken(client, name="other")
    moved(client, State.completed())
    client.delete_flow_run("other")
    clock.advance(LEASE)
    assert client.release_lost_runs() == []
    assert [run.id for run in client.read_flow_runs(FlowRunFilter(), Page())] == ["run"]


def task_run(run: FlowRun, **fields: Any) -> TaskRun:
    state = attrs.evolve(State.pending(), timestamp=START)
    return TaskRun(
        id="task", name="task", state=state, created=START, revision=0, flow_run_id=run.id, task_name="t", task_key="k", call=0, **fields
    )


def write(client: LocalClient, run: TaskRun, state: State) -> TaskRun:
    """What the run's process journals of one of its task runs."""
    entered = run.entering(attrs.evolve(state, timestamp=START))
    states = (RunState(run_id=run.id, revision=entered.revision, state=entered.state),)
    assert not client.write_journal(JournalBatch(flow_run_id=run.flow_run_id, epoch=1, task_runs=(entered,), states=states)).stop
    return entered


def test_slots_of_a_lost_run_are_free(client: LocalClient, clock: FixedClock) -> None:
    """And taken again by nobody but those who ask."""
    client.set_limit("db", 1)
    run = taken(client)
    moved(client, State.running())
    asked = client.move_task_run(Move(id="m", run_id="task", state=State.running(), epoch=1), task_run(run, tags=("db",)), Retry())
    assert asked.answer is Answer.ACCEPTED
    assert [limit.holders for limit in client.read_limits()] == [("task",)]
    clock.advance(LEASE)
    client.release_lost_runs()
    assert [limit.holders for limit in client.read_limits()] == [()]


def test_crashes_in_a_row_are_restarted_after_longer_and_longer(client: LocalClient, clock: FixedClock) -> None:
    """What makes it crash at once may need time to go away; a start that was lost counts for itself."""
    taken(client, max_restarts=3)
    clock.advance(LEASE)
    client.release_lost_runs()
    (run,) = claimed(client, "lost start")
    pauses = []
    for _ in range(3):
        moved(client, State.running(), epoch=run.epoch)
        moved(client, State.crashed("killed"), epoch=run.epoch)
        due = state_of(client).scheduled_time
        assert due is not None
        pauses.append((due - clock.now()).total_seconds())
        clock.advance(pauses[-1])
        (run,) = claimed(client, f"again {run.epoch}")
    assert pauses == [0, 1, 3]
    assert (run.restarts, run.lost_starts) == (3, 1)


def test_a_store_that_was_away_takes_no_run_from_its_holder(client: LocalClient, clock: FixedClock, store: OpenRunStore) -> None:
    """Who could not renew meanwhile has the time of a lease to do so."""
    taken(client, max_restarts=1)
    moved(client, State.running())
    clock.advance(LEASE)

    class Slow:
        reading = staticmethod(store.reading)

        @contextmanager
        def writing(self) -> Iterator[Writing]:
            clock.advance(1)
            with store.writing() as writing:
                yield writing

    assert attrs.evolve(client.orchestrator, store=Slow()).release_lost_runs() == []
    assert client.release_lost_runs() == []
    assert state_of(client).is_running()
    clock.advance(LEASE)
    assert [run.state.name for run in client.release_lost_runs()] == ["AwaitingRestart"]


def test_a_server_that_was_away_gives_time(client: LocalClient, clock: FixedClock) -> None:
    """While a server is away, nobody can renew a lease through it, so nobody is called lost; when it is back, there is one more lease time."""
    taken(client)
    moved(client, State.running())
    client.serving.keep()
    clock.advance(LEASE * 3)
    assert client.release_lost_runs() == []
    client.serving.keep()
    assert client.release_lost_runs() == []
    assert not client.renew_lease("run", 1).stop
    for _ in range(4):
        clock.advance(LEASE / 4)
        client.serving.keep()
    assert [run.state.name for run in client.release_lost_runs()] == ["Lost"]


def test_a_server_that_stays_away_is_none(client: LocalClient, clock: FixedClock) -> None:
    """After the time that runs wait for it, it is no reason any more."""
    taken(client)
    moved(client, State.running())
    client.serving.keep()
    clock.advance(600)
    assert [run.state.name for run in client.release_lost_runs()] == ["Lost"]


def test_who_was_lost_while_it_was_served_is_lost(client: LocalClient, clock: FixedClock) -> None:
    """A server that is there gives nobody more time than a lease has."""
    taken(client)
    moved(client, State.running())
    for _ in range(5):
        client.serving.keep()
        clock.advance(LEASE / 4)
    assert [run.state.name for run in client.release_lost_runs()] == ["Lost"]
