"""Deployments and the runs that are asked for of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import InvalidName, MissingParameter, NotFound, NotRetryable, UnknownParameter, WrongParameterType
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.filters import MOST_ROWS, DeploymentFilter, FlowRunFilter, Page
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import TaskRun
from headrace.model.states import State
from headrace.orchestration.local_client import LocalClient
from headrace.ports.run_store import OpenRunStore, Writing
from headrace.rules.facts import Retry
from headrace.testing.clock import START, FixedClock

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}},
    "required": ["name"],
    "additionalProperties": False,
}


def deployment(name: str = "nightly", **fields: Any) -> Deployment:
    plain: dict[str, Any] = {"id": name, "flow_name": "etl", "code": Code(entrypoint="etl:etl"), "created": START, "updated": START}
    return Deployment(name=name, **(plain | fields))


def request(**fields: Any) -> RunRequest:
    return RunRequest(**({"id": "run", "deployment_id": "nightly", "name": "brave-otter"} | fields))


def test_a_deployment_is_known_by_its_names(client: LocalClient, clock: FixedClock, told: list[Event]) -> None:
    """Put again under another id, it keeps its id and its creation, and is changed otherwise."""
    (first,) = client.put_deployments((deployment(),))
    clock.advance(5)
    again = deployment(id="other", created=clock.now(), updated=clock.now(), tags=("new",))
    (second,) = client.put_deployments((again,))
    assert second == attrs.evolve(again, id=first.id, created=START, version=2) == client.read_deployment("nightly")
    assert len(client.read_deployments(DeploymentFilter(), Page())) == 1
    assert [event.kind for event in told] == ["deployment.changed"] * 2


def test_all_or_none(client: LocalClient) -> None:
    """One that cannot be takes the others with it."""
    with pytest.raises(InvalidName):
        client.put_deployments((deployment(), deployment("a/b")))
    assert client.read_deployments(DeploymentFilter(), Page()) == []


def test_a_run_has_what_its_deployment_says(client: LocalClient, told: list[Event]) -> None:
    """Tags of both, parameters of the request over those of the deployment, its flow runner and retries; due at once."""
    runner = Choice("subprocess", {"env": {"A": "1"}})
    client.put_deployments(
        (
            deployment(
                tags=("b", "a"),
                parameters={"name": "Leo", "times": 2},
                parameter_schema=SCHEMA,
                flow_runner=runner,
                retries=3,
                retry_delay=1.5,
                flow_version="v",
            ),
        )
    )
    run = client.request_run(request(tags=("c",), parameters={"name": "Ada"}, keeps_result=True))
    assert (run.tags, run.parameters, run.flow_runner) == (("a", "b", "c"), {"name": "Ada", "times": 2}, runner)
    assert (run.retries, run.retry_delay, run.flow_version, run.keeps_result, run.epoch) == (3, 1.5, "v", True, 0)
    assert (run.deployment_id, run.flow_name, run.name, run.root_id) == ("nightly", "etl", "brave-otter", run.id)
    assert (run.state.name, run.state.scheduled_time, run.expected_start_time) == ("Scheduled", START, START)
    assert client.read_flow_run("run") == run
    assert told[-1].kind == "flow-run.created"


def test_a_run_may_be_due_later(client: LocalClient) -> None:
    """At the moment that was asked for."""
    client.put_deployments((deployment(),))
    at = START + timedelta(hours=2)
    run = client.request_run(request(at=at))
    assert (run.state.scheduled_time, run.expected_start_time) == (at, at)


def test_a_run_for_a_moment_that_is_past_is_due_now(client: LocalClient) -> None:
    """It was to start then, and it is late only if it waits from now on."""
    client.put_deployments((deployment(),))
    at = START - timedelta(days=300)
    run = client.request_run(request(at=at))
    assert (run.state.scheduled_time, run.expected_start_time) == (START, at)
    assert run.late_by(START + timedelta(seconds=1)) is None
    assert run.late_by(START + timedelta(minutes=1)) == timedelta(minutes=1)


def test_asking_twice_gives_one_run(client: LocalClient) -> None:
    """The second answer is the run as it is by then."""
    client.put_deployments((deployment(),))
    client.request_run(request())
    client.move_flow_run(Move(id="m", run_id="run", state=State.cancelled()))
    assert client.request_run(request(name="other-name")).state.is_cancelled()
    assert len(client.read_flow_runs(FlowRunFilter(), Page())) == 1


def test_a_holder_has_the_run_at_once(client: LocalClient) -> None:
    """It is PENDING in epoch 1, and its lease can be renewed."""
    client.put_deployments((deployment(),))
    run = client.request_run(request(holder="me"))
    assert (run.state.is_pending(), run.epoch) == (True, 1)
    assert not client.renew_lease("run", 1).stop


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"name": "Leo", "nmae": 1}, UnknownParameter),
        ({"name": "Leo", "times": "many"}, WrongParameterType),
        ({}, MissingParameter),
    ],
)
def test_wrong_parameters_make_no_run(client: LocalClient, parameters: dict[str, Any], error: type[Exception]) -> None:
    """They are refused by name, and nothing is left behind."""
    client.put_deployments((deployment(parameter_schema=SCHEMA),))
    with pytest.raises(error, match="etl/nightly"):
        client.request_run(request(parameters=parameters))
    assert client.read_flow_runs(FlowRunFilter(), Page()) == []


def test_deleting_takes_what_has_not_started(client: LocalClient) -> None:
    """What ran stays, and says which deployment it was of; one that waits for its retry has started."""
    client.put_deployments((deployment(),))
    for name in ("waits", "ran", "retries"):
        client.request_run(request(id=name, holder=None if name == "waits" else "me"))
    for name, states in {"ran": (State.running(), State.completed()), "retries": (State.running(), State.scheduled(START))}.items():
        for number, state in enumerate(states):
            client.move_flow_run(Move(id=f"{name}{number}", run_id=name, state=state, epoch=1))
    client.delete_deployment("nightly")
    assert [(run.id, run.deployment_id) for run in client.read_flow_runs(FlowRunFilter(), Page())] == [
        ("retries", "nightly"),
        ("ran", "nightly"),
    ]
    for ask in (client.read_deployment, client.delete_deployment):
        with pytest.raises(NotFound):
            ask("nightly")
    with pytest.raises(NotFound):
        client.request_run(request(id="late"))


@attrs.frozen
class Watched:
    """A store that tells how many runs each of its transactions takes away."""

    store: OpenRunStore
    taken: list[int]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        with self.store.writing() as writing:
            before = len(writing.flow_runs(FlowRunFilter(), Page(limit=10_000)))
            yield writing
            self.taken.append(before - len(writing.flow_runs(FlowRunFilter(), Page(limit=10_000))))


def test_a_long_backlog_is_forgotten_in_portions(client: LocalClient, store: OpenRunStore) -> None:
    """No transaction takes more than a page of runs, so that others have their turn; in the end all are gone, and the deployment with them."""
    client.put_deployments((deployment(),))
    for number in range(2 * MOST_ROWS + 1):
        client.request_run(request(id=f"{number:04}"))
    watched = Watched(store, [])
    attrs.evolve(client.deployments, store=watched).delete("nightly")
    assert sum(watched.taken) == 2 * MOST_ROWS + 1
    assert max(watched.taken) <= MOST_ROWS
    assert client.read_deployments(DeploymentFilter(), Page()) == []


def test_versions_are_kept(client: LocalClient) -> None:
    """Each change makes one; what changes nothing makes none, and one may be put again as the newest."""
    (first,) = client.put_deployments((deployment(),))
    assert client.read_deployment_versions("nightly", 10) == [first]
    assert client.put_deployments((attrs.evolve(first, updated=START + timedelta(hours=1)),)) == [first]
    (second,) = client.put_deployments((attrs.evolve(first, tags=("new",)),))
    (third,) = client.put_deployments((first,))
    assert client.read_deployment_versions("nightly", 10) == [third, second, first]
    assert client.read_deployment_versions("nightly", 1) == [third]
    assert (third.version, third.tags) == (3, ())
    with pytest.raises(NotFound):
        client.read_deployment_versions("nobody", 10)


def test_nothing_of_a_paused_deployment_is_started(client: LocalClient, told: list[Event]) -> None:
    """What waits and what is asked for meanwhile starts when it goes on; what is under way goes on, and so does another deployment."""
    client.put_work_queue(WorkQueue(id="q", name="q", created=START, updated=START))
    client.put_deployments((deployment(parameters={"name": "x"}), deployment("other")))
    client.request_run(request(id="under way"))
    assert claimed(client, "first") == ["under way"]
    client.request_run(request(id="waits"))
    assert client.pause_deployment("nightly").is_paused
    client.request_run(request(id="meanwhile"))
    client.request_run(request(id="free", deployment_id="other"))
    assert claimed(client, "second") == ["free"]
    hindrance = client.explain_flow_run("waits").hindrance
    assert hindrance is not None
    assert (hindrance.sentence, hindrance.advice) == ("its deployment 'etl/nightly' is paused", "headrace deployment resume etl/nightly")
    assert not client.renew_lease("under way", 1).stop
    (changed,) = client.put_deployments((attrs.evolve(client.read_deployment("nightly"), tags=("new",), is_paused=False),))
    assert changed.is_paused
    assert not client.resume_deployment("nightly").is_paused
    assert told[-1].kind == "deployment.changed"
    assert claimed(client, "third") == ["meanwhile", "waits"]


def test_a_run_that_is_still_in_its_queue_is_not_handed_out(client: LocalClient, store: OpenRunStore) -> None:
    """Whoever pauses may be killed before all runs have left their queues."""
    client.put_work_queue(WorkQueue(id="q", name="q", created=START, updated=START))
    client.put_deployments((deployment(parameters={"name": "x"}),))
    client.request_run(request())
    paused = attrs.evolve(client.read_deployment("nightly"), is_paused=True)
    with store.writing() as writing:
        writing.put_deployment(paused)
    answer = client.claim_runs(ClaimRequest(id="c", agent_id="a", queue_ids=("q",), limit=5))
    assert (answer.runs, answer.next_due) == ((), START + timedelta(minutes=1))


def test_a_queue_that_changes_while_a_deployment_is_paused_keeps_what_is_under_way(client: LocalClient, clock: FixedClock) -> None:
    """It counts there, and is found there when it is to be started again, however late that is."""
    client.put_deployments((deployment(parameters={"name": "x"}),))
    client.put_work_queue(WorkQueue(id="q", name="q", created=START, updated=START))
    client.request_run(request())
    claimed(client, "first")
    client.pause_deployment("nightly")
    client.put_work_queue(WorkQueue(id="late", name="late", created=START, updated=START))
    assert client.count_under_way("late") == 1
    client.resume_deployment("nightly")
    clock.advance(20)
    client.release_lost_runs()
    assert [run.id for run in client.claim_runs(ClaimRequest(id="c", agent_id="a", queue_ids=("late",), limit=5)).runs] == ["run"]


def claimed(client: LocalClient, name: str) -> list[str]:
    runs = client.claim_runs(ClaimRequest(id=name, agent_id="a", queue_ids=("q",), limit=5)).runs
    return [run.id for run in runs]


def ended(client: LocalClient, state: State) -> None:
    """A run of a deployment that has ended so."""
    client.put_work_queue(WorkQueue(id="q", name="q", created=START, updated=START))
    client.put_deployments((deployment(parameters={"name": "x"}),))
    client.request_run(request())
    assert claimed(client, "first") == ["run"]
    client.move_flow_run(Move(id="runs", run_id="run", state=State.running(), epoch=1))
    client.move_flow_run(Move(id="ends", run_id="run", state=state, epoch=1))


@pytest.mark.parametrize("state", [State.failed(), State.crashed("gone"), State.lost("gone"), State.cancelled()])
def test_a_run_is_tried_again(client: LocalClient, told: list[Event], state: State) -> None:
    """It is due at once, in the next epoch, once however often it is asked; its first process writes nothing any more."""
    ended(client, state)
    again = client.retry_flow_run("run", "retry")
    assert (again.state.name, again.end_time) == ("AwaitingRetry", None)
    assert told[-1].kind == "flow-run.SCHEDULED"
    assert client.retry_flow_run("run", "retry") == again
    assert claimed(client, "second") == ["run"]
    assert client.read_flow_run("run").epoch == 3
    assert client.retry_flow_run("run", "retry").state.is_pending()
    assert client.renew_lease("run", 1).stop


def test_what_a_process_begins_whose_run_is_to_be_tried_again_is_refused(client: LocalClient) -> None:
    """Its epoch is over, before anybody else has the run."""
    ended(client, State.cancelled())
    client.retry_flow_run("run", "retry")
    run = TaskRun(
        id="task",
        name="task",
        state=attrs.evolve(State.pending(), timestamp=START),
        created=START,
        tags=("db",),
        flow_run_id="run",
        task_name="t",
        task_key="t",
        call=0,
    )
    assert client.move_task_run(Move(id="task:1", run_id="task", state=State.running(), epoch=1), run, Retry()).stop
    with pytest.raises(NotFound):
        client.read_task_run("task")


def test_a_run_that_cannot_be_tried_again(client: LocalClient) -> None:
    """It says why: it completed, it has not ended, nobody could start it, or its deployment is gone."""

    def why(run_id: str) -> str:
        with pytest.raises(NotRetryable) as caught:
            client.retry_flow_run(run_id, f"retry {run_id}")
        return caught.value.why

    ended(client, State.completed())
    assert why("run") == "it has completed; ask for another run of its deployment"
    client.request_run(request(id="waits"))
    assert why("waits") == "it has not ended: it is SCHEDULED"
    client.request_run(request(id="here", holder="terminal"))
    client.move_flow_run(Move(id="here ends", run_id="here", state=State.failed(), epoch=1))
    assert why("here") == "no agent started it, so none can start it again; call its flow once more"
    client.move_flow_run(Move(id="cancel", run_id="waits", state=State.cancelled()))
    client.delete_deployment("nightly")
    assert why("waits") == "its deployment was deleted, and its code with it"
    with pytest.raises(NotFound):
        client.retry_flow_run("nobody", "retry")
