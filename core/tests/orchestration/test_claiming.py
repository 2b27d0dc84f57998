"""Claims: each run once, in order, with a lease."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import NotFound
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.filters import Page, WorkQueueFilter
from headrace.model.moves import Move
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.states import State, StateType
from headrace.orchestration.local_client import LocalClient
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, wait
from headrace.testing.clock import START, FixedClock


@pytest.fixture(autouse=True)
def deployments(client: LocalClient) -> None:
    """Two flows with a deployment each, of their names."""
    client.put_deployments(tuple(deployment(name) for name in ("etl", "report")))


def deployment(name: str) -> Deployment:
    return Deployment(id=name, name=name, flow_name=name, code=Code(entrypoint="m:f"), created=START, updated=START)


def queue(client: LocalClient, name: str = "all", **fields: Any) -> WorkQueue:
    known = client.read_work_queues(WorkQueueFilter(ids=(name,)), Page())
    revision = known[0].revision if known else 0
    return client.put_work_queue(WorkQueue(id=name, name=name, created=START, updated=START, revision=revision, **fields))


def run(client: LocalClient, name: str, of: str = "etl", seconds: float = 0) -> None:
    client.request_run(RunRequest(id=name, deployment_id=of, name=name, at=START + timedelta(seconds=seconds)))


def claim(client: LocalClient, name: str = "claim", queues: tuple[str, ...] = ("all",), limit: int = 10) -> Claimed:
    return client.claim_runs(ClaimRequest(id=name, agent_id="agent", queue_ids=queues, limit=limit))


def names(claimed: Claimed) -> list[str]:
    return [run.id for run in claimed.runs]


def move(client: LocalClient, run_id: str, state: State, epoch: int = 1) -> Verdict:
    return client.move_flow_run(Move(id=f"{run_id} {state.type}", run_id=run_id, state=state, epoch=epoch))


def test_what_is_due_is_given_out_once(client: LocalClient, told: list[Event]) -> None:
    """In the order in which it is due, PENDING, each with a lease in its first epoch."""
    queue(client)
    for name, seconds in (("late", 0), ("earlier", -60), ("future", 60)):
        run(client, name, seconds=seconds)
    told.clear()
    claimed = claim(client)
    assert names(claimed) == ["earlier", "late"]
    assert claimed.next_due == START + timedelta(seconds=60)
    assert all(run.state.is_pending() and run.epoch == 1 for run in claimed.runs)
    assert [client.read_flow_run(name) for name in ("earlier", "late")] == list(claimed.runs)
    assert [event.kind for event in told] == ["flow-run.PENDING"] * 2
    assert not client.renew_lease("late", 1).stop
    assert claim(client, "second") == Claimed(next_due=claimed.next_due)


def test_a_claim_asked_twice_gives_the_same(client: LocalClient) -> None:
    """Whose answer was lost gets it again, and nothing more."""
    queue(client)
    run(client, "one")
    first = claim(client)
    run(client, "two")
    again = claim(client)
    assert (again.runs, again.is_over) == (first.runs, True)
    assert names(claim(client, "next")) == ["two"]


def test_a_claim_that_was_given_nothing_is_open(client: LocalClient) -> None:
    """Whoever asks goes on with its id, and is given what was taken by a message of it that came late."""
    queue(client)
    assert claim(client) == Claimed()
    run(client, "one")
    late = claim(client)
    run(client, "two")
    heard = claim(client, limit=1)
    assert (names(late), heard.runs, late.is_over, heard.is_over) == (["one"], late.runs, True, True)


@pytest.mark.parametrize("kept", [False, True])
def test_a_claim_that_comes_late_takes_nothing_in_place_of_what_others_have_now(client: LocalClient, kept: bool) -> None:
    """It is given what is left of what it was given, which may be nothing."""
    queue(client)
    run(client, "one")
    if kept:
        run(client, "other")
    claim(client)
    move(client, "one", State.scheduled(START))
    assert names(claim(client, "second")) == ["one"]
    run(client, "two")
    late = claim(client)
    assert (names(late), late.is_over) == (["other"] if kept else [], True)
    assert names(claim(client, "third")) == ["two"]


def test_a_claim_that_comes_late_takes_nothing_in_place_of_what_was_deleted(client: LocalClient) -> None:
    """As long as any of its runs is there."""
    queue(client)
    run(client, "one")
    run(client, "two")
    claim(client)
    client.delete_flow_run("one")
    run(client, "three")
    assert names(claim(client)) == ["two"]


def test_a_claim_is_given_what_it_was_given_though_a_queue_is_gone(client: LocalClient) -> None:
    """Which it was taken through."""
    queue(client)
    run(client, "one")
    first = claim(client)
    client.delete_work_queue("all")
    assert claim(client).runs == first.runs


def test_a_claim_that_finds_nothing_leaves_nothing_behind(client: LocalClient) -> None:
    """Many ask often; no store is written to for that."""
    queue(client)
    run(client, "later", seconds=60)
    before = client.store.version()
    claim(client)
    assert client.store.version() == before


def test_a_claim_takes_all_at_once(client: LocalClient) -> None:
    """Though there is more than is judged in one transaction; so a message that comes twice finds all of it, or nothing. Who asks is told to ask again."""
    queue(client)
    for number in range(201):
        run(client, f"run{number:03}")
    first = claim(client, limit=500)
    assert (len(first.runs), first.next_due) == (200, START)
    assert claim(client, limit=500).runs == first.runs
    assert names(claim(client, "second", limit=500)) == ["run200"]


def test_no_more_than_the_limit(client: LocalClient, clock: FixedClock) -> None:
    """What is left is due now."""
    queue(client)
    for number in range(3):
        run(client, f"run{number}")
    claimed = claim(client, limit=2)
    assert (len(claimed.runs), claimed.next_due) == (2, clock.now())
    assert claim(client, "none", limit=0).runs == ()


def test_queues_that_overlap_give_a_run_once(client: LocalClient) -> None:
    """Through whichever it is taken."""
    queue(client)
    queue(client, "etl", criteria={"flows": ["etl"]})
    run(client, "one")
    run(client, "two", of="report")
    assert names(claim(client, queues=("etl",))) == ["one"]
    assert names(claim(client, "second", queues=("etl", "all"))) == ["two"]


def test_a_run_knows_the_queue_that_it_was_taken_from(client: LocalClient) -> None:
    """By its name, for good, though it counts in the others that want it too; before, it was taken from none."""
    queue(client, "shut", concurrency_limit=0)
    queue(client, "open")
    run(client, "a")
    assert client.read_flow_run("a").work_queue is None
    (taken,) = claim(client, queues=("shut", "open")).runs
    assert (taken.work_queue, client.read_flow_run("a").work_queue) == ("open", "open")
    move(client, "a", State.running())
    move(client, "a", State.completed())
    client.delete_work_queue("open")
    assert client.read_flow_run("a").work_queue == "open"


def test_a_paused_queue_gives_nothing(client: LocalClient) -> None:
    """Until it goes on; another that wants the same run gives it."""
    queue(client, is_paused=True)
    run(client, "one")
    assert claim(client) == Claimed()
    queue(client)
    assert names(claim(client, "second")) == ["one"]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_queue_with_a_limit_gives_so_many(client: LocalClient, limit: int) -> None:
    """0 gives none; what has ended makes room."""
    queue(client, concurrency_limit=limit)
    for number in range(3):
        run(client, f"run{number}")
    assert len(claim(client).runs) == limit
    assert claim(client, "second").runs == ()
    if limit:
        move(client, "run0", State.running())
        assert claim(client, "third").runs == ()
        move(client, "run0", State.completed())
        assert names(claim(client, "fourth")) == [f"run{limit}"]


def test_a_run_counts_in_every_queue_that_wants_it(client: LocalClient) -> None:
    """So the one with a limit is full though the run was taken through the other."""
    queue(client)
    queue(client, "narrow", concurrency_limit=1)
    run(client, "one")
    run(client, "two")
    assert names(claim(client, limit=1)) == ["one"]
    assert claim(client, "second", queues=("narrow",)).runs == ()
    assert names(claim(client, "third", queues=("narrow", "all"))) == ["two"]


def test_a_full_queue_stands_in_no_others_way(client: LocalClient) -> None:
    """What another queue wants is given, though it is due later."""
    queue(client, "narrow", concurrency_limit=0)
    queue(client, "wide", criteria={"flows": ["report"]})
    run(client, "one")
    run(client, "two", of="report", seconds=-1)
    assert names(claim(client, queues=("narrow", "wide"))) == ["two"]


def test_an_expired_lease_makes_room(client: LocalClient, clock: FixedClock) -> None:
    """A run whose agent is gone counts no longer."""
    queue(client, concurrency_limit=1)
    run(client, "one")
    run(client, "two")
    assert names(claim(client)) == ["one"]
    clock.advance(21)
    assert names(claim(client, "second")) == ["two"]


def test_a_run_that_was_given_back_is_given_out_again(client: LocalClient) -> None:
    """In the next epoch; the first owner can write nothing any more."""
    queue(client)
    run(client, "one")
    claim(client)
    move(client, "one", State.scheduled(START))
    (again,) = claim(client, "second").runs
    assert again.epoch == 2
    assert move(client, "one", State.running()).stop
    assert not move(client, "one", State.completed(), epoch=2).stop


def test_a_run_that_waits_for_its_retry_is_not_given_out(client: LocalClient, clock: FixedClock) -> None:
    """Its process owns it; when that is gone, somebody else gets it."""
    queue(client)
    run(client, "one")
    claim(client)
    move(client, "one", State.running())
    client.move_flow_run(Move(id="again", run_id="one", state=State.scheduled(START, name="AwaitingRetry"), epoch=1))
    assert claim(client, "second").runs == ()
    clock.advance(21)
    assert names(claim(client, "third")) == ["one"]


def test_a_run_that_no_agent_started_is_given_to_none(client: LocalClient, clock: FixedClock) -> None:
    """Also where its process died while it waited for its next try, until that is found."""
    queue(client)
    client.put_deployments((attrs.evolve(deployment("etl"), retries=1),))
    client.request_run(RunRequest(id="here", deployment_id="etl", name="here", holder="terminal"))
    run(client, "other")
    move(client, "here", State.running())
    move(client, "here", State.failed())
    clock.advance(21)
    assert names(claim(client)) == ["other"]
    client.release_lost_runs()
    assert client.read_flow_run("here").state.is_lost()


def test_a_queue_finds_the_runs_that_were_there_before(client: LocalClient) -> None:
    """All of them, however many pages; also when its criteria are changed."""
    for number in range(450):
        run(client, f"run{number:03}", of="etl" if number % 2 else "report")
    for name in ("etl", "report"):
        queue(client, criteria={"flows": [name]})
        assert [len(claim(client, f"{name} {number}", limit=500).runs) for number in range(3)] == [200, 25, 0]


def test_a_queue_that_was_not_finished_is_finished_by_a_claim(client: LocalClient) -> None:
    """Whoever made it may have been killed on the way."""
    run(client, "one")
    with client.store.writing() as writing:
        writing.put_work_queue(WorkQueue(id="all", name="all", created=START, updated=START))
    assert names(claim(client)) == ["one"]
    assert client.read_work_queue("all").is_matched


def test_a_queue_that_is_gone_is_told(client: LocalClient) -> None:
    """By its id."""
    with pytest.raises(NotFound, match="all"):
        claim(client)


class NotYet:
    """A rule of a plugin: nothing is taken in the first minute."""

    name = "not_yet"
    moves = moves(to={StateType.PENDING})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return (
            wait(START + timedelta(seconds=60), "too early")
            if facts.run.id == "one" and facts.now < START + timedelta(seconds=60)
            else None
        )


class TestWithARule:
    """An extra rule has its say before a run is taken."""

    @pytest.fixture
    def rules(self) -> RuleBook:
        return RuleBook([NotYet()])

    def test_what_a_rule_holds_back_is_passed_over(self, client: LocalClient, clock: FixedClock) -> None:
        """The others are given, and the moment to ask again is the rule's."""
        queue(client)
        run(client, "one")
        run(client, "two")
        claimed = claim(client)
        assert (names(claimed), claimed.next_due) == (["two"], START + timedelta(seconds=60))
        clock.advance(60)
        assert names(claim(client, "second")) == ["one"]
