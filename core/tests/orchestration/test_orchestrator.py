"""Facts, rules, store: one transaction."""

import attrs
import pytest

from headrace.errors import InvalidOption, NotFound, RunStopped
from headrace.model.events import Event
from headrace.model.filters import LogFilter, Page, TaskRunFilter
from headrace.model.journals import JournalBatch, RunState
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State, StateType
from headrace.orchestration.local_client import LocalClient
from headrace.rules.facts import Retry
from headrace.rules.verdicts import Answer, Verdict
from headrace.testing.clock import START, FixedClock


def flow_run(**fields: object) -> FlowRun:
    plain = {"id": "flow", "name": "flow", "state": State.pending(), "created": START, "flow_name": "f", "root_id": "flow"}
    return FlowRun(**(plain | fields))


def task_run(name: str = "task", **fields: object) -> TaskRun:
    state = attrs.evolve(State.pending(), timestamp=START)
    plain = {
        "id": name,
        "name": name,
        "state": state,
        "created": START,
        "flow_run_id": "flow",
        "task_name": "t",
        "task_key": "k",
        "call": 0,
    }
    return TaskRun(**(plain | fields))


def moved(client: LocalClient, move: str, state: State, epoch: int | None = 1) -> Verdict:
    return client.move_flow_run(Move(id=move, run_id="flow", state=state, epoch=epoch))


def line(name: str) -> LogLine:
    return LogLine(id=name, flow_run_id="flow", timestamp=START, level=20, logger="l", message=name)


def test_a_run_with_a_holder_is_owned_from_the_start(client: LocalClient, told: list[Event]) -> None:
    """With epoch 1, a timestamp, and an event; the same id again changes nothing."""
    made = client.create_flow_run(flow_run(), holder="me")
    assert (made.epoch, made.state.timestamp) == (1, START)
    assert client.create_flow_run(flow_run(name="again"), holder="other") == made == client.read_flow_run("flow")
    assert [event.kind for event in told] == ["flow-run.created"]


def test_a_move_is_written_with_its_bookkeeping(client: LocalClient, clock: FixedClock, told: list[Event]) -> None:
    """Start, end, counts and times follow from the states."""
    client.create_flow_run(flow_run(), holder="me")
    moved(client, "a", State.running())
    clock.advance(90)
    moved(client, "b", State.completed())
    run = client.read_flow_run("flow")
    assert (run.start_time, run.end_time, run.run_count, run.total_run_time, run.revision) == (START, clock.now(), 1, 90.0, 3)
    assert [state.type for state in client.read_states("flow")] == [StateType.PENDING, StateType.RUNNING, StateType.COMPLETED]
    assert [event.kind for event in told] == ["flow-run.created", "flow-run.RUNNING", "flow-run.COMPLETED"]
    assert [event.sequence for event in told] == sorted({event.sequence for event in told})


def test_a_move_asked_twice_is_made_once(client: LocalClient) -> None:
    """The second answer is the first, also where the run has gone on since."""
    client.create_flow_run(flow_run(), holder="me")
    first = moved(client, "a", State.running())
    moved(client, "b", State.completed())
    assert moved(client, "a", State.running()) == first
    assert len(client.read_states("flow")) == 3


def test_a_stale_holder_writes_nothing(client: LocalClient) -> None:
    """No state, no journal, no lease, no subflow; each time it is told to stop."""
    client.create_flow_run(flow_run(), holder="me")
    batch = JournalBatch(flow_run_id="flow", epoch=7, task_runs=(task_run(),), logs=(line("x"),))
    assert moved(client, "a", State.running(), epoch=7).stop
    assert client.write_journal(batch).stop
    assert client.renew_lease("flow", 7).stop
    with pytest.raises(RunStopped):
        client.create_flow_run(flow_run(id="child", epoch=7))
    assert client.read_logs(LogFilter(), Page()) == []
    assert client.read_task_runs(TaskRunFilter(), Page()) == []
    assert len(client.read_states("flow")) == 1
    with pytest.raises(NotFound):
        client.read_flow_run("child")


def test_the_last_lines_come_after_the_end(client: LocalClient) -> None:
    """Who ended a run may still say how it went."""
    client.create_flow_run(flow_run(), holder="me")
    moved(client, "a", State.completed())
    assert not client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=(line("last"),))).stop
    assert [each.id for each in client.read_logs(LogFilter(), Page())] == ["last"]


def test_the_event_of_a_journal_says_where_its_lines_begin(client: LocalClient, told: list[Event]) -> None:
    """So a reader who has seen later lines knows how far to go back; the lines of a batch need not be in order."""
    client.create_flow_run(flow_run(), holder="me")
    client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=(line("c"), line("b"), line("d"))))
    client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, task_runs=(task_run(),)))
    first, second = (event for event in told if event.kind == "flow-run.journal")
    assert (first.subject, first.details) == ("flow", {"task_runs": 0, "logs": 3, "first_log": "b"})
    assert second.details == {"task_runs": 1, "logs": 0, "first_log": None}


def test_a_journal_written_twice_changes_nothing(client: LocalClient) -> None:
    """Each entry has its identity."""
    client.create_flow_run(flow_run(), holder="me")
    state = RunState(run_id="task", revision=1, state=task_run().state)
    batch = JournalBatch(flow_run_id="flow", epoch=1, task_runs=(task_run(),), states=(state,), logs=(line("x"),))
    for _ in range(2):
        client.write_journal(batch)
    assert len(client.read_states("task")) == len(client.read_logs(LogFilter(), Page())) == 1


def test_a_run_that_is_being_cancelled_is_told_to_stop(client: LocalClient) -> None:
    """With its next renewal."""
    client.create_flow_run(flow_run(), holder="me")
    moved(client, "a", State.running())
    assert not client.renew_lease("flow", 1).stop
    moved(client, "b", State(type=StateType.CANCELLING, message="enough"), epoch=None)
    assert client.renew_lease("flow", 1).reason == "enough"


def test_a_flow_run_is_retried_as_it_says(client: LocalClient, clock: FixedClock) -> None:
    """Its failure is answered with a time."""
    client.create_flow_run(flow_run(retries=1, retry_delay=60.0), holder="me")
    moved(client, "a", State.running())
    verdict = moved(client, "b", State.failed())
    assert (verdict.answer, verdict.state and verdict.state.name) == (Answer.REPLACED, "AwaitingRetry")
    assert moved(client, "c", State.running()).answer is Answer.WAIT
    clock.advance(60)
    assert moved(client, "c", State.running()).answer is Answer.ACCEPTED
    assert moved(client, "d", State.failed()).answer is Answer.ACCEPTED


def asked(client: LocalClient, move: str, run: TaskRun, state: State) -> Verdict:
    return client.move_task_run(Move(id=move, run_id=run.id, state=state, epoch=1), run, Retry())


def test_a_slot_is_held_while_its_run_runs(client: LocalClient, clock: FixedClock) -> None:
    """The next one waits; the end frees it, and so does the end of the lease."""
    client.create_flow_run(flow_run(), holder="me")
    client.set_limit("db", 1)
    first, second, third = (task_run(name, tags=("db",)) for name in "abc")
    running = asked(client, "1", first, State.running())
    assert asked(client, "2", second, State.running()).answer is Answer.WAIT
    assert client.read_limits()[0].holders == ("a",)
    assert running.state is not None
    asked(client, "3", first.entering(running.state), State.completed())
    assert asked(client, "4", second, State.running()).answer is Answer.ACCEPTED
    clock.advance(21)
    assert client.read_limits()[0].holders == ()
    assert asked(client, "5", third, State.running()).answer is Answer.ACCEPTED


def test_a_task_runs_move_asked_twice_changes_nothing(client: LocalClient, clock: FixedClock) -> None:
    """Also where the message comes late, and the slot it once took belongs to another by then."""
    client.create_flow_run(flow_run(), holder="me")
    client.set_limit("db", 1)
    run = task_run("a", tags=("db",))
    started = asked(client, "1", run, State.running())
    assert started.state is not None
    asked(client, "2", run.entering(started.state), State.completed())
    other = task_run("b", tags=("db",))
    asked(client, "3", other, State.running())
    assert asked(client, "1", run, State.running()) == started
    assert client.read_limits()[0].holders == ("b",)
    assert client.read_task_run("a").state.is_completed()


@pytest.mark.parametrize(
    ("end", "kind"), [(State.crashed("gone"), "CRASHED"), (State.cancelled(), "CANCELLED"), (State.lost("gone"), "CRASHED")]
)
@pytest.mark.parametrize("way", ["asked", "journaled", "subflow"])
def test_what_begins_in_a_run_that_has_ended_ends_with_it(client: LocalClient, end: State, kind: str, way: str) -> None:
    """A late message, of a process that is gone by then, leaves nothing under way for ever."""
    client.create_flow_run(flow_run(), holder="me")
    moved(client, "start", State.running())
    moved(client, "end", end)
    running = task_run("a", tags=("db",)).entering(attrs.evolve(State.running(), timestamp=START))
    if way == "asked":
        asked(client, "1", task_run("a", tags=("db",)), State.running())
    elif way == "journaled":
        entry = RunState(run_id="a", revision=2, state=running.state)
        client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, task_runs=(running,), states=(entry,)))
    else:
        client.create_flow_run(flow_run(id="a", epoch=1))
        client.move_flow_run(Move(id="a starts", run_id="a", state=State.running(), epoch=1))
    state = client.read_flow_run("a").state if way == "subflow" else client.read_task_run("a").state
    assert (state.type, state.message) == (kind, "Its root flow run 'flow' ended before it did.")


def test_a_journal_frees_slots_and_fills_the_cache(client: LocalClient) -> None:
    """Also where the end of a task run comes in a batch."""
    client.create_flow_run(flow_run(), holder="me")
    client.set_limit("db", 1)
    run = task_run("a", tags=("db",))
    verdict = asked(client, "1", run, State.running())
    assert verdict.state is not None
    done = attrs.evolve(State.completed(1), timestamp=START, cache_key="key")
    ended = run.entering(verdict.state).entering(done)
    entry = RunState(run_id="a", revision=ended.revision, state=done)
    client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, task_runs=(ended,), states=(entry,)))
    assert client.read_limits()[0].holders == ()
    other = asked(client, "2", task_run("b"), attrs.evolve(State.running(), cache_key="key"))
    assert (other.answer, other.state and other.state.name) == (Answer.REPLACED, "Cached")


def test_a_move_that_comes_after_the_end_changes_nothing(client: LocalClient) -> None:
    """A message was lost, its process gave up and said how the task run ended; then it comes all the same."""
    client.create_flow_run(flow_run(), holder="me")
    old = task_run()
    ended = old.entering(attrs.evolve(State.crashed("given up"), timestamp=START))
    states = (RunState(run_id=old.id, revision=ended.revision, state=ended.state),)
    client.write_journal(JournalBatch(flow_run_id=old.flow_run_id, epoch=1, task_runs=(ended,), states=states))
    verdict = asked(client, "late", old, State.running())
    assert (verdict.answer, verdict.state) == (Answer.REFUSED, None)
    assert client.read_task_run(old.id) == ended


def test_what_is_not_there_is_said(client: LocalClient) -> None:
    """With the command that lists what is."""
    move = Move(id="m", run_id="ghost", state=State.running())
    for ask in (
        lambda: client.read_flow_run("ghost"),
        lambda: client.read_task_run("ghost"),
        lambda: client.move_flow_run(move),
        lambda: client.move_task_run(move, task_run(), Retry()),
        lambda: client.delete_flow_run("ghost"),
        lambda: client.delete_limit("ghost"),
    ):
        with pytest.raises(NotFound, match="headrace .* ls"):
            ask()


@pytest.mark.parametrize("limit", [-1, True, 1.5, "3"])
def test_a_limit_is_a_number_of_runs(client: LocalClient, limit: object) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidOption):
        client.set_limit("db", limit)  # type: ignore[arg-type]


def test_a_deleted_run_is_gone(client: LocalClient) -> None:
    """And its holder is told to stop."""
    client.create_flow_run(flow_run(), holder="me")
    client.delete_flow_run("flow")
    assert client.renew_lease("flow", 1).stop
    assert client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=(line("x"),))).stop


def test_nothing_is_under_way_in_a_run_that_has_failed(client: LocalClient) -> None:
    """A flow that took too long waits for nothing; what ends in it after all says so."""
    client.create_flow_run(flow_run(), holder="me")
    moved(client, "a", State.running())
    client.create_flow_run(flow_run(id="sub", root_id="flow", epoch=1, state=State.running()))
    run = task_run().entering(attrs.evolve(State.running(), timestamp=START))
    client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, task_runs=(run,)))
    moved(client, "b", State.failed(name="TimedOut"))
    assert client.read_flow_run("sub").state.is_lost()
    assert client.read_task_run("task").state.is_lost()
    ended = run.entering(attrs.evolve(State.completed(), timestamp=START))
    client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, task_runs=(ended,)))
    assert client.read_task_run("task").state.is_completed()
