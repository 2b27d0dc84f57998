"""Attempts that failed, told at a bounded rate: who tries many tokens does not fill the log, and is seen in it."""

import logging
import threading
from collections.abc import Callable

SECONDS = 10.0
"""At most one line in so many."""

logger = logging.getLogger("headrace.server")


class Attempts:
    """Counts them; `monotonic` tells the time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told_at: float | None = None
        self._untold = 0

    def note(self, address: str) -> None:
        """One more, from there."""
        now = self._monotonic()
        with self._lock:
            if self._told_at is not None and now < self._told_at + SECONDS:
                self._untold += 1
                return
            untold, self._told_at, self._untold = self._untold, now, 0
        more = f"; so were {untold} more since the last such line" if untold else ""
        logger.warning("A token that is not known here was sent from %s, and refused%s", address, more)
