"""What may happen very often and is told at a bounded rate, so that it is seen in the log and does not fill it."""

import threading
from collections.abc import Callable

SECONDS = 10.0
"""At most one line in so many."""


class Seldom:
    """Says when one is to be told; `monotonic` tells the time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told_at: float | None = None
        self._untold = 0

    def turn(self) -> int | None:
        """One more: how many were left untold since the last that was told, or None where this one is left untold too."""
        now = self._monotonic()
        with self._lock:
            if self._told_at is not None and now < self._told_at + SECONDS:
                self._untold += 1
                return None
            untold, self._told_at, self._untold = self._untold, now, 0
            return untold
