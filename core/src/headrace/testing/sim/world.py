"""The world of a simulation: its time, who acts in it, and what is told of them."""

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

from headrace.testing.sim.clock import VirtualClock
from headrace.testing.sim.faults import NONE, Faults
from headrace.testing.sim.trace import Entry

DEEPEST = 5
"""How many calls may be under way at once; beyond that, time passes and nobody acts in it."""

A_LITTLE = 0.25


class Killed(BaseException):
    """Raised in whoever was killed, wherever it is."""


class Broken(BaseException):
    """Something that must hold does not."""


class Actor:
    """Who acts: an agent, a supervisor, the code of a run, a person. It sleeps with its machine until `awake_at`."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.is_dead = False
        self.is_acting = False
        self.awake_at = 0.0


class World:
    """Time passes here: actions happen in the order in which they are due."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = VirtualClock()
        self.faults: Faults = NONE
        self.entries: list[Entry] = []
        self.actions = 0
        self.troubles = 0
        self.acting: Actor | None = None
        self._due: list[tuple[float, int, Actor | None, Callable[[], None]]] = []
        self._made = 0
        self._depth = 0

    # What is told

    def note(self, label: str, what: str, *details: Any) -> None:
        """Keeps what was seen, for whoever wants to know how it came."""
        self.entries.append(Entry(self.clock.monotonic(), label, what, details))

    def trouble(self, label: str, what: str, *details: Any) -> None:
        """Keeps what was made to go wrong."""
        self.troubles += 1
        self.note(label, f"! {what}", *details)

    # What is to happen

    def after(self, seconds: float, action: Callable[[], None], *, actor: Actor | None = None) -> None:
        """Has something happen later, done by somebody who is alive and awake then."""
        self._push(self.clock.monotonic() + seconds, actor, action)

    def _push(self, moment: float, actor: Actor | None, action: Callable[[], None]) -> None:
        self._made += 1
        heapq.heappush(self._due, (moment, self._made, actor, action))

    # Time

    def go_on(self, seconds: float) -> None:
        """Lets time pass, with all that is due in it."""
        until = self.clock.monotonic() + seconds
        while self._due and self._due[0][0] <= until:
            moment, _, actor, action = heapq.heappop(self._due)
            self.clock.go_on_to(moment)
            self._act(actor, action)
        self.clock.go_on_to(until)

    def _act(self, actor: Actor | None, action: Callable[[], None]) -> None:
        self.actions += 1
        if actor is None:
            action()
            return
        now = self.clock.monotonic()
        if actor.is_dead:
            return
        if actor.is_acting or actor.awake_at > now:
            self._push(now + A_LITTLE if actor.is_acting else actor.awake_at, actor, action)
            return
        before, self.acting = self.acting, actor
        actor.is_acting = True
        try:
            action()
        except Killed:
            assert actor.is_dead, "nobody but the dead is killed"
        finally:
            actor.is_acting = False
            self.acting = before

    def wait(self, actor: Actor, seconds: float) -> None:
        """Lets time pass in the middle of what somebody does. Raises Killed if that was his end."""
        self.let_pass(seconds)
        while not actor.is_dead and actor.awake_at > self.clock.monotonic():
            self.let_pass(actor.awake_at - self.clock.monotonic())
        if actor.is_dead:
            raise Killed

    def let_pass(self, seconds: float) -> None:
        """Lets time pass in the middle of something that goes on by itself."""
        if self._depth >= DEEPEST:
            self.clock.go_on_to(self.clock.monotonic() + seconds)
            return
        self._depth += 1
        try:
            self.go_on(seconds)
        finally:
            self._depth -= 1
