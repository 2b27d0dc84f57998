"""Patience: what cannot be had just now is asked for again, so that no run loses its work to a store that is locked, full or away for a while.

Every question of a run may be asked twice: a move has an id that its asker made, and what is journaled has its identity.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from headrace.clock import Clock
from headrace.engine.steps import Ask, Sleep, Steps
from headrace.errors import MayPass

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two tries: at first, and at most."""

T = TypeVar("T")


class Patience:
    """Asks for `seconds` from the first failure on; one serves a root run and its subflows, so that what is wrong is told once.

    `share` gives numbers in [0, 1): by up to half of it a pause is shorter, so that those who wait do not come back together. `tell_trouble` hears
    what is waited for and for how many seconds at most, `tell_end` after how many it was there. `check` raises where it is not to be waited for.
    """

    def __init__(
        self,
        *,
        seconds: float,
        clock: Clock,
        share: Callable[[], float],
        tell_trouble: Callable[[MayPass, float], object],
        tell_end: Callable[[float], object],
        check: Callable[[], object],
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._share = share
        self._tell_trouble = tell_trouble
        self._tell_end = tell_end
        self._check = check
        self._lock = threading.Lock()
        self._since: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether all waiting was in vain."""
        with self._lock:
            return self._since is not None and self._left() <= 0

    def lose(self) -> None:
        """From now on everything is asked once."""
        self._seconds = 0.0

    def asked(self, question: Callable[[], T]) -> Steps[T]:
        """The answer. Raises the MayPass of the last try, and what else the question raises."""
        try:
            answer: T = yield Ask(question)
        except MayPass as error:
            self._fail(error)
        else:
            if self._since is not None:
                self._begin_again()
            return answer
        longest = FIRST_PAUSE
        while True:
            yield Sleep(self._pause(longest))
            self._check()
            try:
                answer = yield Ask(question)
            except MayPass as error:
                self._fail(error)
            else:
                self._end()
                return answer
            longest = min(2 * longest, LONGEST_PAUSE)

    def _fail(self, error: MayPass) -> None:
        """Notes that something failed, and raises it when that has gone on for too long."""
        with self._lock:
            is_first, self._since = self._since is None, self._clock.monotonic() if self._since is None else self._since
            left = self._left()
        if left <= 0:
            raise error
        if is_first:
            self._tell_trouble(error, left)

    def _begin_again(self) -> None:
        """Something was there at once: what was given up is there again. While it is waited for, that says nothing, as others may be asked."""
        with self._lock:
            if self._left() <= 0:
                self._since = None

    def _end(self) -> None:
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            self._tell_end(self._clock.monotonic() - since)

    def _pause(self, longest: float) -> float:
        with self._lock:
            return max(0.0, min(longest * (1 - self._share() / 2), self._left()))

    def _left(self) -> float:
        """How much longer is waited."""
        waited = 0.0 if self._since is None else self._clock.monotonic() - self._since
        return self._seconds - waited
