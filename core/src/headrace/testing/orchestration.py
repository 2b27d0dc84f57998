"""An orchestration in memory, with the clock that a test gives it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headrace.clock import Clock
from headrace.errors import NotInstalled
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.events import Event
from headrace.orchestration.local_client import LocalClient
from headrace.ports.queue_matcher import QueueMatcher
from headrace.ports.schedule import Schedule
from headrace.reference.queue_matcher import FlowsMatcher
from headrace.reference.run_store import MemoryRunStore
from headrace.reference.schedule import MomentsSchedule
from headrace.rules.decide import RuleBook

LEASE_SECONDS = 20.0


@contextmanager
def in_memory(clock: Clock, *, rules: RuleBook | None = None, tell: Callable[[Event], None] = lambda event: None) -> Iterator[LocalClient]:
    """The client of an orchestration that nobody has asked anything; queues may ask for runs by `flows`, and schedules are `moments`."""
    with MemoryRunStore(clock=clock).open() as store:
        yield LocalClient.over(
            store,
            rules=rules or RuleBook(),
            clock=clock,
            lease_seconds=LEASE_SECONDS,
            ids=Ids(clock, seed=0),
            matcher=_matcher,
            schedule=_schedule,
            tell=tell,
        )


def _matcher(name: str) -> QueueMatcher:
    if name != "flows":
        raise NotInstalled(port="queue matcher", name=name, installed=("flows",))
    return FlowsMatcher()


def _schedule(choice: Choice) -> Schedule:
    if choice.name != "moments":
        raise NotInstalled(port="schedule", name=choice.name, installed=("moments",))
    return MomentsSchedule(**choice.options)
