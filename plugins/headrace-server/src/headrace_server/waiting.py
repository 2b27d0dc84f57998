"""Waiting on the loop: for events that any process may have written, without a thread for each who waits.

One watcher looks at the store's version as long as somebody waits, which costs microseconds, and reads what is new once for all. Whoever waits has
looked at the store first: what came before that look was in it, and what comes after is brought by the watcher, which starts where the look ended.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain
from typing import Any

import attrs

from headrace.model.events import Event
from headrace.model.filters import EventFilter
from headrace.ports.run_store import OpenRunStore

LOOK_SECONDS = 0.05
"""How often the version is looked at for what other processes write: to wake more often costs per cents of a core. What is asked here is looked at at once."""

REST_SECONDS = 0.004
"""Between two looks, however much is asked."""

MOST_SECONDS = 60.0
"""How long one request waits at most: what stands between may hang up on longer ones. Who wants to wait longer asks again."""

MOST_EVENTS = 200

TURN_SECONDS = 0.006
"""Between two who wait for anything of a kind, as agents do, and are told of the same event: the first takes the run, and has it started before the
others look in vain, which takes each of them some milliseconds of the same processors."""

LAST_TURN_SECONDS = 0.1
"""After which all have been told, however many there are."""


@attrs.define(eq=False)
class _Waiter:
    """Somebody who waits, on the loop's thread alone."""

    wanted: EventFilter
    found: "asyncio.Future[list[Event]]"
    heard: list[Event] = attrs.field(factory=list)
    has_turn: bool = False

    def hear(self, events: Iterable[Event]) -> None:
        self.heard += (event for event in events if event.sequence > self.wanted.after)

    def tell(self) -> None:
        """Ends the waiting, with what was heard."""
        if not self.found.done():
            self.found.set_result(self.heard)


class _Crowd:
    """All who wait, by what they wait for, so that those whom an event does not concern are not even looked at."""

    def __init__(self) -> None:
        self._by_subject: dict[str | None, dict[tuple[str, ...], dict[_Waiter, None]]] = {}
        self.size = 0

    def enter(self, waiter: _Waiter) -> None:
        self.size += 1
        for subject in waiter.wanted.subjects or (None,):
            self._by_subject.setdefault(subject, {}).setdefault(waiter.wanted.kinds, {})[waiter] = None

    def leave(self, waiter: _Waiter) -> None:
        self.size -= 1
        kinds = waiter.wanted.kinds
        for subject in set(waiter.wanted.subjects or (None,)):
            groups = self._by_subject[subject]
            groups[kinds].pop(waiter, None)
            if not groups[kinds]:
                del groups[kinds]
            if not groups:
                del self._by_subject[subject]

    def everybody(self) -> set[_Waiter]:
        return set(chain.from_iterable(group for groups in self._by_subject.values() for group in groups.values()))

    def tell(self, events: list[Event]) -> None:
        """Tells whoever waits for something about a subject at once, and all others by turns, first who has waited longest."""
        heard: dict[_Waiter, list[Event]] = {}
        for event in events:
            for subject in (None, event.subject):
                for kinds, group in self._by_subject.get(subject, {}).items():
                    if not kinds or event.kind in kinds:
                        for waiter in group:
                            heard.setdefault(waiter, []).append(event)
        for waiter, those in heard.items():
            waiter.hear(those)
        fitting = [waiter for waiter in heard if waiter.heard]
        for waiter in fitting:
            if waiter.wanted.subjects:
                waiter.tell()
        by_turns = [waiter for waiter in fitting if not (waiter.wanted.subjects or waiter.has_turn)]
        pause = min(TURN_SECONDS, LAST_TURN_SECONDS / max(len(by_turns), 1))
        for turn, waiter in enumerate(by_turns):
            waiter.has_turn = True
            asyncio.get_running_loop().call_later(turn * pause, waiter.tell)


class Waiting:
    """Who waits for events of a store; used on one loop alone. `in_thread` runs what asks the store."""

    def __init__(self, store: OpenRunStore, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._store = store
        self._in_thread = in_thread
        self._crowd = _Crowd()
        self._watcher: asyncio.Task[None] | None = None
        self._seen = 0
        self._nudged = asyncio.Event()
        self.is_ended = False

    @property
    def waiters(self) -> int:
        """How many wait."""
        return self._crowd.size

    async def events(self, wanted: EventFilter, seconds: float, gone: Awaitable[object]) -> list[Event]:
        """Events that fit, as soon as there are any; none after so many seconds, or when `gone` says that nobody waits for them any more."""
        leaving = asyncio.ensure_future(gone)
        try:
            return await self._found(wanted, seconds, leaving)
        finally:
            leaving.cancel()

    async def _found(self, wanted: EventFilter, seconds: float, leaving: "asyncio.Future[object]") -> list[Event]:
        found: list[Event]
        found, last = await self._in_thread(lambda: self._look(wanted))
        while self._watcher is not None and last < self._seen and not found:
            found, last = await self._in_thread(lambda: self._look(wanted))  # the watcher went past it meanwhile
        if found or seconds <= 0 or self.is_ended:
            return found
        if self._watcher is None:
            self._seen = last
            self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="headrace-events")
        waiter = _Waiter(wanted, asyncio.get_running_loop().create_future())
        self._crowd.enter(waiter)
        try:
            await asyncio.wait((waiter.found, leaving), timeout=min(seconds, MOST_SECONDS), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._crowd.leave(waiter)
        waiter.tell()  # what it has heard, if its time was over before its turn
        return waiter.found.result()

    def nudge(self) -> None:
        """Something may have been written just now."""
        self._nudged.set()

    def end(self) -> None:
        """Lets nobody wait any more: who does is answered with what there is, which is nothing."""
        self.is_ended = True
        for waiter in self._crowd.everybody():
            waiter.tell()

    def _look(self, wanted: EventFilter) -> tuple[list[Event], int]:
        with self._store.reading() as reading:
            return reading.events(wanted, MOST_EVENTS), reading.last_event()

    async def _watch(self) -> None:
        """Brings what is new to those who wait, until nobody does."""
        version: int | None = None
        try:
            while self._crowd.size:
                try:
                    if (now := self._store.version()) != version:
                        version = now
                        await self._bring()
                except Exception as error:  # each of them is told, and asks again
                    version = None
                    self._fail(error)
                await asyncio.sleep(REST_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._nudged.wait()
                self._nudged.clear()
        finally:
            self._watcher = None

    async def _bring(self) -> None:
        while True:
            events: list[Event] = await self._in_thread(lambda: self._new(self._seen))
            if events:
                self._seen = events[-1].sequence
                self._crowd.tell(events)
            if len(events) < MOST_EVENTS:
                return

    def _new(self, after: int) -> list[Event]:
        with self._store.reading() as reading:
            return reading.events(EventFilter(after=after), MOST_EVENTS)

    def _fail(self, error: Exception) -> None:
        for waiter in self._crowd.everybody():
            if not waiter.found.done():
                waiter.found.set_exception(error)
