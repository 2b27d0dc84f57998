"""Services at work."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pytest

import headrace.instance
from headrace.errors import ApiAway, HeadraceError, StoreUnusable
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Plugin, Registry, discovered
from headrace.instance import Instance
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.ports.client import OpenClient
from headrace.services.rounds import Rounds
from headrace.settings import load
from headrace.testing.clock import START, FixedClock


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def house(tmp_path: Path, clock: FixedClock) -> Iterator[Instance]:
    settings = load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})
    with headrace.instance.open(settings, registry=registry(), clock=clock) as opened:
        yield opened


def registry(*more: Plugin) -> Registry:
    return Registry([*(plugin for plugin in discovered() if plugin.dist == "headrace-core"), *more])


@attrs.define
class Reminder:
    """A service that does what a test tells it to, and notes when."""

    act: Callable[[], None]
    rounds: list[datetime] = attrs.field(factory=list)

    def step(self, client: OpenClient, now: datetime) -> datetime:
        self.rounds.append(now)
        self.act()
        return now + timedelta(seconds=10)


def test_a_round_is_done_when_it_is_due(house: Instance, clock: FixedClock) -> None:
    """The first at once; each says when the next is."""
    reminder = Reminder(lambda: None)
    rounds = Rounds(house, {"reminder": reminder})
    assert rounds.step() == START + timedelta(seconds=10)
    clock.advance(9)
    assert rounds.step() == START + timedelta(seconds=10)
    clock.advance(1)
    rounds.step()
    assert reminder.rounds == [START, START + timedelta(seconds=10)]


@pytest.mark.parametrize("hours", [-1, 1])
def test_setting_the_clock_keeps_no_round_waiting(house: Instance, clock: FixedClock, hours: int) -> None:
    """Rounds come at the pace of the clock that nobody sets."""
    reminder = Reminder(lambda: None)
    rounds = Rounds(house, {"reminder": reminder})
    rounds.step()
    clock.jump(hours * 3600)
    assert rounds.step() == clock.now() + timedelta(seconds=10)
    clock.advance(10)
    rounds.step()
    assert len(reminder.rounds) == 2


def test_without_services_there_is_no_next_round(house: Instance) -> None:
    """And nothing to wake up for."""
    assert Rounds(house, {}).step() is None


@pytest.mark.parametrize("error", [StoreUnusable(where="here", why="it is full"), RuntimeError("a bug")])
def test_a_round_that_fails_is_tried_again_later(
    house: Instance, clock: FixedClock, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Told once, after longer and longer, and in no other's way."""

    def fail() -> None:
        raise error

    good, bad = Reminder(lambda: None), Reminder(fail)
    rounds = Rounds(house, {"bad": bad, "good": good})
    for _ in range(8):
        rounds.step()
        clock.advance(1)
    assert [(moment - START).total_seconds() for moment in bad.rounds] == [0, 1, 3, 7]
    assert len(good.rounds) == 1
    assert [record.getMessage() for record in caplog.records if "tried again later" in record.getMessage()] == [caplog.messages[0]]


def test_what_all_services_meet_is_told_once(house: Instance, clock: FixedClock, caplog: pytest.LogCaptureFixture) -> None:
    """A server that is away, say; and once more when it was there meanwhile."""
    away: list[HeadraceError] = [ApiAway(where="there", why="it sleeps")]

    def ask() -> None:
        for error in away:
            raise error

    rounds = Rounds(house, {name: Reminder(ask) for name in "abc"})
    for _ in range(4):
        rounds.step()
        clock.advance(1)
    told = [f"Services are tried again later: {away[0]}"]
    assert caplog.messages == told
    gone = away.pop()
    for _ in range(2):
        clock.advance(60)
        rounds.step()
        away.append(gone)
    assert caplog.messages == 2 * told


def test_every_installed_service_is_at_work(tmp_path: Path, clock: FixedClock, caplog: pytest.LogCaptureFixture) -> None:
    """One that cannot be loaded is told, and left out; core's own notices lost runs."""

    class Hooks:
        @hookimpl
        def headrace_services(self) -> list[Provider[object]]:
            return [Provider("broken", "headrace_nowhere:Service", "Is not there")]

    settings = load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})
    settings = attrs.evolve(settings, lease_seconds=1e-7)  # over before anybody can look
    plugins = registry(Plugin(name="acme", dist="acme", version="1", load=Hooks))
    with headrace.instance.open(settings, registry=plugins, clock=clock) as house:
        state = attrs.evolve(State.running(), timestamp=START)
        house.client.create_flow_run(FlowRun(id="run", name="run", state=state, created=START, flow_name="f", root_id="run"), holder="me")
        Rounds.of_all_installed(house).step()
        assert house.client.read_flow_run("run").state.is_lost()
    assert "Service 'broken' is left out" in caplog.text
    assert "Nobody renewed the lease of flow run 'run'" in caplog.text
