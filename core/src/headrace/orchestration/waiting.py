"""Waiting in process: for events that any process may have written.

Nobody tells a process that another one wrote, so it looks whether the store's version is another one; that costs microseconds, and happens only while
somebody waits.
"""

import time
from collections.abc import Callable

from headrace.model.events import Event
from headrace.model.filters import EventFilter
from headrace.ports.run_store import OpenRunStore

LOOK_SECONDS = 0.01
"""How often the version is looked at: what a dispatch waits for at most, and on average half of it."""

MOST_EVENTS = 200


def events_after(
    store: OpenRunStore, wanted: EventFilter, seconds: float, *, now: Callable[[], float], sleep: Callable[[float], None] = time.sleep
) -> list[Event]:
    """Events that fit, as soon as there are any; `now` reads a monotonic clock."""
    end = now() + seconds
    seen: int | None = None
    while True:
        version = store.version()
        if version != seen:
            seen = version
            with store.reading() as reading:
                events = reading.events(wanted, MOST_EVENTS)
            if events:
                return events
        left = end - now()
        if left <= 0:
            return []
        sleep(min(LOOK_SECONDS, left))
