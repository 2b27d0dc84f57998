"""An orchestration in memory, with a clock that stands still."""

from collections.abc import Callable, Iterator

import pytest

from headrace.errors import NotInstalled
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.events import Event
from headrace.orchestration.local_client import LocalClient
from headrace.ports.queue_matcher import QueueMatcher
from headrace.ports.run_store import OpenRunStore
from headrace.ports.schedule import Schedule
from headrace.reference.queue_matcher import FlowsMatcher
from headrace.reference.run_store import MemoryRunStore
from headrace.rules.decide import RuleBook
from headrace.testing.clock import FixedClock
from headrace.testing.schedules import every


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def rules() -> RuleBook:
    return RuleBook()


@pytest.fixture
def store(clock: FixedClock) -> Iterator[OpenRunStore]:
    with MemoryRunStore(clock=clock).open() as opened:
        yield opened


@pytest.fixture
def client(store: OpenRunStore, clock: FixedClock, told: list[Event], rules: RuleBook) -> LocalClient:
    return LocalClient.over(
        store, rules=rules, clock=clock, lease_seconds=20, ids=Ids(clock, seed=1), matcher=matcher, schedule=every, tell=told.append
    )


def matcher(name: str) -> QueueMatcher:
    """The one matcher that is installed."""
    if name != "flows":
        raise NotInstalled(port="queue matcher", name=name, installed=("flows",))
    return FlowsMatcher()


@pytest.fixture
def schedule() -> Callable[[Choice], Schedule]:
    """Gives a schedule by its choice."""
    return every
