"""What every client does, in process or over a wire."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import (
    AlreadyThere,
    ChangedMeanwhile,
    InvalidName,
    InvalidOption,
    KeyRemoved,
    MissingParameter,
    NotFound,
    NotInstalled,
    NotResumable,
    NotRetryable,
    RunStopped,
    StillNeeded,
    UnknownParameter,
    WrongData,
    WrongParameterType,
)
from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.counts import CountFilter, FlowRunCounts, StateCount
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.explanations import Kind
from headrace.model.filters import DeploymentFilter, EventFilter, FlowFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.flows import Flow
from headrace.model.journals import JournalBatch, RunState
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import DeploymentSchedule, Overlap
from headrace.model.states import State, StateType
from headrace.model.storages import NamedStorage, named
from headrace.model.tokens import Scope, Token, digest_of
from headrace.ports.client import OpenClient
from headrace.rules.facts import Retry
from headrace.rules.verdicts import Answer
from headrace.testing.clock import START, FixedClock
from headrace.testing.conformance.facts import Facts
from headrace.testing.orchestration import LEASE_SECONDS

SECONDS = 60
NOBODY = "01940000-0000-7000-8000-00000000dead"
"""An id that nothing has."""

STRANGE = "ümläut, 漢字, 😀, \u2028, \"quotes\", 'more', \\, %2F, &?#=; -- \t and [] {}"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}


def flow_run(run_id: str = "flow", **fields: Any) -> FlowRun:
    """A flow run with what it must have."""
    whole: dict[str, Any] = {
        "name": f"name of {run_id}",
        "state": State.pending(),
        "created": START,
        "flow_name": "hello",
        "root_id": run_id,
    } | fields
    return FlowRun(id=run_id, **whole)


def task_run(run_id: str = "task", **fields: Any) -> TaskRun:
    """A task run with what it must have."""
    state = attrs.evolve(State.pending(), timestamp=START)
    whole: dict[str, Any] = {
        "name": run_id,
        "state": state,
        "created": START,
        "flow_run_id": "flow",
        "task_name": "t",
        "task_key": "k",
        "call": 0,
    } | fields
    return TaskRun(id=run_id, **whole)


def log_line(line_id: str, **fields: Any) -> LogLine:
    """A log line with what it must have."""
    whole: dict[str, Any] = {
        "flow_run_id": "flow",
        "timestamp": START,
        "level": 20,
        "logger": "headrace.flow_runs",
        "message": line_id,
    } | fields
    return LogLine(id=line_id, **whole)


def deployment(deployment_id: str = "deployment", **fields: Any) -> Deployment:
    """A deployment with what it must have."""
    whole: dict[str, Any] = {
        "name": deployment_id,
        "flow_name": "hello",
        "code": Code(entrypoint="m:f"),
        "created": START,
        "updated": START,
    } | fields
    return Deployment(id=deployment_id, **whole)


def queue(queue_id: str = "queue", **fields: Any) -> WorkQueue:
    """A work queue with what it must have."""
    whole: dict[str, Any] = {"name": queue_id, "created": START, "updated": START} | fields
    return WorkQueue(id=queue_id, **whole)


def agent(agent_id: str = "agent", **fields: Any) -> Agent:
    """An agent with what it must have."""
    whole: dict[str, Any] = {
        "name": agent_id,
        "host": "here",
        "process": 1,
        "version": "0.1.0",
        "queues": ("queue",),
        "started": START,
    } | fields
    return Agent(id=agent_id, **whole)


def requested(client: OpenClient, run_id: str = "run", **fields: Any) -> FlowRun:
    """A run of the deployment, asked for."""
    whole: dict[str, Any] = {"deployment_id": "deployment", "name": f"name of {run_id}"} | fields
    return client.request_run(RunRequest(id=run_id, **whole))


def claimed(client: OpenClient, claim: str = "claim", **fields: Any) -> Claimed:
    """What a claim of the queue gives."""
    whole: dict[str, Any] = {"agent_id": "agent", "queue_ids": ("queue",), "limit": 10} | fields
    return client.claim_runs(ClaimRequest(id=claim, **whole))


def moved(client: OpenClient, move: str, state: State, run_id: str = "flow", epoch: int | None = 1) -> Any:
    """The verdict on a move of a flow run."""
    return client.move_flow_run(Move(id=move, run_id=run_id, state=state, epoch=epoch))


class ClientConformance(Facts):
    """Facts about clients. Override the fixture `client`: it asks an orchestration of its own over an empty store, both with the fixture `clock`,
    whose leases last `LEASE_SECONDS`, and where the queue matcher `flows` is installed and no other; `headrace.testing.orchestration` makes one."""

    @pytest.fixture
    def clock(self) -> FixedClock:
        """The clock of the orchestration and of its store."""
        return FixedClock()

    @pytest.fixture
    def client(self, clock: FixedClock) -> OpenClient:
        raise NotImplementedError("override the fixture `client`; it gives the client to try, open")

    # Unknown ids

    @pytest.mark.parametrize(
        "ask",
        [
            lambda client: client.read_flow_run(NOBODY),
            lambda client: client.explain_flow_run(NOBODY),
            lambda client: client.retry_flow_run(NOBODY, "m"),
            lambda client: client.resume_flow_run(NOBODY, "m"),
            lambda client: client.delete_flow_run(NOBODY),
            lambda client: client.move_flow_run(Move(id="m", run_id=NOBODY, state=State.running())),
            lambda client: client.name_flow_run(NOBODY, 1, "name"),
            lambda client: client.move_task_run(Move(id="m", run_id="task", state=State.running()), task_run(flow_run_id=NOBODY), Retry()),
            lambda client: client.read_task_run(NOBODY),
            lambda client: client.read_deployment(NOBODY),
            lambda client: client.read_deployment_versions(NOBODY, 10),
            lambda client: client.pause_deployment(NOBODY),
            lambda client: client.resume_deployment(NOBODY),
            lambda client: client.delete_deployment(NOBODY),
            lambda client: client.request_run(RunRequest(id="run", deployment_id=NOBODY, name="name")),
            lambda client: client.read_work_queue(NOBODY),
            lambda client: client.delete_work_queue(NOBODY),
            lambda client: client.read_due(NOBODY, START, 10),
            lambda client: client.count_under_way(NOBODY),
            lambda client: client.claim_runs(ClaimRequest(id="c", agent_id="a", queue_ids=(NOBODY,), limit=1)),
            lambda client: client.delete_limit(NOBODY),
            lambda client: client.set_default_storage(NOBODY),
            lambda client: client.delete_storage(NOBODY),
            lambda client: client.abandon_keys(NOBODY),
            lambda client: client.open_storage(NOBODY, "me"),
            lambda client: client.reserve_keys(named(NOBODY), ("code/x",)),
        ],
    )
    def test_what_is_not_there(self, client: OpenClient, ask: Callable[[OpenClient], object]) -> None:
        """An id that nothing has is NotFound, which names it and the command that lists what is there; nothing is written."""
        with pytest.raises(NotFound) as raised:
            ask(client)
        assert raised.value.name == NOBODY
        assert NOBODY in str(raised.value)
        assert raised.value.command
        assert client.read_last_event() == 0

    def test_a_text_is_looked_for_in_some_runs(self, client: OpenClient) -> None:
        """A text is found in the lines of runs that are named; of all lines there may be millions, so that it is refused there."""
        client.create_flow_run(flow_run(), "me")
        client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=(log_line("x", message=STRANGE), log_line("y"))))
        found = LogFilter(flow_run_ids=("flow",), text=STRANGE[1:])
        assert [line.id for line in client.read_logs(found, Page())] == ["x"]
        with pytest.raises(WrongData, match=r"flow_run_ids or task_run_id"):
            client.read_logs(attrs.evolve(found, flow_run_ids=()), Page())

    def test_what_is_nowhere_is_empty(self, client: OpenClient) -> None:
        """A list about something unknown is empty, what nobody owns is to stop, and who is unknown may leave."""
        assert client.read_states(NOBODY) == []
        assert client.read_logs(LogFilter(flow_run_ids=(NOBODY,)), Page()) == []
        assert client.read_task_runs(TaskRunFilter(flow_run_ids=(NOBODY,)), Page()) == []
        assert client.renew_lease(NOBODY, 1).stop
        assert client.write_journal(JournalBatch(flow_run_id=NOBODY, epoch=1, logs=(log_line("x"),))).stop
        client.drop_agent(NOBODY)
        assert client.adopt_runs("agent", (NOBODY, f"{NOBODY}.1", "")) == []
        assert (client.release_lost_runs(), client.note_waits()) == ([], 0)
        assert (client.read_flow_runs(FlowRunFilter(), Page()), client.read_deployments(DeploymentFilter(), Page())) == ([], [])
        assert (client.read_work_queues(WorkQueueFilter(), Page()), client.read_agents(), client.read_limits()) == ([], [], [])

    # Flow runs

    def test_a_run_is_made_once(self, client: OpenClient) -> None:
        """A run with a holder is owned by it in epoch 1; the same id again is answered with what is there."""
        made = client.create_flow_run(flow_run(), "me")
        assert (made.epoch, made.state.timestamp) == (1, START)
        assert client.create_flow_run(flow_run(name="another"), "another") == made == client.read_flow_run("flow")
        assert client.create_flow_run(flow_run("free")).epoch == 0

    def test_a_run_comes_back_whole(self, client: OpenClient) -> None:
        """Whatever texts, numbers, moments and parameters it has."""
        parameters = {"n": None, "big": 2**60, "real": 0.1, STRANGE: [STRANGE, {"": [True]}]}
        run = flow_run(name="odd", flow_name=STRANGE, parameters=parameters, tags=("a", STRANGE), created=START + timedelta(microseconds=1))
        client.create_flow_run(run)
        assert client.read_flow_run("flow") == attrs.evolve(run, state=attrs.evolve(run.state, timestamp=START))

    def test_pages(self, client: OpenClient) -> None:
        """Filters and pages are those of the store: what fits, in order, from where the page before ended."""
        for number in range(5):
            client.create_flow_run(flow_run(f"{number}", tags=("even",) if number % 2 == 0 else ()))
        even = FlowRunFilter(tags=("even",))
        first = client.read_flow_runs(even, Page(limit=2))
        rest = client.read_flow_runs(even, Page(limit=2, after=first[-1].id))
        assert [run.id for run in (*first, *rest)] == ["4", "2", "0"]
        assert [run.id for run in client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))] == list("01234")

    def test_runs_are_counted(self, client: OpenClient, clock: FixedClock) -> None:
        """By their states: those of the last day, unless another window is wanted; the answer says which one it was, in whole hours."""
        for name, days in (("old", 2), ("late", 1), ("new", 0)):
            client.create_flow_run(flow_run(name, created=START - timedelta(days=days)), "me")
        moved(client, "move", State.running(), run_id="new")
        hour = START.replace(minute=0, second=0, microsecond=0)
        end = timedelta(hours=1) - timedelta(microseconds=1)
        pending = StateCount(type=StateType.PENDING, name="Pending", count=1)
        running = StateCount(type=StateType.RUNNING, name="Running", count=1)
        found = client.count_flow_runs(CountFilter())
        assert found == FlowRunCounts(created_after=hour - timedelta(days=1), created_before=hour + end, states=(pending, running))
        day_before = CountFilter(created_before=START - timedelta(days=1))
        found = client.count_flow_runs(day_before)
        last = hour - timedelta(days=1) + end
        assert found == FlowRunCounts(created_after=hour - timedelta(days=2), created_before=last, states=(attrs.evolve(pending, count=2),))
        everything = CountFilter(created_after=datetime.min.replace(tzinfo=UTC), created_before=datetime.max.replace(tzinfo=UTC))
        assert client.count_flow_runs(everything).states == (attrs.evolve(pending, count=2), running)
        of_flow = [client.count_flow_runs(CountFilter(flow_names=(name,))).states for name in (flow_run().flow_name, NOBODY)]
        assert of_flow == [(pending, running), ()]
        assert client.count_flow_runs(CountFilter(created_before=datetime.min.replace(tzinfo=UTC))).states == ()
        clock.advance(timedelta(days=3).total_seconds())
        assert client.count_flow_runs(CountFilter(deployment_ids=(NOBODY,))).states == client.count_flow_runs(CountFilter()).states == ()

    def test_flows(self, client: OpenClient, clock: FixedClock) -> None:
        """What is deployed or ran, by name, with the runs of a window counted, and the newest of all."""
        client.put_deployments((deployment(flow_name="betel"),))
        old = client.create_flow_run(flow_run("old", flow_name="etl", created=START - timedelta(days=2)), "me")
        new = client.create_flow_run(flow_run("new", flow_name="ETL_2"), "me")
        client.create_flow_run(flow_run("to come", state=State.scheduled(START), flow_name="ETL_2", created=START - timedelta(days=2)))
        pending = (StateCount(type=StateType.PENDING, name="Pending", count=1),)
        flows = [Flow(name="ETL_2", states=pending, newest_run=new), Flow(name="betel"), Flow(name="etl", newest_run=old)]
        assert client.read_flows(FlowFilter(), 10) == flows
        assert client.read_flows(FlowFilter(after="ETL_2"), 1) == flows[1:2]
        assert client.read_flows(FlowFilter(text="tl"), 10) == [flows[0], flows[2]]
        assert client.read_flows(FlowFilter(text="etl"), 10, START - timedelta(days=3))[1].states == pending

    def test_a_run_moves(self, client: OpenClient, clock: FixedClock) -> None:
        """A legal move is accepted and written; one that is not is refused with a reason, and nothing is written."""
        client.create_flow_run(flow_run(), "me")
        assert moved(client, "a", State.running()).answer is Answer.ACCEPTED
        clock.advance(5)
        assert moved(client, "b", State.completed(message=STRANGE)).is_written
        refusal = moved(client, "c", State.running())
        assert (refusal.answer, refusal.state, bool(refusal.reason)) == (Answer.REFUSED, None, True)
        states = client.read_states("flow")
        assert [state.type for state in states] == [StateType.PENDING, StateType.RUNNING, StateType.COMPLETED]
        assert (states[-1].message, states[-1].timestamp) == (STRANGE, clock.now())
        assert client.read_flow_run("flow").state == states[-1]

    def test_a_replayed_move_gets_its_first_answer(self, client: OpenClient) -> None:
        """A move that is asked again, because its answer was lost, changes nothing, also where the run has gone on since."""
        client.create_flow_run(flow_run(), "me")
        first = moved(client, "a", State.running())
        assert moved(client, "a", State.running()) == first
        moved(client, "b", State.completed())
        last = client.read_last_event()
        assert moved(client, "a", State.running()) == first
        assert (len(client.read_states("flow")), client.read_last_event()) == (3, last)

    def test_a_stale_epoch_writes_nothing(self, client: OpenClient) -> None:
        """Who does not own the run any more is told to stop, whatever it asks: no state, name, journal, renewal or subflow."""
        client.create_flow_run(flow_run(), "me")
        before, last = client.read_flow_run("flow"), client.read_last_event()
        assert moved(client, "a", State.running(), epoch=2).stop
        assert client.renew_lease("flow", 2).stop
        assert client.write_journal(JournalBatch(flow_run_id="flow", epoch=2, task_runs=(task_run(),), logs=(log_line("x"),))).stop
        with pytest.raises(RunStopped):
            client.name_flow_run("flow", 2, "name")
        with pytest.raises(RunStopped):
            client.create_flow_run(flow_run("child", root_id="flow", epoch=2))
        verdict = client.move_task_run(Move(id="t", run_id="task", state=State.running(), epoch=2), task_run(), Retry())
        assert verdict.stop
        assert (client.read_flow_run("flow"), client.read_last_event()) == (before, last)
        assert (client.read_logs(LogFilter(), Page()), client.read_task_runs(TaskRunFilter(), Page())) == ([], [])

    def test_a_run_is_retried_once(self, client: OpenClient) -> None:
        """One of a deployment that has failed is due again; a replay changes nothing, and one that has not ended is refused."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        requested(client)
        with pytest.raises(NotRetryable):
            client.retry_flow_run("run", "too early")
        claimed(client)
        moved(client, "start", State.running(), run_id="run")
        moved(client, "end", State.failed(message="no"), run_id="run")
        again = client.retry_flow_run("run", "again")
        assert again.state.is_scheduled()
        assert client.retry_flow_run("run", "again") == again == client.read_flow_run("run")
        assert [(run.id, run.epoch) for run in claimed(client, "second").runs] == [("run", 3)]

    def test_a_run_is_paused_and_resumed_once(self, client: OpenClient) -> None:
        """Its process is told to stop, and what that says of its end does not count; resumed, it is due again, and a replay changes nothing."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        requested(client)
        with pytest.raises(NotResumable):
            client.resume_flow_run("run", "too early")
        claimed(client)
        moved(client, "start", State.running(), run_id="run")
        moved(client, "pause", State.paused("look"), run_id="run", epoch=None)
        assert (client.renew_lease("run", 1).stop, client.renew_lease("run", 1).reason) == (True, "look")
        assert moved(client, "end", State.crashed("stopped"), run_id="run").stop
        again = client.resume_flow_run("run", "again")
        assert again.state.is_scheduled()
        assert client.resume_flow_run("run", "again") == again == client.read_flow_run("run")
        assert [(run.id, run.epoch) for run in claimed(client, "second").runs] == [("run", 3)]

    def test_a_run_is_named(self, client: OpenClient) -> None:
        """The owner names it; a name that cannot be is refused."""
        client.create_flow_run(flow_run(), "me")
        assert client.name_flow_run("flow", 1, "weekly").name == client.read_flow_run("flow").name == "weekly"
        with pytest.raises(InvalidName):
            client.name_flow_run("flow", 1, "a/b")

    def test_a_run_is_deleted(self, client: OpenClient) -> None:
        """It is gone with all that belongs to it, and so are its moves' answers."""
        client.create_flow_run(flow_run(), "me")
        client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, task_runs=(task_run(),), logs=(log_line("x"),)))
        client.delete_flow_run("flow")
        gone: list[Callable[[], object]] = [
            lambda: client.read_flow_run("flow"),
            lambda: client.read_task_run("task"),
            lambda: client.delete_flow_run("flow"),
        ]
        for ask in gone:
            with pytest.raises(NotFound):
                ask()
        assert (client.read_logs(LogFilter(), Page()), client.read_states("flow")) == ([], [])

    # Leases

    def test_who_owns_a_run_goes_on(self, client: OpenClient) -> None:
        """A renewal in time is answered with: go on; one of a run that is being cancelled with the order to stop, and why."""
        client.create_flow_run(flow_run(), "me")
        assert not client.renew_lease("flow", 1).stop
        moved(client, "a", State.running())
        moved(client, "b", State(type=StateType.CANCELLING, message=STRANGE), epoch=None)
        order = client.renew_lease("flow", 1)
        assert (order.stop, order.reason) == (True, STRANGE)

    def test_a_lost_run_is_released_once(self, client: OpenClient, clock: FixedClock) -> None:
        """A run whose lease has run out has crashed, once; its holder may come back as long as nobody else took it."""
        client.create_flow_run(flow_run(), "me")
        moved(client, "a", State.running())
        clock.advance(LEASE_SECONDS / 2)
        assert client.release_lost_runs() == []
        clock.advance(LEASE_SECONDS)
        released = client.release_lost_runs()
        assert [(run.id, run.state.type) for run in released] == [("flow", StateType.CRASHED)]
        assert client.read_flow_run("flow") == released[0]
        assert client.release_lost_runs() == []
        assert not client.renew_lease("flow", 1).stop
        assert client.read_flow_run("flow").state.is_running()

    # Tokens

    def test_storages(self, client: OpenClient) -> None:
        """A storage is made, changed, found, made the default, and forgotten once nothing in it is known; references in it stay as they are."""
        assert client.read_storages() == []
        secret = {"key": "secret://env/NOWHERE", "deep": {"list": ["secret://env/ELSE", 1, None]}}
        made = client.put_storage(
            NamedStorage(id="s", name="prod", choice=Choice("acme", {"bucket": "ä"}), created=START, updated=START), secret
        )
        assert made.choice == Choice("acme", {"bucket": "ä", **secret})
        again = client.put_storage(attrs.evolve(made, choice=Choice("acme", {"bucket": "b", **secret})), {})
        assert (again.revision, client.read_storages()) == (1, [again])
        assert client.open_storage("prod", "me") == again.choice
        place = client.read_place()
        assert place.storage is None
        assert client.set_default_storage("s").is_default
        assert client.read_place() == attrs.evolve(place, storage=named("prod"))
        assert client.reserve_keys(named("prod"), ("code/x",)) == attrs.evolve(place, storage=named("prod"))
        assert client.reserve_results("run", named("prod")) == attrs.evolve(place, storage=named("prod"))
        assert client.reserve_results("run", Choice("acme")) == attrs.evolve(place, storage=Choice("acme"))
        client.reset_default_storage()
        assert client.read_place() == place
        assert client.reseal_storages() == 0
        with pytest.raises(StillNeeded):
            client.delete_storage("s")
        client.abandon_keys("s")
        client.delete_storage("s")
        assert client.read_storages() == []

    def test_keys_that_nothing_needs(self, client: OpenClient, clock: FixedClock) -> None:
        """They are told a day after they were reserved, taken by who removes them, and forgotten."""
        client.create_flow_run(flow_run("known"))
        client.reserve_keys(Choice("acme"), ("results/known/", "results/one/", "results/two/"))
        assert client.read_unneeded_keys(None, 10) == []
        clock.advance(24 * 3600 + 1)
        found = client.read_unneeded_keys(None, 10)
        assert [each.key for each in found] == ["results/one/", "results/two/"]
        assert client.read_unneeded_keys(found[0], 10) == found[1:]
        going = client.begin_removing(tuple(found))
        assert [each.key for each in going] == ["results/one/", "results/two/"]
        with pytest.raises(KeyRemoved):
            client.reserve_keys(Choice("acme"), ("results/one/",))
        client.end_removing(tuple(going))
        assert client.read_unneeded_keys(None, 10) == []

    def test_tokens(self, client: OpenClient) -> None:
        """A token is remembered by the digest of its secret, which nobody is told; a known id changes nothing; a revoked one is gone."""
        first = Token(id="a", name="ci", scope=Scope.OPERATOR, created=START, digest=digest_of("secret"))
        second = Token(id="b", name="ci", scope=Scope.VIEWER, created=START, expires=START + timedelta(days=1), digest=digest_of("other"))
        told = [attrs.evolve(each, digest="") for each in (first, second)]
        assert [client.create_token(each) for each in (first, second, attrs.evolve(first, name="else"))] == [*told, told[0]]
        assert client.read_tokens() == told
        client.revoke_token("a")
        assert client.read_tokens() == told[1:]
        with pytest.raises(NotFound):
            client.revoke_token("a")
        with pytest.raises(WrongData):
            client.create_token(attrs.evolve(first, digest="short"))
        with pytest.raises(WrongData):
            client.create_token(attrs.evolve(first, scope=Scope.RUN))
        with pytest.raises(InvalidName):
            client.create_token(attrs.evolve(first, name="a/b"))

    # Journals and task runs

    def test_a_journal_is_written(self, client: OpenClient) -> None:
        """Task runs, states and lines are there; writing the batch again changes nothing."""
        client.create_flow_run(flow_run(), "me")
        run = task_run(inputs={"rows": ("other",)}, tags=("a",))
        lines = (log_line("1"), log_line("2", task_run_id="task", level=40, message=STRANGE))
        state = RunState(run_id="task", revision=1, state=run.state)
        batch = JournalBatch(flow_run_id="flow", epoch=1, task_runs=(run,), states=(state,), logs=lines)
        for _ in range(2):
            assert not client.write_journal(batch).stop
        assert client.read_task_run("task") == run
        assert client.read_task_runs(TaskRunFilter(flow_run_ids=("flow",), tags=("a",)), Page()) == [run]
        assert client.read_states("task") == [run.state]
        assert client.read_logs(LogFilter(flow_run_ids=("flow",)), Page(newest_first=False)) == list(lines)
        assert client.read_logs(LogFilter(flow_run_ids=("flow",), least_level=30, text="漢字"), Page()) == [lines[1]]

    def test_news_come_once(self, client: OpenClient) -> None:
        """Lines come in the order in which they arrived, each once, also to who begins again after a cursor; with them comes the run as it is."""
        client.create_flow_run(flow_run(), "me")

        def write(*names: str) -> None:
            client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=tuple(log_line(name) for name in names)))

        write("2", "3")
        news = client.read_news("flow")
        assert ([line.id for line in news.lines], news.run.id, client.read_news("flow", news.cursor).lines) == (["2", "3"], "flow", ())
        write("1")
        late = client.read_news("flow", news.cursor)
        assert [line.id for line in late.lines] == ["1"]
        with pytest.raises(NotFound):
            client.read_news(NOBODY)

    def test_news_are_followed(self, client: OpenClient) -> None:
        """What is new comes by itself; where nothing is, the run as it is comes after a while. Who went away goes on where it was."""
        client.create_flow_run(flow_run(), "me")
        batch = JournalBatch(flow_run_id="flow", epoch=1, logs=tuple(log_line(str(number)) for number in range(1000, 1450)))
        client.write_journal(batch)
        seen: list[str] = []
        cursor = 0
        for news in client.follow_flow_run("flow", every=0.01):
            seen += [line.id for line in news.lines]
            cursor = news.cursor
            if len(seen) >= 200:
                break
        for news in client.follow_flow_run("flow", after=cursor, every=0.01):
            seen += [line.id for line in news.lines]
            if not news.lines:
                break
        assert seen == [line.id for line in batch.logs]
        following = client.follow_flow_run("flow", after=news.cursor, every=SECONDS)
        next(following)
        with ThreadPoolExecutor(1) as elsewhere:
            coming = elsewhere.submit(next, following)
            client.write_journal(JournalBatch(flow_run_id="flow", epoch=1, logs=(log_line("last"),)))
            assert [line.id for line in coming.result(SECONDS).lines] == ["last"]
        with pytest.raises(NotFound):
            next(iter(client.follow_flow_run(NOBODY)))

    def test_events_are_followed(self, client: OpenClient) -> None:
        """Events that fit come once and by themselves, runs of any kind among them; the cursor goes on where none fit."""
        of_run = EventFilter(kinds=("flow-run.RUNNING",), subjects=("flow", STRANGE))
        following = client.follow_events(of_run, every=SECONDS)
        assert next(following).events == ()
        with_events = (news for news in following if news.events)
        for run_id in ("other", "flow"):
            client.create_flow_run(flow_run(run_id), "me")
            moved(client, run_id, State.running(), run_id=run_id)
        news = next(with_events)
        assert [(event.kind, event.subject) for event in news.events] == [("flow-run.RUNNING", "flow")]
        with ThreadPoolExecutor(1) as elsewhere:
            coming = elsewhere.submit(next, with_events)
            client.create_flow_run(flow_run(STRANGE), "me")
            moved(client, "last", State.running(), run_id=STRANGE)
            assert [event.subject for event in coming.result(SECONDS).events] == [STRANGE]
        later = next(client.follow_events(attrs.evolve(of_run, after=news.cursor)))
        assert [event.subject for event in later.events] == [STRANGE]
        client.create_flow_run(flow_run("unwanted"), "me")
        idle = next(client.follow_events(attrs.evolve(of_run, after=later.cursor)))
        assert (idle.events, idle.cursor) == ((), client.read_last_event())

    def test_schedules_make_runs(self, client: OpenClient, clock: FixedClock) -> None:
        """A deployment's schedules have their runs made ahead, each time once, and told when there is more to do; what nobody takes in time is skipped."""
        hours = [START + timedelta(hours=hours) for hours in (1, 2, 3)]
        kind = Choice("moments", {"moments": [hour.isoformat() for hour in hours]})
        (kept,) = client.put_deployments((deployment(schedules=(DeploymentSchedule(kind=kind),)),))
        (schedule,) = kept.schedules
        assert (schedule.version, schedule.since) == (1, START)
        assert client.put_deployments((deployment(schedules=(DeploymentSchedule(kind=kind),)),)) == [kept]

        def ticks(name: str) -> list[datetime]:
            wanted = FlowRunFilter(schedule_ids=(schedule.id,), state_names=(name,))
            found = [run.tick for run in client.read_flow_runs(wanted, Page(newest_first=False))]
            return [tick.at for tick in found if tick is not None]

        assert ticks("Scheduled") == hours[:1]
        assert client.schedule_runs().next_look == hours[0]
        for _ in range(2):
            clock.advance(3600)
            client.schedule_runs()
        assert (ticks("Scheduled"), ticks("Skipped")) == (hours[1:], hours[:1])
        told = client.read_ticks((schedule.id,), hours[0], hours[1], 10)
        assert [(each.at, each.state_type, each.state_name) for each in told] == [
            (hours[0], StateType.CANCELLED, "Skipped"),
            (hours[1], StateType.SCHEDULED, "Scheduled"),
        ]
        assert client.read_flow_run(told[0].run_id).state.name == "Skipped"
        assert client.read_ticks((schedule.id,), hours[0], hours[1], 1) == told[1:]
        with pytest.raises(NotInstalled):
            client.put_deployments((deployment(schedules=(DeploymentSchedule(kind=Choice("unheard-of")),)),))

    def test_a_task_run_moves(self, client: OpenClient) -> None:
        """What depends on other runs is asked; a replay gets the first answer, and a failure is tried again where that is allowed."""
        client.create_flow_run(flow_run(), "me")
        run = task_run()
        move = Move(id="a", run_id="task", state=State.running(), epoch=1)
        first = client.move_task_run(move, run, Retry())
        assert first.answer is Answer.ACCEPTED
        assert client.move_task_run(move, run, Retry()) == first
        assert first.state is not None
        failing = Move(id="b", run_id="task", state=State.failed(message="no"), epoch=1)
        verdict = client.move_task_run(failing, run.entering(first.state), Retry(limit=1, delay=5))
        assert (verdict.answer, verdict.state and verdict.state.scheduled_time) == (Answer.REPLACED, START + timedelta(seconds=5))
        assert client.read_task_run("task").revision == 3

    # Limits

    def test_limits(self, client: OpenClient) -> None:
        """A limit lets so many task runs with its tag run and makes the others wait; who holds a slot is shown, and 0 refuses all."""
        client.create_flow_run(flow_run(), "me")
        client.set_limit("db/main", 1)
        runs = [task_run(name, tags=("db/main",)) for name in ("one", "two")]
        verdicts = [client.move_task_run(Move(id=run.id, run_id=run.id, state=State.running(), epoch=1), run, Retry()) for run in runs]
        assert [verdict.answer for verdict in verdicts] == [Answer.ACCEPTED, Answer.WAIT]
        assert verdicts[1].until is not None
        assert client.read_limits() == [ConcurrencyLimit(tag="db/main", limit=1, holders=("one",))]
        client.set_limit("db/main", 2)
        assert client.read_limits()[0].limit == 2
        client.delete_limit("db/main")
        assert client.read_limits() == []
        with pytest.raises(NotFound):
            client.delete_limit("db/main")
        told = client.wait_for_events(EventFilter(subjects=("db/main",)), 0)
        assert [event.kind for event in told] == [*["concurrency-limit.changed"] * 2, "concurrency-limit.deleted"]

    @pytest.mark.parametrize("limit", [-1, 1.5, True, "1"])
    def test_a_limit_that_cannot_be(self, client: OpenClient, limit: Any) -> None:
        """Anything but a whole number that is not negative is refused, by the orchestration or on its way there, and nothing is written."""
        with pytest.raises((InvalidOption, WrongData)):
            client.set_limit("tag", limit)
        assert client.read_limits() == []

    # Deployments

    def test_deployments(self, client: OpenClient) -> None:
        """One that is known by its names keeps its id and creation; all are put, or none."""
        client.put_deployments((deployment(), deployment("other", tags=("a",))))
        later = START + timedelta(days=1)
        (changed,) = client.put_deployments((deployment("new", name="deployment", description=STRANGE, created=later, updated=later),))
        assert (changed.id, changed.created, changed.updated, changed.description) == ("deployment", START, later, STRANGE)
        assert client.read_deployment("deployment") == changed
        assert [each.id for each in client.read_deployments(DeploymentFilter(tags=("a",)), Page())] == ["other"]
        with pytest.raises(InvalidName):
            client.put_deployments((deployment("third"), deployment("fourth", name="a/b")))
        assert len(client.read_deployments(DeploymentFilter(), Page())) == 2
        client.delete_deployment("other")
        assert [each.id for each in client.read_deployments(DeploymentFilter(), Page())] == ["deployment"]

    def test_a_deployment_is_paused(self, client: OpenClient) -> None:
        """Nothing of it is given away until it is resumed; then that too which was asked for meanwhile."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        assert client.pause_deployment("deployment").is_paused
        requested(client)
        assert claimed(client, "paused").runs == ()
        assert client.read_deployment("deployment").is_paused
        assert not client.resume_deployment("deployment").is_paused
        assert [run.id for run in claimed(client, "resumed").runs] == ["run"]

    def test_versions_of_a_deployment(self, client: OpenClient) -> None:
        """What it is comes first, then what it was before; as many as are asked for."""
        for text in ("first", "second", "third"):
            client.put_deployments((deployment(description=text),))
        assert [each.description for each in client.read_deployment_versions("deployment", 10)] == ["third", "second", "first"]
        assert client.read_deployment_versions("deployment", 1) == [client.read_deployment("deployment")]

    def test_a_run_is_requested_once(self, client: OpenClient) -> None:
        """It begins with what the deployment says; asked for again, it is the same."""
        client.put_deployments((deployment(parameters={"name": "Leo"}, tags=("a",), parameter_schema=SCHEMA, retries=2),))
        run = requested(client, parameters={"size": 3}, tags=("b",), at=START + timedelta(hours=1))
        assert (run.flow_name, run.parameters, run.tags, run.retries) == ("hello", {"name": "Leo", "size": 3}, ("a", "b"), 2)
        assert (run.state.type, run.state.scheduled_time) == (StateType.SCHEDULED, START + timedelta(hours=1))
        assert requested(client, parameters={"size": 4}) == run == client.read_flow_run("run")

    @pytest.mark.parametrize(
        ("parameters", "error"),
        [
            ({}, MissingParameter),
            ({"name": "Leo", "colour": "red"}, UnknownParameter),
            ({"name": "Leo", "size": "big"}, WrongParameterType),
        ],
    )
    def test_wrong_parameters_are_refused(self, client: OpenClient, parameters: Any, error: type[Exception]) -> None:
        """Each by its name, before anything is made."""
        client.put_deployments((deployment(parameter_schema=SCHEMA),))
        with pytest.raises(error, match="hello/deployment"):
            requested(client, parameters=parameters)
        assert client.read_flow_runs(FlowRunFilter(), Page()) == []

    def test_a_deployment_is_deleted_with_what_waits(self, client: OpenClient) -> None:
        """Runs that have not started are forgotten, those that have stay."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        requested(client, "started")
        claimed(client)
        requested(client, "waiting")
        client.delete_deployment("deployment")
        assert [run.id for run in client.read_flow_runs(FlowRunFilter(), Page())] == ["started"]

    # Queues

    def test_queues(self, client: OpenClient) -> None:
        """A queue is made, changed by who knows its newest shape, and forgotten."""
        made = client.put_work_queue(queue(criteria={"flows": "hello"}))
        assert (made.criteria, made.is_matched, made.revision) == ({"flows": ["hello"]}, True, 1)
        changed = client.put_work_queue(attrs.evolve(made, is_paused=True, description=STRANGE))
        assert client.read_work_queue("queue") == changed
        assert client.read_work_queues(WorkQueueFilter(names=("queue",)), Page()) == [changed]
        client.delete_work_queue("queue")
        assert client.read_work_queues(WorkQueueFilter(), Page()) == []

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"name": "queue"}, AlreadyThere),
            ({"name": "a/b"}, InvalidName),
            ({"criteria": {"flows": []}}, WrongData),
            ({"criteria": {"moon": "full"}}, NotInstalled),
            ({"concurrency_limit": -1}, InvalidOption),
            ({"queue_id": "queue", "revision": 7}, ChangedMeanwhile),
        ],
        ids=["taken", "name", "criteria", "matcher", "limit", "revision"],
    )
    def test_a_queue_that_cannot_be(self, client: OpenClient, fields: dict[str, Any], error: type[Exception]) -> None:
        """It is refused with the reason, and nothing is written."""
        kept = client.put_work_queue(queue())
        with pytest.raises(error):
            client.put_work_queue(queue(**({"queue_id": "new", "name": "new"} | fields)))
        assert client.read_work_queues(WorkQueueFilter(), Page()) == [kept]

    def test_a_queue_is_put_once(self, client: OpenClient) -> None:
        """Asked again, because the answer was lost, it gets the same answer, and nothing is written; who comes later is told that it was changed."""
        made = client.put_work_queue(queue(criteria={"flows": "hello"}))
        change = attrs.evolve(made, is_paused=True)
        changed = client.put_work_queue(change)
        last = client.read_last_event()
        assert client.put_work_queue(change) == changed
        with pytest.raises(ChangedMeanwhile):
            client.put_work_queue(queue(criteria={"flows": "hello"}))
        assert client.read_last_event() == last

    def test_schedules_of_a_deployment(self, client: OpenClient) -> None:
        """They are changed by who knows the deployment's newest shape, and nothing else of it is; asked again, nothing is written."""
        (made,) = client.put_deployments((deployment(parameters={"name": STRANGE}),))
        wanted = (
            DeploymentSchedule(kind=Choice("moments", {"moments": [(START + timedelta(hours=1)).isoformat()]}), overlap=Overlap.SKIP),
        )
        changed = client.put_schedules(made.id, made.version, wanted)
        assert [each.wanted for each in changed.schedules] == list(wanted)
        assert attrs.evolve(changed, schedules=(), version=made.version, updated=made.updated) == made
        assert client.read_deployment(made.id) == changed
        last = client.read_last_event()
        assert client.put_schedules(made.id, made.version, wanted) == changed
        assert client.read_last_event() == last
        with pytest.raises(ChangedMeanwhile):
            client.put_schedules(made.id, made.version, ())
        with pytest.raises(WrongData):
            client.put_schedules(made.id, changed.version, (attrs.evolve(wanted[0], most_missed=0),))
        with pytest.raises(NotFound):
            client.put_schedules("unknown", 1, wanted)
        assert client.put_schedules(made.id, changed.version, ()).schedules == ()

    def test_what_waits_in_a_queue(self, client: OpenClient) -> None:
        """What is due until then, earliest first; a queue that is made later finds what was there before."""
        client.put_deployments((deployment(), deployment("other", flow_name="goodbye")))
        for minutes in (30, 10, 20):
            requested(client, f"{minutes}", at=START + timedelta(minutes=minutes))
        client.request_run(RunRequest(id="no", deployment_id="other", name="no"))
        client.put_work_queue(queue(criteria={"flows": ["hello"]}))
        assert [run.id for run in client.read_due("queue", START + timedelta(minutes=20), 10)] == ["10", "20"]
        assert [run.id for run in client.read_due("queue", START + timedelta(hours=1), 1)] == ["10"]

    def test_why_a_run_is_not_running(self, client: OpenClient, clock: FixedClock) -> None:
        """What is in the way is told as long as it is, and afterwards as an earlier wait where somebody noted it."""
        client.put_deployments((deployment(),))
        requested(client)
        assert [obstacle.kind for obstacle in client.explain_flow_run("run").obstacles] == [Kind.NO_QUEUE]
        clock.advance(60)
        assert client.note_waits() == 1
        clock.advance(60)
        client.put_work_queue(queue())
        client.keep_agent(agent())
        claimed(client)
        client.note_waits()
        found = client.explain_flow_run("run")
        assert (found.obstacles, bool(found.summary)) == ((), True)
        assert [(wait.until, [obstacle.kind for obstacle in wait.obstacles]) for wait in found.waits] == [(clock.now(), [Kind.NO_QUEUE])]

    # Claims and agents

    def test_a_run_is_claimed_once(self, client: OpenClient) -> None:
        """Who asks gets what is due with its epoch; asking again with the same id gives the same, another one gets nothing."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        requested(client, "due")
        requested(client, "later", at=START + timedelta(hours=1))
        first = claimed(client)
        assert [(run.id, run.epoch, run.state.type) for run in first.runs] == [("due", 1, StateType.PENDING)]
        assert first.next_due == START + timedelta(hours=1)
        assert [run.id for run in claimed(client).runs] == ["due"]
        assert claimed(client, "other", agent_id="other").runs == ()
        assert client.count_under_way("queue") == 1

    def test_a_claim_is_over_when_it_was_given_something(self, client: OpenClient) -> None:
        """Until then who asks goes on with its id; and from then on nothing else is given to it, also when what it was given is others' by now."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        assert claimed(client) == Claimed()
        requested(client, "first")
        given = claimed(client)
        assert ([run.id for run in given.runs], given.is_over) == (["first"], True)
        requested(client, "second")
        assert [run.id for run in claimed(client).runs] == ["first"]
        moved(client, "back", State.scheduled(START), run_id="first")
        assert [run.id for run in claimed(client, "other", agent_id="other", limit=1).runs] == ["first"]
        late = claimed(client)
        assert (late.runs, late.is_over) == ((), True)
        assert [run.id for run in claimed(client, "next").runs] == ["second"]

    def test_many_claim_at_once(self, client: OpenClient) -> None:
        """Of several who ask at the same moment each gets other runs, and none is left."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        for number in range(20):
            requested(client, f"{number:02}")
        with ThreadPoolExecutor(4) as pool:
            claims = pool.map(lambda number: claimed(client, f"claim-{number}", agent_id=f"agent-{number}", limit=5), range(4))
            taken = [run.id for claim in claims for run in claim.runs]
        assert sorted(taken) == [f"{number:02}" for number in range(20)]

    def test_queues_that_give_nothing(self, client: OpenClient) -> None:
        """A queue that is paused, or full, gives nothing away, and a claim for none gets none."""
        client.put_deployments((deployment(),))
        made = client.put_work_queue(queue(concurrency_limit=1))
        requested(client, "one")
        requested(client, "two")
        assert claimed(client, "none", limit=0).runs == ()
        paused = client.put_work_queue(attrs.evolve(made, is_paused=True))
        assert claimed(client, "paused").runs == ()
        client.put_work_queue(attrs.evolve(paused, is_paused=False))
        assert [run.id for run in claimed(client, "full").runs] == ["one"]
        assert claimed(client, "still full").runs == ()
        moved(client, "end", State.cancelled(), run_id="one")
        assert [run.id for run in claimed(client, "free").runs] == ["two"]

    def test_agents(self, client: OpenClient, clock: FixedClock) -> None:
        """An agent is there for the time of a lease, and as long as it says so; then it is gone, or says that it has left."""
        client.keep_agent(agent())
        assert client.read_agents() == [agent()]
        clock.advance(LEASE_SECONDS * 2)
        assert [each.live for each in client.read_agents()] == [False]
        client.keep_agent(agent(is_draining=True))
        assert [(each.live, each.is_draining) for each in client.read_agents()] == [(True, True)]
        client.drop_agent("agent")
        assert client.read_agents() == []

    def test_agents_are_news(self, client: OpenClient, clock: FixedClock) -> None:
        """Events tell when one comes, comes back, changes and leaves; that it is there still, and how much it has to do, is none."""
        client.keep_agent(agent())
        client.keep_agent(agent(underway=2, full_runners=("subprocess",)))
        client.keep_agent(agent(is_draining=True))
        clock.advance(LEASE_SECONDS * 2)
        client.keep_agent(agent(is_draining=True))
        for _ in range(2):
            client.drop_agent("agent")
        told = client.wait_for_events(EventFilter(), 0)
        assert [(event.kind, event.subject) for event in told] == [*[("agent.changed", "agent")] * 3, ("agent.left", "agent")]

    def test_runs_are_adopted_once(self, client: OpenClient) -> None:
        """Runs of an agent that is gone go to the first who finds their processes; those of one that is there stay its own."""
        client.put_deployments((deployment(),))
        client.put_work_queue(queue())
        requested(client)
        client.keep_agent(agent())
        claimed(client)
        assert client.adopt_runs("heir", ("run.1",)) == []
        client.drop_agent("agent")
        client.keep_agent(agent("heir"))
        client.keep_agent(agent("other"))
        assert client.adopt_runs("heir", ("run.2",)) == []
        for _ in range(2):  # asked again, because the answer was lost, it gives the same
            assert [run.id for run in client.adopt_runs("heir", ("run.1", "unknown.1"))] == ["run"]
        assert client.adopt_runs("other", ("run.1",)) == []
        assert not client.renew_lease("run", 1).stop

    # Retention

    def test_what_ended_long_ago_is_forgotten(self, client: OpenClient, clock: FixedClock) -> None:
        """What would be forgotten is told before; then it is, a portion at a time, until that was all. What has not ended stays."""
        for name in ("ended", "open"):
            client.create_flow_run(flow_run(name), "me")
        moved(client, "end", State.completed(), run_id="ended")
        assert (client.plan_forgetting().runs, client.forget_old().runs) == (0, 0)
        clock.advance(timedelta(days=1000).total_seconds())
        assert client.plan_forgetting().runs == 1
        forgotten = [client.forget_old()]
        while not forgotten[-1].is_all:
            forgotten.append(client.forget_old())
        assert sum(portion.runs for portion in forgotten) == 1
        assert [run.id for run in client.read_flow_runs(FlowRunFilter(), Page())] == ["open"]
        assert (client.plan_forgetting().runs, client.forget_old().is_all) == (0, True)

    # Events

    def test_events(self, client: OpenClient) -> None:
        """What changed is told in order from any cursor; nothing new is an empty answer, at once where no second is given."""
        client.create_flow_run(flow_run(), "me")
        cursor = client.read_last_event()
        moved(client, "a", State.running())
        moved(client, "b", State.completed())
        client.create_flow_run(flow_run("other"))
        events = client.wait_for_events(EventFilter(after=cursor), SECONDS)
        assert [event.kind for event in events] == ["flow-run.RUNNING", "flow-run.COMPLETED", "flow-run.created"]
        assert [event.sequence for event in events] == sorted({event.sequence for event in events})
        assert events[-1].sequence == client.read_last_event()
        only = client.wait_for_events(EventFilter(kinds=("flow-run.created",), subjects=("flow",)), SECONDS)
        assert [event.subject for event in only] == ["flow"]
        assert client.wait_for_events(EventFilter(after=client.read_last_event()), 0) == []

    def test_waiting_ends_with_an_event(self, client: OpenClient) -> None:
        """Who waits hears of what another one writes."""
        cursor = client.read_last_event()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.wait_for_events, EventFilter(after=cursor), SECONDS)
            client.create_flow_run(flow_run())
            assert [event.kind for event in waiting.result(SECONDS)] == ["flow-run.created"]
