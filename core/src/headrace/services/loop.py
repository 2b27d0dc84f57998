"""The loop of services that have a process of their own: it steps them when they are due, until a signal ends it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType

from headrace.clock import Clock
from headrace.services.rounds import Rounds

TICK = 0.25
"""A signal that comes just when the waiting begins is heard after that."""

IDLE_SECONDS = 60.0


class ServiceLoop:
    """Steps services; a round that is under way when a signal comes is finished. `hurry` is called in the signal's handler."""

    def __init__(self, rounds: Rounds, clock: Clock, *, hurry: Callable[[], None] | None = None) -> None:
        self._rounds = rounds
        self._clock = clock
        self._hurry = hurry
        self._is_ended = False
        self._woken: SimpleQueue[None] = SimpleQueue()  # what a handler may put into in the middle of anything

    def run(self) -> None:
        """Returns after Ctrl+C, or the signal to end."""
        with self._signals_heard():
            while not self._is_ended:
                due = self._rounds.step()
                self._wait(IDLE_SECONDS if due is None else (due - self._clock.now()).total_seconds())

    def end(self) -> None:
        """Lets it return after the round that is under way."""
        self._is_ended = True
        self._woken.put(None)

    def _wait(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while not self._is_ended and (left := until - self._clock.monotonic()) > 0:
            try:
                self._woken.get(timeout=min(TICK, left))
            except Empty:
                continue

    @contextmanager
    def _signals_heard(self) -> Iterator[None]:
        numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        before = {number: signal.signal(number, self._heard) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self.end()
        if self._hurry is not None:
            self._hurry()
