"""Runs that schedules ask for: each time once, ahead of it, and not when it is too late or too soon."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import MissingParameter, NotInstalled, WrongData
from headrace.ids import Ids
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
from headrace.ports.queue_matcher import QueueMatcher
from headrace.ports.run_store import OpenRunStore
from headrace.ports.schedule import Schedule
from headrace.reference.queue_matcher import FlowsMatcher
from headrace.reference.schedule import MomentsSchedule
from headrace.rules.decide import RuleBook
from headrace.testing.clock import START, FixedClock
from headrace.testing.schedules import EverySchedule

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


def client_with(
    store: OpenRunStore, clock: FixedClock, *, matchers: Mapping[str, QueueMatcher], schedules: Mapping[str, Callable[..., Schedule]]
) -> LocalClient:
    """One for whom these are installed."""
    return LocalClient.over(
        store,
        rules=RuleBook(),
        clock=clock,
        lease_seconds=20,
        ids=Ids(clock, seed=1),
        matcher=lambda name: matchers[name],
        schedule=lambda choice: schedules[choice.name](**choice.options),
        tell=lambda event: None,
    )


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


def test_what_is_past_is_refused(store: OpenRunStore, clock: FixedClock) -> None:
    """A schedule that never comes again is not taken, in place of another one either; one that has come to its end meanwhile may stay."""
    client = client_with(store, clock, matchers={}, schedules={"every": EverySchedule, "moments": MomentsSchedule})

    def moments(*hours: float, **fields: Any) -> DeploymentSchedule:
        return DeploymentSchedule(kind=Choice("moments", {"moments": [later(each).isoformat() for each in hours]}), **fields)

    said = r"^deployment 'etl/nightly': its schedule 'moments' \(moments=\['2025-12-.*'\]\) has no time from now on, so that it would never make a run"
    for past in (moments(-2), moments(-1, 0)):
        with pytest.raises(WrongData, match=said):
            client.put_deployments((deployment(every(), past),))
    assert runs(client) == []
    client.put_deployments((deployment(moments(-1, 1)),))
    assert times(client) == [1]
    clock.advance(2 * HOUR)
    client.put_deployments((deployment(moments(-1, 1), tags=("new",)),))
    for other in (moments(-1, 2), moments(-1, 1, overlap=Overlap.SKIP)):
        with pytest.raises(WrongData):
            client.put_deployments((deployment(other),))
        with pytest.raises(WrongData):
            client.put_schedules("nightly", client.read_deployment("nightly").version, (other,))
    assert client.put_schedules("nightly", client.read_deployment("nightly").version, (moments(-1, 1), every())).schedules[1].version == 1
    assert times(client) == [1, 3]


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


def cancelled(client: LocalClient, run: FlowRun) -> None:
    state = State(type=StateType.CANCELLING, message="by hand")
    client.move_flow_run(Move(id=f"cancel {run.id}", run_id=run.id, state=state))


@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize("how", ["deployed", "paused and resumed"])
def test_one_that_was_cancelled_ahead_takes_no_other_with_it(client: LocalClient, place: int, how: str) -> None:
    """What stands ahead is made anew when a deployment changes or goes on, but for the time of the one that somebody cancelled."""
    client.put_deployments((deployment(every(HOUR / 4)),))
    cancelled(client, runs(client)[place])
    if how == "deployed":
        client.put_deployments((deployment(every(HOUR / 4), parameters={"x": 1}),))
    else:
        client.pause_deployment("nightly")
        client.resume_deployment("nightly")
    assert sorted(times(client)) == [0.25, 0.5, 0.75, 1]
    assert times(client, state_types=(StateType.CANCELLED,)) == [(place + 1) / 4]


def test_a_changed_deployment_loses_no_time_that_was_missed(client: LocalClient, clock: FixedClock) -> None:
    """Nobody looked for hours, and then somebody deploys: the schedule is the same, and what it says of missed times holds."""
    client.put_deployments((deployment(every(on_missed=OnMissed.RUN_ALL)),))
    clock.advance(4.5 * HOUR)
    client.put_deployments((deployment(every(on_missed=OnMissed.RUN_ALL), parameters={"x": 1}),))
    assert [(round(run.tick.at.hour), run.parameters) for run in runs(client) if run.tick] == [
        (1, {}),
        *((hour, {"x": 1}) for hour in (2, 3, 4, 5)),
    ]


def test_what_is_due_waits_while_its_deployment_is_paused(client: LocalClient, clock: FixedClock) -> None:
    """A run whose time had come before goes on with the deployment; only what is ahead goes when it is paused."""
    client.put_deployments((deployment(every(HOUR / 2, on_missed=OnMissed.RUN_ALL)),))
    clock.advance(HOUR / 2)
    client.pause_deployment("nightly")
    assert times(client) == [0.5]
    clock.advance(HOUR)
    client.resume_deployment("nightly")
    assert times(client, state_types=(StateType.SCHEDULED,)) == [0.5, 2, 2.5]


def test_a_run_that_somebody_paused_ahead_stays_so(client: LocalClient) -> None:
    """Whatever else changes of the deployment; a new version of the schedule has its own runs, and the old ones go."""
    client.put_deployments((deployment(every(HOUR / 2)),))
    first, _ = runs(client)
    client.move_flow_run(Move(id="pause", run_id=first.id, state=State.paused()))
    client.put_deployments((deployment(every(HOUR / 2), parameters={"x": 1}),))
    assert [(run.id == first.id, run.state.name) for run in runs(client)] == [(True, "Paused"), (False, "Scheduled")]
    client.put_deployments((deployment(every(HOUR / 4)),))
    assert {run.state.name for run in runs(client)} == {"Scheduled"}
    assert times(client) == [0.25, 0.5, 0.75, 1]


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
    assert [len(client.scheduling._write(looks, clock.now()).runs) for _ in range(2)] == [1, 0]


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


def test_a_clock_that_was_ahead_takes_no_times_away(client: LocalClient, clock: FixedClock, caplog: pytest.LogCaptureFixture) -> None:
    """Once it is right again, what it made ahead goes, and times that it skipped before they came have their runs; what began stays."""
    queue(client)
    client.put_deployments((deployment(every()),))
    clock.jump(24.5 * HOUR)
    client.schedule_runs()
    assert times(client, state_types=(StateType.SCHEDULED,)) == [24, 25]
    clock.jump(-24 * HOUR)
    found = client.schedule_runs()
    assert "The clock was ahead, and is set back" in caplog.text
    assert times(client, state_types=(StateType.SCHEDULED,)) == [1]
    for hour in range(1, 24):
        clock.advance(HOUR)
        assert found.next_look is not None
        found = client.schedule_runs()
        (run,) = claim(client, f"claim {hour}").runs
        assert run.tick is not None
        assert run.tick.at == later(hour)
        moved(client, run, State.running(), State.completed())
    caplog.clear()
    clock.jump(-60)
    client.schedule_runs()
    assert caplog.text == ""


def test_a_matcher_that_fails_stops_no_schedule(store: OpenRunStore, clock: FixedClock, caplog: pytest.LogCaptureFixture) -> None:
    """Its queue gets no run, others do, and it is told."""

    class Broken(FlowsMatcher):
        def matches(self, wanted: Any, run: FlowRun) -> Any:
            raise ValueError("a bug")

    kinds = {"broken": Broken(), "flows": FlowsMatcher()}
    client = client_with(store, clock, matchers=kinds, schedules={"every": EverySchedule})
    for name in kinds:
        client.put_work_queue(WorkQueue(id=name, name=name, criteria={name: ["etl"]}, created=START, updated=START))
    client.put_deployments((deployment(every()),))
    clock.advance(HOUR)
    assert client.schedule_runs().made == 1
    claims = [client.claim_runs(ClaimRequest(id=name, agent_id="agent", queue_ids=(name,), limit=5)) for name in kinds]
    assert [len(claimed.runs) for claimed in claims] == [0, 1]
    assert "The queue matcher 'broken' failed on queue 'broken'" in caplog.text


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
    assert "It had not begun by 2026-01-01 00:36:00 UTC, until when" in str(skipped[0].state.message)


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


def test_what_is_made_up_for_is_bounded_without_rounds(client: LocalClient, clock: FixedClock) -> None:
    """An agent that comes when as many times have passed gets the latest of them, whoever looked meanwhile."""
    queue(client)
    client.put_deployments((deployment(every(HOUR / 10, on_missed=OnMissed.RUN_ALL, most_missed=3, overlap=Overlap.ALLOW)),))
    clock.advance(HOUR * 0.85)
    assert [run.tick.at for run in claim(client).runs if run.tick] == [later(0.6), later(0.7), later(0.8)]
    assert len(runs(client, state_names=("Skipped",))) == 5


def test_wrong_policies_are_refused(client: LocalClient) -> None:
    """Also from those who speak to the orchestration themselves."""
    with pytest.raises(WrongData, match="deployment 'etl/nightly'.*makes up for 1 to 1000 times, not 0"):
        client.put_deployments((deployment(every(on_missed=OnMissed.RUN_ALL, most_missed=0)),))


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


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.CANCEL_PREVIOUS])
def test_overlap_is_judged_where_nobody_has_room(client: LocalClient, clock: FixedClock, overlap: Overlap) -> None:
    """A queue that is full, or no agent at all, keeps no run from being skipped and none from being cancelled; a round does it."""
    client.put_work_queue(WorkQueue(id="queue", name="queue", concurrency_limit=1, created=START, updated=START))
    client.put_deployments((deployment(every(overlap=overlap)),))
    clock.advance(HOUR)
    (first,) = claim(client, "first").runs
    moved(client, first, State.running())
    for _ in range(2):
        clock.advance(HOUR)
        client.renew_lease(first.id, first.epoch)
        assert client.schedule_runs().next_look == clock.now() + timedelta(hours=1)
    assert claim(client, "second").runs == ()
    if overlap is Overlap.SKIP:
        assert times(client, state_names=("Skipped",)) == [2, 3]
        assert client.read_flow_run(first.id).state.is_running()
    else:
        assert client.read_flow_run(first.id).state.type is StateType.CANCELLING
        moved(client, first, State.cancelled())
        assert [run.tick.at for run in claim(client, "third").runs if run.tick] == [later(3)]


def test_only_earlier_ones_are_cancelled_and_only_the_latest_is_taken(client: LocalClient, clock: FixedClock) -> None:
    """Of many that are due at once the last one runs, and none has a process for nothing."""
    queue(client)
    client.put_deployments((deployment(every(on_missed=OnMissed.RUN_ALL, overlap=Overlap.CANCEL_PREVIOUS)),))
    clock.advance(5.5 * HOUR)
    client.schedule_runs()
    assert [run.tick.at for run in claim(client).runs if run.tick] == [later(5)]
    messages = [str(run.state.message) for run in runs(client, state_names=("Skipped",))]
    assert len(messages) == 4
    assert all("A later run of its schedule is due" in message for message in messages)


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL_PREVIOUS])
def test_what_was_paused_before_it_began_is_in_nobodys_way(client: LocalClient, clock: FixedClock, overlap: Overlap) -> None:
    """It is not under way, and nobody cancels it."""
    queue(client)
    client.put_deployments((deployment(every(HOUR / 2, overlap=overlap)),))
    _, last = runs(client)
    client.move_flow_run(Move(id="pause", run_id=last.id, state=State.paused()))
    clock.advance(HOUR / 2)
    assert [run.tick.at for run in claim(client).runs if run.tick] == [later(0.5)]
    assert client.read_flow_run(last.id).state.is_paused()


def test_one_that_is_between_its_tries_is_under_way(client: LocalClient, clock: FixedClock) -> None:
    """Whatever waits beside it."""
    first = under_way(client, clock, Overlap.QUEUE, on_missed=OnMissed.RUN_ALL)
    for _ in range(4):
        clock.advance(HOUR / 2)
        client.schedule_runs()
        client.renew_lease(first.id, first.epoch)
    moved(client, first, State.scheduled(clock.now() + timedelta(hours=1), name="AwaitingRetry"))
    if not client.read_flow_run(first.id).state.is_scheduled():
        pytest.fail("it waits for its next try")
    assert claim(client, "second").runs == ()


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL_PREVIOUS])
def test_a_retry_by_hand_runs_at_once(client: LocalClient, clock: FixedClock, overlap: Overlap) -> None:
    """Somebody wants it now: whether it ever began or not, it runs beside what is under way."""
    first = under_way(client, clock, overlap)
    (waiting,) = [run for run in runs(client) if run.tick and run.tick.at == later(1)]
    if not waiting.state.is_terminal():
        cancelled(client, waiting)
    client.retry_flow_run(waiting.id, "again")
    assert [run.id for run in claim(client, "second").runs] == [waiting.id]
    assert client.read_flow_run(first.id).state.is_running()


class Counted:
    """A store that counts how often somebody writes."""

    def __init__(self, store: OpenRunStore) -> None:
        self.store = store
        self.writes = 0

    def reading(self) -> Any:
        return self.store.reading()

    def writing(self) -> Any:
        self.writes += 1
        return self.store.writing()


def test_many_that_are_held_back_keep_nobody_from_writing(client: LocalClient, store: OpenRunStore, clock: FixedClock) -> None:
    """A claim that finds nothing to take writes nothing, however many runs it passes over."""
    under_way(client, clock, Overlap.QUEUE, on_missed=OnMissed.RUN_ALL, most_missed=500)
    clock.advance(200 * HOUR)
    client.schedule_runs()
    counted = Counted(store)
    claiming = attrs.evolve(client.claiming, store=counted, matching=attrs.evolve(client.matching, store=counted))
    request = ClaimRequest(id="claim", agent_id="agent", queue_ids=("queue",), limit=5)
    assert claiming.claim(request) == Claimed(next_due=clock.now() + timedelta(minutes=1))
    assert counted.writes == 0
    asked = client.request_run(RunRequest(id="asked", deployment_id="nightly", name="asked"))
    assert [run.id for run in claiming.claim(request).runs] == [asked.id]
    assert counted.writes == 1


def test_a_claim_ends_what_is_too_late_in_portions(client: LocalClient, store: OpenRunStore, clock: FixedClock) -> None:
    """So that nobody waits for long who writes meanwhile; and who asks is not kept waiting either."""
    queue(client)
    client.put_deployments(tuple(deployment(every(HOUR / 20), name=f"number {number}") for number in range(130)))
    clock.advance(2 * HOUR)
    counted = Counted(store)
    claiming = attrs.evolve(client.claiming, store=counted)
    claimed = claiming.claim(ClaimRequest(id="claim", agent_id="agent", queue_ids=("queue",), limit=1))
    assert claimed.next_due == clock.now()
    assert counted.writes == 10
    assert len(client.read_flow_runs(FlowRunFilter(state_names=("Skipped",)), Page(limit=5000))) == 2000
