"""Starting what lives elsewhere. It may take long: an image is pulled, a node is waited for. It is done beside, and the agent keeps the lease meanwhile."""

from collections import Counter
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol

import attrs

from headrace.clock import Clock
from headrace.model.choices import Choice
from headrace.model.runs import FlowRun
from headrace.ports.flow_runner import Process

LAST_SECONDS = 2.0
"""How long an agent that leaves waits for what it is starting."""

Chore = Callable[[], None]


class Task(Protocol):
    """What is done beside, as a thread is."""

    def join(self, timeout: float) -> object:
        """Waits for its end, at most so many seconds."""
        ...


Beside = Callable[[Chore], Task]


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a start: a process, or why there is none."""

    process: Process | None = None
    error: Exception | None = None


@attrs.define(eq=False)
class Start:
    """The start of a run, under way or over. `is_unwanted`: the run is to stop before it has begun."""

    run: FlowRun
    choice: Choice
    outcome: Outcome = Outcome()
    is_unwanted: bool = False


class Starts:
    """Starts that are under way; each is done by `beside`, and seen once when it is over."""

    def __init__(self, beside: Beside, clock: Clock) -> None:
        self._beside = beside
        self._clock = clock
        self._under_way: dict[Start, Task] = {}
        self._over: SimpleQueue[Start] = SimpleQueue()

    def __len__(self) -> int:
        """How many are under way of which something is to come."""
        return sum(not start.is_unwanted for start in self._under_way)

    def __iter__(self) -> Iterator[Start]:
        return iter(tuple(self._under_way))

    def by_runner(self) -> Counter[str]:
        """How many are under way by flow runner."""
        return Counter(start.choice.name for start in self._under_way)

    def begin(self, run: FlowRun, choice: Choice, start: Callable[[], Process]) -> None:
        """Has it started. Raises RuntimeError where this process may have no more threads."""
        begun = Start(run, choice)

        def chore() -> None:
            begun.outcome = outcome_of(start)
            self._over.put(begun)

        self._under_way[begun] = self._beside(chore)

    def over(self) -> Iterator[Start]:
        """Those that are over by now."""
        while self._under_way:
            try:
                found = self._over.get_nowait()
            except Empty:
                return
            del self._under_way[found]
            yield found

    def wait(self) -> None:
        """Waits a moment for those that are under way."""
        until = self._clock.monotonic() + LAST_SECONDS
        for task in self._under_way.values():
            task.join(max(0.0, until - self._clock.monotonic()))


def outcome_of(start: Callable[[], Process]) -> Outcome:
    """Starts it."""
    try:
        return Outcome(process=start())
    except Exception as error:
        return Outcome(error=error)


def in_a_thread(chore: Chore) -> Thread:
    """Nobody waits in the end for what is not over."""
    thread = Thread(target=chore, name="headrace-starting", daemon=True)
    thread.start()
    return thread
