"""The loop of an agent: it waits, steps, and survives what goes wrong; signals end it in two stages."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from math import inf
from types import FrameType

from headrace.agent.agent import WAKING, AgentAtWork
from headrace.agent.questions import Questions
from headrace.errors import HeadraceError, MayPass
from headrace.instance import Instance
from headrace.model.filters import EventFilter

IDLE_SECONDS, BUSY_SECONDS = 0.5, 0.05
"""How long it waits at most for an event: a signal is obeyed after that, and with runs under way, an end is seen."""

LONGEST_PAUSE = 5.0

LAST_SECONDS = 2.0
"""How long an answer to what an agent says when it leaves may take, where it is asked by way of `Questions`."""

logger = logging.getLogger("headrace.agent")


class AgentLoop:
    """Steps an agent until it is told to end, or with `once` until nothing is due and nothing runs; `beside` is stepped before it each time.

    `questions` is what the house and the agent ask by, where a signal is to be heard while they wait for an answer.
    """

    def __init__(
        self,
        house: Instance,
        agent: AgentAtWork,
        *,
        once: bool = False,
        drain_seconds: float | None = None,
        beside: Callable[[], datetime | None] | None = None,
        questions: Questions | None = None,
    ) -> None:
        self._house = house
        self._questions = questions
        self._agent = agent
        self._beside = beside
        self._once = once
        self._drain_seconds = drain_seconds
        self._drain_until: float | None = None
        self._signals = 0
        self._drains = False
        self._has_told = False
        self._seen: int | None = None
        self._failures = 0

    def run(self) -> None:
        """Returns when the agent has left."""
        with self._signals_heard():
            try:
                while self._goes_on():
                    self._round()
                if self._signals > 1:
                    self._stop_all()
                elif self._agent.is_busy:
                    logger.warning("Leaving: flow runs under way go on by themselves (%d)", self._agent.underway)
            finally:
                self._leave()

    def _goes_on(self) -> bool:
        self._allow(inf if self._drain_until is None else max(LAST_SECONDS, self._drain_until - self._house.clock.monotonic()))
        self._tell_draining()
        if self._signals > 1 or not (self._agent.has_queues or self._agent.is_busy):
            return False
        if self._signals == 0:
            return True
        if self._drain_until is not None and self._house.clock.monotonic() >= self._drain_until:
            return False
        return self._agent.is_busy

    def _round(self) -> None:
        try:
            # Known before the step, so that nothing it did not see is missed.
            cursor = self._house.client.read_last_event() if self._seen is None else self._seen
            self._seen = None
            next_round = self._beside() if self._beside is not None else None
            next_due = self._agent.step()
            if self._once and not self._agent.is_busy and (next_due is None or next_due > self._house.clock.now()):
                self._signals = max(self._signals, 1)
                return
            seconds = BUSY_SECONDS if self._agent.is_busy else IDLE_SECONDS
            for moment in (next_due, next_round):
                if moment is not None:
                    seconds = min(seconds, max(0.0, (moment - self._house.clock.now()).total_seconds()))
            events = self._house.client.wait_for_events(EventFilter(after=cursor, kinds=WAKING), seconds)
            self._seen = events[-1].sequence if events else None
            self._agent.hear(events)
            self._failures = 0
        except HeadraceError as error:
            self._pause("The orchestration cannot be asked now, and is asked again: %s", error)
        except Exception as error:
            self._pause("The agent met a bug in headrace, please report it, and goes on: %s", error, exc_info=error)

    def _pause(self, sentence: str, error: Exception, *, exc_info: Exception | None = None) -> None:
        """What is away comes back: it is asked again, after longer and longer."""
        self._failures += 1
        if self._failures == 1:
            logger.warning(sentence, error, exc_info=exc_info)
        most = min(LONGEST_PAUSE, 0.1 * 2 ** min(self._failures, 10))
        end = self._house.clock.monotonic() + self._house.ids.random.uniform(most / 2, most)
        signals = self._signals
        while self._signals == signals and self._house.clock.monotonic() < end:
            time.sleep(0.05)

    def _stop_all(self) -> None:
        logger.warning("Stopping: flow runs under way are ended (%d)", self._agent.underway)
        self._allow(LAST_SECONDS)
        try:
            self._agent.stop_all()
        except MayPass as error:
            logger.warning("How they ended could not be told: %s", error)

    def _leave(self) -> None:
        self._allow(LAST_SECONDS)
        try:
            self._agent.leave()
        except HeadraceError as error:
            logger.warning("The agent could not say that it leaves: %s", error)

    def _allow(self, seconds: float) -> None:
        if self._questions is not None:
            self._questions.allow(seconds)

    def _hurry(self) -> None:
        if self._questions is not None:
            self._questions.hurry()

    @contextmanager
    def _signals_heard(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hung_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hung_up(self, _number: int, _frame: FrameType | None) -> None:
        """The terminal is gone, and with it whoever would see the runs end: it leaves, and they go on."""
        self._signals = max(self._signals, 1)
        self._agent.drain()
        self._drain_until = self._house.clock.monotonic()
        self._hurry()

    def _tell_draining(self) -> None:
        """Not where the signal is heard: that may be in the middle of another line."""
        if self._drains and not self._has_told:
            self._has_told = True
            logger.info("Draining: no more runs are taken; flow runs under way (%d) may end. Once more stops them.", self._agent.underway)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals == 1:
            self._drains = True
            self._agent.drain()
            if self._drain_seconds is not None:
                self._drain_until = self._house.clock.monotonic() + self._drain_seconds
        self._hurry()
