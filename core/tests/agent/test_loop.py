"""The loop of an agent."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from headrace.agent.agent import AgentAtWork
from headrace.agent.loop import AgentLoop
from headrace.errors import StoreUnusable
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.moves import Move
from headrace.model.orders import ExitStatus
from headrace.model.queues import WorkQueue
from headrace.model.states import State
from headrace.testing.clock import START, FixedClock


class TickingClock(FixedClock):
    """A clock that goes on a little whenever it is read, so that every wait ends."""

    def monotonic(self) -> float:
        self.advance(0.05)
        return super().monotonic()


@pytest.fixture
def clock() -> FixedClock:
    return TickingClock()


@pytest.fixture
def queue(house: Instance) -> WorkQueue:
    return house.client.put_work_queue(WorkQueue(id="q", name="all", created=START, updated=START))


def run(house: Instance, name: str) -> None:
    made = Deployment(id=name, name=name, flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START)
    house.client.put_deployments((made,))
    house.client.request_run(RunRequest(id=name, deployment_id=name, name=name))


class Steps(AgentAtWork):
    """An agent of which a test hears, after each step, how many it has made."""

    made = 0
    after: Callable[[int], None] = staticmethod(lambda number: None)

    def step(self) -> Any:
        due = super().step()
        self.made += 1
        self.after(self.made)
        return due


def complete(house: Instance, stage: Any, name: str) -> None:
    house.client.move_flow_run(Move(id=f"{name} runs", run_id=name, state=State.running(), epoch=1))
    house.client.move_flow_run(Move(id=f"{name} ends", run_id=name, state=State.completed(), epoch=1))
    stage.processes[f"{name}.1"].status = ExitStatus(0)


def test_once_ends_when_nothing_is_due_and_nothing_runs(house: Instance, queue: WorkQueue, stage: Any, clock: Any) -> None:
    """Not before; then the agent has left."""
    run(house, "one")
    agent = Steps(house, [queue])

    def after(number: int) -> None:
        clock.advance(1)  # so that no wait is a real one
        if number == 3:
            complete(house, stage, "one")

    agent.after = after
    AgentLoop(house, agent, once=True).run()
    assert agent.made == 4
    assert house.client.read_agents() == []


@pytest.mark.parametrize("error", [StoreUnusable(where="there", why="it is away"), RuntimeError("a bug")])
def test_a_loop_survives_what_goes_wrong(house: Instance, queue: WorkQueue, stage: Any, clock: Any, error: Exception) -> None:
    """It goes on, and does what there is to do."""
    run(house, "one")
    agent = Steps(house, [queue])

    def after(number: int) -> None:
        clock.advance(60)
        if number == 1:
            raise error
        if number == 2:
            complete(house, stage, "one")

    agent.after = after
    loop = AgentLoop(house, agent, once=True)
    loop._pause = lambda *_, **__: clock.advance(1)  # type: ignore[method-assign]  # the pause is real time
    loop.run()
    assert house.client.read_flow_run("one").state.is_completed()


def test_signals_drain_then_stop(house: Instance, queue: WorkQueue, stage: Any, clock: Any) -> None:
    """The first lets runs end and takes no more; the second ends them; afterwards signals do what they did before."""
    assert threading.current_thread() is threading.main_thread()
    run(house, "one")
    agent = Steps(house, [queue])
    before = signal.getsignal(signal.SIGTERM)

    def after(number: int) -> None:
        clock.advance(1)
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            run(house, "two")
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)

    agent.after = after
    AgentLoop(house, agent).run()
    assert [order.run_id for order in stage.orders] == ["one"]
    assert stage.processes["one.1"].grace == house.settings.grace_seconds
    assert signal.getsignal(signal.SIGTERM) is before


def test_draining_ends_after_its_time(house: Instance, queue: WorkQueue, stage: Any, clock: Any) -> None:
    """What runs is left alone."""
    run(house, "one")
    agent = Steps(house, [queue])

    def after(number: int) -> None:
        clock.advance(1)
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    agent.after = after
    AgentLoop(house, agent, drain_seconds=5).run()
    assert agent.made < 10
    assert stage.processes["one.1"].grace is None
    assert stage.running() == ["one.1"]


def test_an_agent_without_queues_ends(house: Instance, queue: WorkQueue, clock: Any) -> None:
    """When the last of them is gone."""
    agent = Steps(house, [queue])

    def after(number: int) -> None:
        clock.advance(1)
        if number == 2:
            house.client.delete_work_queue("q")

    agent.after = after
    AgentLoop(house, agent).run()
    assert not agent.has_queues


def test_a_lost_terminal_makes_it_leave(house: Instance, queue: WorkQueue, stage: Any, clock: Any) -> None:
    """At once, whatever runs; that goes on."""
    run(house, "one")
    agent = Steps(house, [queue])

    def after(number: int) -> None:
        clock.advance(1)
        if number == 1:
            os.kill(os.getpid(), signal.SIGHUP)

    agent.after = after
    AgentLoop(house, agent).run()
    assert agent.made <= 2
    assert stage.running() == ["one.1"]


def test_what_is_beside_it_is_stepped_before_it(house: Instance, queue: WorkQueue, stage: Any, clock: Any) -> None:
    """Each time, so that what it makes due is taken in the same round."""

    def beside() -> None:
        if not made:
            run(house, "one")
        made.append(None)

    made: list[None] = []
    agent = Steps(house, [queue])

    def after(number: int) -> None:
        clock.advance(1)
        if number == 1:
            assert [order.run_id for order in stage.orders] == ["one"]
            stage.processes["one.1"].status = ExitStatus(1)

    agent.after = after
    AgentLoop(house, agent, once=True, beside=beside).run()
    assert len(made) == agent.made


def test_who_drains_while_the_store_is_away_is_patient(house: Instance, queue: WorkQueue, stage: Any, clock: Any) -> None:
    """Between two tries it waits as long as before, so that it does not keep the machine busy; the next signal ends the waiting."""
    run(house, "one")
    agent = Steps(house, [queue])
    waits: list[float] = []

    def after(number: int) -> None:
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        if number > 1:
            waits.append(FixedClock.monotonic(clock))
            raise StoreUnusable(where="there", why="it is away")

    agent.after = after
    AgentLoop(house, agent, drain_seconds=0.6).run()
    assert all(after - before > 0.05 for before, after in pairwise(waits)), waits
    assert 2 <= len(waits) <= 5


class Listening(logging.Handler):
    """Hears lines of the agent; in the middle of the first of them it is told to end."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.is_within = False
        self.was_entered_twice = False

    def emit(self, record: logging.LogRecord) -> None:
        self.was_entered_twice = self.was_entered_twice or self.is_within
        self.is_within = True
        if not self.heard:
            signal.raise_signal(signal.SIGTERM)
        self.heard.append(record.getMessage())
        self.is_within = False


def test_a_signal_in_the_middle_of_a_line(house: Instance, queue: WorkQueue, stage: Any, clock: Any) -> None:
    """What it leads to is said after the line, not within it, where a stream refuses a second one."""
    run(house, "one")
    agent = Steps(house, [queue])

    def after(number: int) -> None:
        clock.advance(60)
        if number == 2:
            complete(house, stage, "one")

    agent.after = after
    listening, logger = Listening(), logging.getLogger("headrace.agent")
    logger.addHandler(listening)
    level = logger.level
    logger.setLevel("INFO")
    try:
        AgentLoop(house, agent).run()
    finally:
        logger.removeHandler(listening)
        logger.setLevel(level)
    assert not listening.was_entered_twice
    submitting, draining, *_ = listening.heard
    assert submitting.startswith("Submitting flow run 'one'")
    assert draining.startswith("Draining: no more runs are taken; flow runs under way (1) may end.")
