"""Work queues and what they want."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from headrace.errors import AlreadyThere, ChangedMeanwhile, InvalidName, InvalidOption, NotFound, NotInstalled, WrongData
from headrace.hooks.wanting import is_wanted, reasons
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.filters import Page, WorkQueueFilter
from headrace.model.moves import Move
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.orchestration.local_client import LocalClient
from headrace.ports.run_store import OpenRunStore, Writing
from headrace.testing.clock import START


def queue(name: str = "q", **fields: Any) -> WorkQueue:
    return WorkQueue(**({"id": name, "name": name, "created": START, "updated": START} | fields))


def run(client: LocalClient, name: str, flow: str = "etl") -> FlowRun:
    deployment = Deployment(id=flow, name=flow, flow_name=flow, code=Code(entrypoint="m:f"), created=START, updated=START)
    client.put_deployments((deployment,))
    return client.request_run(RunRequest(id=name, deployment_id=flow, name=name))


def waiting(client: LocalClient, name: str = "q") -> list[str]:
    return [run.id for run in client.read_due(name, START, 100)]


def test_a_queue_is_made_and_changed(client: LocalClient, told: list[Event]) -> None:
    """By its id; what is asked for is looked through before the answer."""
    made = client.put_work_queue(queue())
    assert made == client.read_work_queue("q") == attrs.evolve(queue(), is_matched=True, revision=1)
    changed = client.put_work_queue(attrs.evolve(made, description="new", concurrency_limit=3))
    assert client.read_work_queues(WorkQueueFilter(), Page()) == [changed]
    assert [event.kind for event in told] == ["work-queue.changed"] * 2


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (queue("a/b"), InvalidName),
        (queue(concurrency_limit=-1), InvalidOption),
        (queue(criteria={"owners": ["me"]}), NotInstalled),
        (queue(criteria={"flows": 3}), WrongData),
    ],
)
def test_a_wrong_queue_is_refused(client: LocalClient, wrong: WorkQueue, error: type[Exception]) -> None:
    """And nothing is kept of it."""
    with pytest.raises(error):
        client.put_work_queue(wrong)
    assert client.read_work_queues(WorkQueueFilter(), Page()) == []


def test_a_name_is_taken_once(client: LocalClient) -> None:
    """The error says what to do."""
    client.put_work_queue(queue())
    with pytest.raises(AlreadyThere, match="there is a work queue 'q' already"):
        client.put_work_queue(queue(id="other"))


def test_runs_come_to_the_queues_that_want_them(client: LocalClient) -> None:
    """Those of deployments, until they have ended."""
    client.put_work_queue(queue())
    client.put_work_queue(queue("reports", criteria={"flows": ["report"]}))
    run(client, "one")
    run(client, "two", "report")
    client.create_flow_run(
        FlowRun(id="called", name="called", state=State.scheduled(START), created=START, flow_name="etl", root_id="called")
    )
    assert (waiting(client), waiting(client, "reports")) == (["one", "two"], ["two"])
    client.move_flow_run(Move(id="m", run_id="two", state=State.cancelled()))
    assert (waiting(client), waiting(client, "reports")) == (["one"], [])


def test_changed_criteria_are_applied_to_what_waits(client: LocalClient) -> None:
    """What is wanted no longer leaves, and what is wanted now comes."""
    client.put_work_queue(queue(criteria={"flows": ["etl"]}))
    run(client, "one")
    run(client, "two", "report")
    assert waiting(client) == ["one"]
    client.put_work_queue(attrs.evolve(client.read_work_queue("q"), criteria={"flows": ["report"]}))
    assert waiting(client) == ["two"]


def test_of_two_changes_at_once_none_is_lost(client: LocalClient) -> None:
    """The second, which does not know of the first, is refused, and changes nothing."""
    made = client.put_work_queue(queue())
    first = client.put_work_queue(attrs.evolve(made, is_paused=True))
    with pytest.raises(ChangedMeanwhile, match="work queue 'q' was changed by somebody else meanwhile"):
        client.put_work_queue(attrs.evolve(made, description="new"))
    assert client.read_work_queue("q") == first
    assert client.put_work_queue(attrs.evolve(first, description="new")).is_paused


def test_a_queue_that_was_deleted_meanwhile_stays_deleted(client: LocalClient) -> None:
    """Whoever changes it is told that it is gone."""
    made = client.put_work_queue(queue())
    client.delete_work_queue("q")
    with pytest.raises(NotFound):
        client.put_work_queue(attrs.evolve(made, is_paused=True))
    assert client.read_work_queues(WorkQueueFilter(), Page()) == []


def test_criteria_that_changed_between_two_portions_are_applied_to_all(client: LocalClient, store: OpenRunStore) -> None:
    """Whoever looks through old runs begins again when somebody changes what is looked for."""
    for number in range(250):
        run(client, f"run{number:03}", "etl" if number % 2 else "report")
    with store.writing() as writing:
        writing.put_work_queue(queue(criteria={"flows": ["etl"]}))
    changing = Changing(store, queue(criteria={"flows": ["report"]}))
    attrs.evolve(client.matching, store=changing).finish(["q"])
    assert waiting(client) == [f"run{number:03}" for number in range(0, 200, 2)]
    assert len(client.read_due("q", START, 500)) == 125


class Changing:
    """A store in which somebody changes a queue after the first transaction."""

    def __init__(self, store: OpenRunStore, queue: WorkQueue) -> None:
        self._store = store
        self._queue: WorkQueue | None = queue

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        with self._store.writing() as writing:
            yield writing
        if self._queue is not None:
            with self._store.writing() as writing:
                writing.put_work_queue(self._queue)
            self._queue = None


def test_a_queue_whose_matcher_is_gone_can_be_changed(client: LocalClient, store: OpenRunStore) -> None:
    """It can be paused and described; only other criteria must be understood."""
    with store.writing() as writing:
        writing.put_work_queue(queue(criteria={"owners": ["me"]}))
    paused = client.put_work_queue(queue(criteria={"owners": ["me"]}, is_paused=True))
    assert client.read_work_queue("q") == paused
    with pytest.raises(NotInstalled):
        client.put_work_queue(attrs.evolve(paused, criteria={"owners": ["you"]}))


def test_criteria_are_kept_in_their_own_shape(client: LocalClient) -> None:
    """One flow is a list of one flow, whoever asks."""
    assert client.put_work_queue(queue(criteria={"flows": "etl"})).criteria == {"flows": ["etl"]}


def test_a_deleted_queue_is_gone(client: LocalClient, told: list[Event]) -> None:
    """Its runs are not."""
    client.put_work_queue(queue())
    run(client, "one")
    client.delete_work_queue("q")
    assert client.read_flow_run("one").state.is_scheduled()
    assert told[-1].kind == "work-queue.deleted"
    for ask in (client.read_work_queue, client.delete_work_queue, waiting):
        with pytest.raises(NotFound):
            ask("q") if ask is not waiting else waiting(client)


def test_reasons_are_told(client: LocalClient) -> None:
    """For each matcher that the queue names; one that is not installed any more wants nothing, and says so."""
    wanted = run(client, "one")
    asked = queue(criteria={"flows": ["etl"], "owners": ["me"]})
    flows, owners = reasons(asked, wanted, client.matching.matcher)
    assert (flows.fits, owners.fits) == (True, False)
    assert "owners" in owners.why
    assert not is_wanted(asked, wanted, client.matching.matcher)
