"""A simulation: a world that is made from a seed, and what came of it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import extract_tb

import attrs

from headrace.orchestration.local_client import LocalClient
from headrace.reference.run_store import MemoryRunStore
from headrace.rules.decide import RuleBook
from headrace.testing.sim.course import Course
from headrace.testing.sim.trace import Entry
from headrace.testing.sim.world import Broken, World


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a simulation: `broken` says what did not hold, and is empty where all did; `entries` tell what was seen, in order."""

    seed: int
    broken: str
    entries: tuple[Entry, ...]

    @property
    def trace(self) -> str:
        """What was seen, line by line, and what did not hold."""
        return "\n".join([*map(str, self.entries), *([f"broken: {self.broken}"] if self.broken else [])])


def _as_it_is(client: LocalClient) -> LocalClient:
    return client


@attrs.frozen
class Sim:
    """The simulation of a seed. `rules` and `changed` bring other rules, or another orchestration, to see what would come of them."""

    seed: int
    rules: RuleBook = attrs.field(factory=RuleBook, kw_only=True)
    changed: Callable[[LocalClient], LocalClient] = attrs.field(default=_as_it_is, kw_only=True)

    def run(self) -> Outcome:
        """Goes through all of it, until something does not hold."""
        world = World(self.seed)
        broken = ""
        with _quiet(), MemoryRunStore(clock=world.clock).open() as store:
            course = Course(world, store, self.rules, self.changed)
            try:
                course.bad_times()
                course.good_times()
            except Broken as error:
                broken = str(error)
            except Exception as error:
                places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(extract_tb(error.__traceback__)))
                broken = f"nothing raises what is not foreseen: {type(error).__name__}: {error} in {places}"
        return Outcome(seed=self.seed, broken=broken, entries=tuple(world.entries))


@contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong here is no news, so nothing is logged of it."""
    logger = logging.getLogger("headrace")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
