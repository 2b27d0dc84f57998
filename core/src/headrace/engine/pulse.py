"""The pulse of a run: writes its journal and renews its lease, from a thread beside the user's code."""

import logging
import threading

from headrace.clock import Clock
from headrace.engine.journal import Journal
from headrace.errors import HeadraceError
from headrace.ports.client import OpenClient

logger = logging.getLogger("headrace.pulse")


class Pulse:
    """Beats every `interval` seconds from `start` to `stop`, and renews the lease every `renew` seconds (None: somebody else does)."""

    def __init__(
        self, journal: Journal, client: OpenClient, clock: Clock, *, run_id: str, epoch: int, interval: float, renew: float | None
    ) -> None:
        self._journal = journal
        self._client = client
        self._clock = clock
        self._run_id = run_id
        self._epoch = epoch
        self._interval = interval
        self._renew = renew
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="headrace-pulse", daemon=True)

    def start(self) -> None:
        """Begins to beat; where the machine has no thread left, the run goes on without, and what it has to tell waits for its end."""
        try:
            self._thread.start()
        except RuntimeError as error:
            logger.warning("The run has no pulse, so its lease is not renewed and its log comes when it ends: %s", error)

    def stop(self) -> None:
        """Ends, after the beat that is under way."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _beat(self) -> None:
        renewed, is_late = self._clock.monotonic(), False
        while not self._ended.wait(self._interval):
            try:
                self._journal.try_flush()
                if self._renew is not None and self._clock.monotonic() >= renewed + self._renew:
                    renewed = self._clock.monotonic()
                    self._journal.obey(self._client.renew_lease(self._run_id, self._epoch))
                    is_late = False
            except HeadraceError as error:
                if not is_late:
                    logger.warning("The lease could not be renewed yet: %s", error)
                is_late = True
            except Exception:
                logger.exception("The pulse of the run missed a beat")
