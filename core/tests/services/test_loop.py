"""The loop of services in a process of their own."""

import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pytest

import headrace.instance
from headrace.clock import SystemClock
from headrace.ports.client import OpenClient
from headrace.services.loop import ServiceLoop
from headrace.services.rounds import Rounds
from headrace.settings import load


@attrs.define
class Signalled:
    """A service that sends its own process a signal in its n-th round."""

    number: signal.Signals
    at: int
    rounds: int = 0
    seconds: float = 0.0

    def step(self, client: OpenClient, now: datetime) -> datetime:
        self.rounds += 1
        if self.rounds == self.at:
            os.kill(os.getpid(), self.number)
        return now + timedelta(seconds=self.seconds)


def looped(folder: Path, service: Signalled, hurry: Callable[[], None] | None = None) -> None:
    clock = SystemClock()
    with headrace.instance.open(load({"HEADRACE_HOME": str(folder), "HEADRACE_RUN_STORE": "memory"}), clock=clock) as house:
        ServiceLoop(Rounds(house, {"signalled": service}), clock, hurry=hurry).run()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    """It goes on until a signal, which ends it after the round that is under way; then signals mean what they meant before."""
    before = signal.getsignal(number)
    service, hurried = Signalled(number, at=3), []
    looped(tmp_path, service, hurry=lambda: hurried.append(number))
    assert (service.rounds, hurried) == (3, [number])
    assert signal.getsignal(number) is before


def test_a_signal_while_it_waits(tmp_path: Path) -> None:
    """Nobody waits for the next round, however late that is."""
    service = Signalled(signal.SIGTERM, at=1, seconds=1e6)
    looped(tmp_path, service)
    assert service.rounds == 1
