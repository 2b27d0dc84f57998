"""Slots of tag limits, as far as this flow run frees them.

Whether a slot is free, the orchestration says. But most of who waits for one waits for a task run of the same flow run; so when that one leaves its
slot, the first who waits is woken, and does not sleep until it would have asked again.
"""

import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future

from headrace.engine.loop_thread import LoopThread


class Slots:
    """Who waits for a slot, by tag, in order. They are woken on the loop, where whatever slept goes on."""

    def __init__(self, loop: LoopThread) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Future[None]]] = {}

    def turn(self, tags: Iterable[str]) -> "Future[None]":
        """A future that ends when a slot of one of the tags was freed and this is the first to wait for it. Who does not wait any more leaves."""
        turn: Future[None] = Future()
        with self._lock:
            for tag in tags:
                self._waiting.setdefault(tag, deque()).append(turn)
        return turn

    def leave(self, turn: "Future[None]", tags: Iterable[str]) -> None:
        """Gives up a turn; the next one has it if it has come."""
        if not turn.cancel():
            self.free(tags)

    def free(self, tags: Iterable[str]) -> None:
        """Wakes the first who waits, for each of the tags."""
        for tag in tags:
            turn = self._first(tag)
            if turn is not None:
                self._loop.soon(turn.set_result, None)

    def _first(self, tag: str) -> "Future[None] | None":
        with self._lock:
            waiting = self._waiting.get(tag)
            while waiting:
                turn = waiting.popleft()
                if not turn.running() and not turn.done() and turn.set_running_or_notify_cancel():
                    return turn
        return None
