"""What a server does beside answering, in one thread: services step when they are due, and the store is told that it is served."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from headrace.errors import HeadraceError
from headrace.instance import Instance
from headrace.services.garbage import unfinished
from headrace.services.rounds import Rounds
from headrace_server.in_process import in_process

_MOST_SECONDS = 60.0

logger = logging.getLogger("headrace.server")


class Beside:
    """The services of a server, and its mark; `services` is empty for a server that shares a store with one that steps them."""

    def __init__(self, house: Instance, services: Rounds | None) -> None:
        self._house = house
        self._services = services
        self._mark = in_process(house.client).serving
        self._mark_seconds = house.settings.lease_seconds / 5
        self._ended = threading.Event()

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Steps in a thread for as long as the context lasts; a round that is under way at its end is finished."""
        self._keep_mark()  # before anybody is answered, so that leases which ran out while it was away get their time
        thread = threading.Thread(target=self._run, name="headrace-services")
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _run(self) -> None:
        if self._services is not None:
            self._tidy()
        while not self._ended.is_set():
            seconds = min(_MOST_SECONDS, self._mark_seconds)
            if self._services is not None and (due := self._services.step()) is not None:
                seconds = min(seconds, (due - self._house.clock.now()).total_seconds())
            self._ended.wait(max(0.0, seconds))
            self._keep_mark()

    def _tidy(self) -> None:
        """Removes what an earlier server was writing into its storage when it was killed."""
        try:
            for each in unfinished(self._house, is_plan=False):
                if each.fault is not None:
                    logger.warning("What was left unfinished in storage %r was not looked for: %s", each.storage, each.fault)
        except HeadraceError as error:
            logger.warning("What was left unfinished in storages was not looked for: %s", error)

    def _keep_mark(self) -> None:
        try:
            self._mark.keep()
        except HeadraceError as error:
            logger.warning("The store could not be told that it is served: %s", error)
        except Exception:
            logger.exception("The store could not be told that it is served, which is a bug in headrace, please report it")
