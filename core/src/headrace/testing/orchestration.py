"""An orchestration in memory, with the clock that a test gives it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headrace.clock import Clock
from headrace.errors import NotInstalled
from headrace.model.events import Event
from headrace.orchestration.local_client import LocalClient
from headrace.ports.queue_matcher import QueueMatcher
from headrace.reference.queue_matcher import FlowsMatcher
from headrace.reference.run_store import MemoryRunStore
from headrace.rules.decide import RuleBook

LEASE_SECONDS = 20.0


@contextmanager
def in_memory(clock: Clock, *, rules: RuleBook | None = None, tell: Callable[[Event], None] = lambda event: None) -> Iterator[LocalClient]:
    """The client of an orchestration that nobody has asked anything; queues may ask for runs by `flows`."""
    with MemoryRunStore(clock=clock).open() as store:
        yield LocalClient.over(store, rules=rules or RuleBook(), clock=clock, lease_seconds=LEASE_SECONDS, matcher=_matcher, tell=tell)


def _matcher(name: str) -> QueueMatcher:
    if name != "flows":
        raise NotInstalled(port="queue matcher", name=name, installed=("flows",))
    return FlowsMatcher()
