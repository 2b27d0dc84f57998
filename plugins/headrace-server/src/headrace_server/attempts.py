"""Attempts that failed: who tries many tokens is seen in the log."""

import logging
from collections.abc import Callable

from headrace_server.seldom import Seldom

logger = logging.getLogger("headrace.server")


class Attempts:
    """Tells of them, with how many there were; `monotonic` tells the time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._seldom = Seldom(monotonic)

    def note(self, address: str) -> None:
        """One more, from there."""
        untold = self._seldom.turn()
        if untold is None:
            return
        more = f"; so were {untold} more since the last such line" if untold else ""
        logger.warning("A token that is not known here was sent from %s, and refused%s", address, more)
