"""What is forgotten, and when."""

from datetime import timedelta

import attrs
import pytest

from headrace.model.agents import Agent
from headrace.model.filters import EventFilter, FlowRunFilter, LogFilter, Page
from headrace.model.journals import JournalBatch
from headrace.model.logs import LogLine
from headrace.model.retention import Forgotten, Retention
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.orchestration import retention
from headrace.orchestration.local_client import LocalClient
from headrace.testing.clock import START, FixedClock

DAY = 86_400.0


def run(client: LocalClient, clock: FixedClock, name: str, state: State) -> None:
    """A run made now, that says one line."""
    now = clock.now()
    made = FlowRun(id=name, name=name, state=attrs.evolve(state, timestamp=now), created=now, flow_name="f", root_id=name)
    client.create_flow_run(made, holder="me")
    line = LogLine(id=f"line {name}", flow_run_id=name, timestamp=now, level=20, logger="l", message="m")
    client.write_journal(JournalBatch(flow_run_id=name, epoch=1, logs=(line,)))


def names(client: LocalClient) -> list[str]:
    return [run.id for run in client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))]


def lines(client: LocalClient) -> list[str]:
    return [line.flow_run_id for line in client.read_logs(LogFilter(), Page(newest_first=False))]


def forget(client: LocalClient) -> list[Forgotten]:
    """All portions."""
    portions = [client.forget_old()]
    while not portions[-1].is_all:
        portions.append(client.forget_old())
    return portions


def test_runs_are_forgotten_after_their_time(client: LocalClient, clock: FixedClock) -> None:
    """Ninety days after they were made, details fourteen; what has not ended stays, whole."""
    run(client, clock, "ended", State.completed())
    run(client, clock, "runs", State.running())
    clock.advance(10 * DAY)
    run(client, clock, "young", State.failed())
    assert client.forget_old() == Forgotten()
    clock.advance(5 * DAY)
    assert client.plan_forgetting().details == 1
    (first,) = forget(client)
    assert (first.runs, first.details, first.events) == (0, 1, 4)
    assert (names(client), lines(client)) == (["ended", "runs", "young"], ["runs", "young"])
    assert forget(client) == [Forgotten()]
    clock.advance(10 * DAY)
    forget(client)
    assert lines(client) == ["runs"]
    clock.advance(66 * DAY)
    plan = client.plan_forgetting()
    assert (plan.runs, plan.details) == (1, 0)
    assert forget(client)[0].runs == 1
    assert names(client) == ["runs", "young"]


def test_many_are_forgotten_in_portions(client: LocalClient, clock: FixedClock) -> None:
    """None is left, and none is looked at twice."""
    for number in range(45):
        run(client, clock, f"run{number:02}", State.completed())
    clock.advance(20 * DAY)
    assert [portion.details for portion in forget(client)] == [20, 20, 5]
    clock.advance(80 * DAY)
    assert client.plan_forgetting().runs == 45
    assert [portion.runs for portion in forget(client)] == [20, 20, 5]
    assert names(client) == []


@pytest.mark.parametrize(
    ("retention", "kept"), [(Retention(runs=None), (1, 0)), (Retention(details=None), (0, 0)), (Retention(runs=None, details=None), (1, 1))]
)
def test_what_is_kept_for_ever_stays(client: LocalClient, clock: FixedClock, retention: Retention, kept: tuple[int, int]) -> None:
    """Runs, or details as long as there is their run."""
    run(client, clock, "ended", State.completed())
    clock.advance(1000 * DAY)
    attrs.evolve(client.forgetting, retention=retention).forget()
    assert (len(names(client)), len(lines(client))) == kept


def test_the_newest_event_stays(client: LocalClient, clock: FixedClock) -> None:
    """What comes after it is still after it."""
    run(client, clock, "ended", State.completed())
    last = client.read_last_event()
    clock.advance(1000 * DAY)
    forget(client)
    assert [event.sequence for event in client.wait_for_events(EventFilter(), 0)] == [last]
    run(client, clock, "next", State.completed())
    assert client.read_last_event() > last


def test_agents_that_are_gone_are_forgotten_after_a_day(client: LocalClient, clock: FixedClock) -> None:
    """Not those that are there."""
    for name in ("gone", "there"):
        client.keep_agent(Agent(id=name, name=name, host="h", process=1, version="1", queues=(), started=START))
    clock.advance(timedelta(days=1).total_seconds() + 1)
    client.keep_agent(Agent(id="there", name="there", host="h", process=1, version="1", queues=(), started=START))
    assert client.forget_old().agents == 1
    assert [agent.id for agent in client.read_agents()] == ["there"]


def test_scripts_forget_once_a_day(client: LocalClient, clock: FixedClock) -> None:
    """What is old by then goes with the next day's."""
    run(client, clock, "run0", State.completed())
    clock.advance(0.5 * DAY)
    run(client, clock, "run1", State.completed())
    clock.advance(13.7 * DAY)
    client.forgetting.forget_daily()
    assert lines(client) == ["run1"]
    clock.advance(0.5 * DAY)
    client.forgetting.forget_daily()
    assert lines(client) == ["run1"]
    clock.advance(0.6 * DAY)
    client.forgetting.forget_daily()
    assert lines(client) == []


def test_a_plan_counts_as_far_as_it_says(client: LocalClient, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is more than it counts, it says so; a plan with fewer is exact, and what it tells of events is what will be forgotten."""
    for number in range(5):
        run(client, clock, f"run{number}", State.completed())
    clock.advance(20 * DAY)
    plan = client.plan_forgetting()
    assert (plan.runs, plan.details, plan.is_more) == (0, 5, False)
    monkeypatch.setattr(retention, "MOST_COUNTED", 5)
    assert client.plan_forgetting() == attrs.evolve(plan, is_more=True)
    clock.advance(80 * DAY)
    monkeypatch.setattr(retention, "MOST_COUNTED", 3)
    assert client.plan_forgetting() == attrs.evolve(plan, runs=3, details=3, is_more=True)
    assert sum(portion.events for portion in forget(client)) == plan.events


def test_a_plan_tells_old_events_from_young_ones(client: LocalClient, clock: FixedClock) -> None:
    """Those of runs that were made since are not counted."""
    assert client.plan_forgetting().events == 0
    run(client, clock, "old", State.completed())
    old = client.read_last_event()
    clock.advance(20 * DAY)
    run(client, clock, "young", State.completed())
    assert client.plan_forgetting().events == old
    assert client.forget_old().events == old
    assert client.plan_forgetting().events == 0
