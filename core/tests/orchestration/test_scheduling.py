"""Runs that schedules ask for: each time once, ahead of it, and not when it is too late or too soon."""

from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import MissingParameter, NotInstalled, WrongData
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.moves import Move
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, OnMissed, Overlap
from headrace.model.states import State, StateType
from headrace.orchestration.local_client import LocalClient
from headrace.ports.run_store import OpenRunStore
from headrace.testing.clock import START, FixedClock

HOUR = 3600.0


def deployment(*schedules: DeploymentSchedule, name: str = "nightly", **fields: Any) -> Deployment:
    plain: dict[str, Any] = {"id": name, "flow_name": "etl", "code": Code(entrypoint="etl:etl"), "created": START, "updated": START}
    return Deployment(name=name, schedules=schedules, **(plain | fields))


def every(seconds: float = HOUR, **fields: Any) -> DeploymentSchedule:
    return DeploymentSchedule(kind=Choice("every", {"seconds": seconds}), **fields)


def later(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def runs(client: LocalClient, **wanted: Any) -> list[FlowRun]:
    return client.read_flow_runs(FlowRunFilter(**wanted), Page(newest_first=False))


def times(client: LocalClient, **wanted: Any) -> list[float]:
    """How many hours after `START` the times are that runs were made for."""
    return [(run.tick.at - START) / timedelta(hours=1) for run in runs(client, **wanted) if run.tick is not None]


def kept(client: LocalClient) -> DeploymentSchedule:
    """The one schedule as it is kept."""
    (schedule,) = client.read_deployment("nightly").schedules
    return schedule


def queue(client: LocalClient) -> None:
    client.put_work_queue(WorkQueue(id="queue", name="queue", created=START, updated=START))


def claim(client: LocalClient, move: str = "claim") -> Claimed:
    return client.claim_runs(ClaimRequest(id=move, agent_id="agent", queue_ids=("queue",), limit=5))


def moved(client: LocalClient, run: FlowRun, *states: State) -> None:
    for state in states:
        client.move_flow_run(Move(id=f"{run.id} {state.name}", run_id=run.id, state=state, epoch=run.epoch))


# Made, changed, taken away


def test_its_runs_are_there_at_once(client: LocalClient, told: list[Event]) -> None:
    """Deploying makes what is within the horizon; it is due at its times, and like any other run else."""
    client.put_deployments((deployment(every(HOUR / 4), tags=("a",), parameters={"x": 1}, max_restarts=2),))
    made = runs(client)
    assert [run.expected_start_time for run in made] == [later(quarter / 4) for quarter in (1, 2, 3, 4)]
    assert {(run.state.type, run.deployment_id, run.tags, run.parameters["x"], run.max_restarts) for run in made} == {
        (StateType.SCHEDULED, "nightly", ("a",), 1, 2)
    }
    assert [run.state.scheduled_time for run in made] == [run.expected_start_time for run in made]
    assert len({run.name for run in made}) == len(made)
    assert [event.kind for event in told] == ["deployment.changed", *["flow-run.created"] * 4]


def test_a_schedule_keeps_its_identity(client: LocalClient, clock: FixedClock) -> None:
    """Deployed again as it is, nothing happens; changed, it is a new version of the same schedule."""
    client.put_deployments((deployment(every()),))
    first = kept(client)
    assert (first.version, first.since) == (1, START)
    made = runs(client)
    clock.advance(60)
    client.put_deployments((deployment(every()),))
    assert (kept(client), runs(client)) == (first, made)
    client.put_deployments((deployment(every(2 * HOUR)),))
    assert (kept(client).id, kept(client).version, kept(client).since) == (first.id, 2, START + timedelta(minutes=1))
    assert times(client) == [2]
    client.put_deployments((deployment(),))
    assert (client.read_deployment("nightly").schedules, runs(client)) == ((), [])
    client.put_deployments((deployment(every()),))
    assert kept(client).id != first.id


def test_of_several_the_unchanged_ones_stay(client: LocalClient) -> None:
    """Whatever order they are written in; one that is changed is told by its place among the others."""
    client.put_deployments((deployment(every(HOUR), every(HOUR / 2), every(HOUR / 4)),))
    first, second, third = client.read_deployment("nightly").schedules
    client.put_deployments((deployment(every(HOUR / 4), every(HOUR / 3), every(HOUR)),))
    found = client.read_deployment("nightly").schedules
    assert [each.id for each in found] == [third.id, second.id, first.id]
    assert [each.version for each in found] == [1, 2, 1]


def test_a_changed_schedule_makes_nothing_that_is_past(client: LocalClient, clock: FixedClock) -> None:
    """A time of today that the new version would have had is past, and stays so; what the old one made and nobody took is gone."""
    client.put_deployments((deployment(every(4 * HOUR)),))
    clock.advance(4.5 * HOUR)
    client.put_deployments((deployment(every(HOUR)),))
    assert times(client) == [5]


def test_a_changed_deployment_changes_what_is_to_come(client: LocalClient, clock: FixedClock) -> None:
    """Runs that are ahead get the new parameters; one that is due already was asked for with the old ones, and is not lost."""
    client.put_deployments((deployment(every(HOUR / 2), parameters={"x": 1}),))
    clock.advance(HOUR / 2)
    client.put_deployments((deployment(every(HOUR / 2), parameters={"x": 2}),))
    assert [(run.tick and (run.tick.at - START).total_seconds() / HOUR, run.parameters["x"]) for run in runs(client)] == [
        (0.5, 1),
        (1, 2),
        (1.5, 2),
    ]


def test_a_paused_deployment_makes_no_runs(client: LocalClient, clock: FixedClock) -> None:
    """Neither ahead nor, once it goes on, for the time in between; what somebody asked for waits."""
    client.put_deployments((deployment(every()),))
    client.request_run(RunRequest(id="asked", deployment_id="nightly", name="asked"))
    client.pause_deployment("nightly")
    clock.advance(5.5 * HOUR)
    assert client.schedule_runs().made == 0
    assert [run.id for run in runs(client)] == ["asked"]
    client.resume_deployment("nightly")
    assert times(client) == [6]


def test_a_deployment_takes_its_schedules_with_it(client: LocalClient, clock: FixedClock) -> None:
    """What it made goes too, and nothing is made any more."""
    client.put_deployments((deployment(every()),))
    client.delete_deployment("nightly")
    clock.advance(5 * HOUR)
    assert client.schedule_runs() == attrs.evolve(client.schedule_runs(), made=0, skipped=0, next_look=None)
    assert runs(client) == []


def test_what_cannot_be_is_refused(client: LocalClient) -> None:
    """A kind that is not there, and parameters that nobody would give."""
    with pytest.raises(NotInstalled):
        client.put_deployments((deployment(DeploymentSchedule(kind=Choice("moon"))),))
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    with pytest.raises(MissingParameter):
        client.put_deployments((deployment(every(), parameter_schema=schema),))
    with pytest.raises(WrongData, match="it has 101 schedules, and may have 100"):
        client.put_deployments((deployment(*(every(seconds) for seconds in range(1, 102))),))
    client.put_deployments((deployment(every(), parameter_schema=schema, parameters={"x": 1}),))
    assert len(runs(client)) == 1


# Rounds


def test_each_time_has_one_run(client: LocalClient, store: OpenRunStore, clock: FixedClock) -> None:
    """However often, and by however many, it is asked."""
    client.put_deployments((deployment(every(HOUR / 10)),))
    for _ in range(50):
        clock.advance(HOUR / 20)
        for _ in range(3):
            client.schedule_runs()
    found = times(client)
    assert found == sorted(set(found))
    assert found == [number / 10 for number in range(1, len(found) + 1)]
    assert all(run.state.name in ("Scheduled", "Skipped") for run in runs(client))


def test_what_two_see_one_makes(client: LocalClient, store: OpenRunStore, clock: FixedClock) -> None:
    """Two rounds that looked at the same moment: the second finds the times decided, and makes none."""
    client.put_deployments((deployment(every()),))
    clock.advance(HOUR)
    with store.reading() as reading:
        plans = reading.schedule_plans(clock.now(), 10)
        looks = [client.scheduling._look(plan, reading.deployment("nightly"), clock.now()) for plan in plans]
    assert [len(client.scheduling._write(looks, clock.now())[0]) for _ in range(2)] == [1, 0]


def test_the_next_look_is_told(client: LocalClient, clock: FixedClock) -> None:
    """When there is more to decide: when the last run that was made is due, at the latest."""
    client.put_deployments((deployment(every(6 * HOUR)),))
    assert client.schedule_runs().next_look == later(6)
    clock.advance(6 * HOUR)
    found = client.schedule_runs()
    assert (found.made, found.next_look) == (1, later(12))


def test_one_that_fails_is_in_no_others_way(
    client: LocalClient, store: OpenRunStore, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A kind that is gone is told, tried again later, and the others have their runs."""
    client.put_deployments((deployment(every()), deployment(every(), name="other")))
    broken = client.read_deployment("nightly")
    moon = attrs.evolve(broken.schedules[0], kind=Choice("moon"))
    with store.writing() as writing:
        writing.put_deployment(attrs.evolve(broken, schedules=(moon,)))
    clock.advance(HOUR)
    assert client.schedule_runs().made == 1
    assert "'moon' of deployment 'etl/nightly' makes no runs: no schedule named 'moon'" in caplog.text
    caplog.clear()
    client.schedule_runs()
    assert caplog.text == ""
    with store.writing() as writing:
        writing.put_deployment(broken)
    clock.advance(60)
    assert client.schedule_runs().made == 1
    assert times(client, deployment_ids=("nightly",)) == times(client, deployment_ids=("other",)) == [1, 2]


# Too late


@pytest.mark.parametrize(
    ("policy", "scheduled", "skipped"),
    [(OnMissed.RUN_LATEST, [4, 5], [1, 2, 3]), (OnMissed.SKIP, [5], [1, 2, 3, 4]), (OnMissed.RUN_ALL, [1, 2, 3, 4, 5], [])],
)
def test_what_was_missed(client: LocalClient, clock: FixedClock, policy: OnMissed, scheduled: list[float], skipped: list[float]) -> None:
    """Nobody looked for hours: what is not made up for is recorded, with why."""
    client.put_deployments((deployment(every(on_missed=policy)),))
    clock.advance(4.5 * HOUR)
    client.schedule_runs()
    assert times(client, state_types=(StateType.SCHEDULED,)) == scheduled
    assert sorted(times(client, state_names=("Skipped",))) == skipped
    for run in runs(client, state_names=("Skipped",)):
        assert run.state.is_cancelled()
        assert run.end_time == clock.now()
        assert run.state.message


def test_a_run_that_nobody_took_in_time_is_skipped(client: LocalClient, clock: FixedClock) -> None:
    """By a round, where there is no agent; the next time has come, and has its own run."""
    client.put_deployments((deployment(every()),))
    (first,) = runs(client)
    clock.advance(HOUR)
    client.schedule_runs()
    clock.advance(HOUR)
    assert client.schedule_runs().skipped == 1
    ended = client.read_flow_run(first.id)
    assert (ended.state.name, ended.end_time) == ("Skipped", later(2))
    assert "had not begun by 2026" in str(ended.state.message)


def test_an_agent_that_comes_too_late_gets_the_latest(client: LocalClient, clock: FixedClock) -> None:
    """What is over is skipped when it would be handed out, whether or not there was a round."""
    queue(client)
    client.put_deployments((deployment(every(HOUR / 4)),))
    clock.advance(HOUR * 0.8)
    claimed = claim(client)
    assert [(run.tick.at - START) / timedelta(hours=1) for run in claimed.runs if run.tick is not None] == [0.75]
    assert times(client, state_names=("Skipped",)) == [0.25, 0.5]
    assert claimed.next_due == later(1)


def test_who_began_is_not_skipped(client: LocalClient, clock: FixedClock) -> None:
    """A run that failed and is to be tried again has begun in time."""
    queue(client)
    client.put_deployments((deployment(every(), retries=3, max_restarts=3),))
    clock.advance(HOUR)
    (run,) = claim(client).runs
    moved(client, run, State.running())
    moved(client, client.read_flow_run(run.id), State.crashed("killed"))
    assert client.read_flow_run(run.id).state.is_scheduled()
    clock.advance(2 * HOUR)
    client.schedule_runs()
    assert run.id in [each.id for each in claim(client, "again").runs]


def test_no_backlog_grows_for_ever(client: LocalClient, clock: FixedClock) -> None:
    """Nobody takes runs of a schedule all of whose times are to be made up for: as many as that wait, the latest."""
    client.put_deployments((deployment(every(HOUR / 10, on_missed=OnMissed.RUN_ALL, most_missed=5)),))
    for _ in range(60):
        clock.advance(HOUR / 10)
        client.schedule_runs()
    waiting = [hours for hours in times(client, state_types=(StateType.SCHEDULED,)) if hours <= 6]
    assert waiting[-5:] == [5.6, 5.7, 5.8, 5.9, 6.0]
    assert len(waiting) <= 5 + 20
    skipped = runs(client, state_names=("Skipped",))
    assert len(skipped) + len(waiting) == 60
    assert "5 later times of its schedule wait" in str(skipped[0].state.message)


def test_many_may_be_held_back(client: LocalClient, clock: FixedClock) -> None:
    """What is behind them in the queue is taken all the same."""
    first = under_way(client, clock, Overlap.QUEUE, on_missed=OnMissed.RUN_ALL, most_missed=50)
    for number in range(30):
        clock.advance(HOUR / 2)
        client.renew_lease(first.id, first.epoch)
        client.schedule_runs()
        client.request_run(RunRequest(id=f"asked {number}", deployment_id="nightly", name="asked"))
        clock.advance(1)
        claimed = client.claim_runs(ClaimRequest(id=f"claim {number}", agent_id="agent", queue_ids=("queue",), limit=5))
        assert [run.id for run in claimed.runs] == [f"asked {number}"]
    assert len([run for run in runs(client, state_types=(StateType.SCHEDULED,)) if run.tick and run.tick.at <= clock.now()]) >= 30


def test_one_that_was_skipped_may_be_wanted_all_the_same(client: LocalClient, clock: FixedClock) -> None:
    """Somebody asks for it once more, and it runs, however late."""
    queue(client)
    client.put_deployments((deployment(every(2 * HOUR, on_missed=OnMissed.SKIP)),))
    clock.advance(3 * HOUR)
    client.schedule_runs()
    (skipped,) = runs(client, state_names=("Skipped",))
    client.retry_flow_run(skipped.id, "again")
    clock.advance(60)
    assert [run.id for run in claim(client).runs] == [skipped.id]


# Too soon


def under_way(client: LocalClient, clock: FixedClock, overlap: Overlap, **policy: Any) -> FlowRun:
    """A run of a schedule, while the next one is due."""
    queue(client)
    client.put_deployments((deployment(every(HOUR / 2, overlap=overlap, **policy)),))
    clock.advance(HOUR / 2)
    (first,) = claim(client, "first").runs
    moved(client, first, State.running())
    clock.advance(HOUR / 2)
    client.renew_lease(first.id, first.epoch)
    return first


def test_both_may_run_at_once(client: LocalClient, clock: FixedClock) -> None:
    """Where that is allowed."""
    under_way(client, clock, Overlap.ALLOW)
    assert len(claim(client, "second").runs) == 1


def test_the_later_one_is_skipped(client: LocalClient, clock: FixedClock) -> None:
    """With a record that names the earlier one."""
    first = under_way(client, clock, Overlap.SKIP)
    assert claim(client, "second").runs == ()
    (skipped,) = runs(client, state_names=("Skipped",))
    assert first.name in str(skipped.state.message)


def test_the_later_one_waits(client: LocalClient, clock: FixedClock) -> None:
    """Until the earlier one has ended; why is explained."""
    first = under_way(client, clock, Overlap.QUEUE)
    assert claim(client, "second").runs == ()
    (waiting,) = [run for run in runs(client, state_types=(StateType.SCHEDULED,)) if run.tick and run.tick.at == later(1)]
    assert f"an earlier run of its schedule is under way: {first.name}" in client.explain_flow_run(waiting.id).summary
    moved(client, first, State.completed())
    assert [run.id for run in claim(client, "third").runs] == [waiting.id]


def test_the_earlier_one_is_cancelled(client: LocalClient, clock: FixedClock) -> None:
    """It is told to stop, and once it has, the later one begins."""
    first = under_way(client, clock, Overlap.CANCEL_PREVIOUS)
    assert claim(client, "second").runs == ()
    assert client.read_flow_run(first.id).state.type is StateType.CANCELLING
    assert claim(client, "again").runs == ()
    order = client.renew_lease(first.id, first.epoch)
    assert order.stop
    moved(client, first, State.cancelled())
    (second,) = claim(client, "third").runs
    assert second.tick is not None
    assert second.tick.at == later(1)


def test_runs_that_people_ask_for_are_in_nobodys_way(client: LocalClient, clock: FixedClock) -> None:
    """Only runs of the same schedule are."""
    under_way(client, clock, Overlap.SKIP)
    client.request_run(RunRequest(id="asked", deployment_id="nightly", name="asked"))
    assert [run.id for run in claim(client, "second").runs] == ["asked"]
