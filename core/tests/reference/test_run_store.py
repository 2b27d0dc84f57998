"""The reference run store is a run store, and its leases are judged by the clock it is given."""

import pytest

from headrace.ports.run_store import RunStore
from headrace.reference.run_store import MemoryRunStore
from headrace.testing.clock import FixedClock
from headrace.testing.conformance.run_store import RunStoreConformance, flow_run, put


class TestMemoryRunStore(RunStoreConformance):
    @pytest.fixture
    def run_store(self) -> RunStore:
        return MemoryRunStore()


def test_a_lease_lives_as_long_as_was_granted() -> None:
    """A lease lives until the last moment before its seconds have passed, and each renewal counts from when it was made."""
    clock = FixedClock()
    with MemoryRunStore(clock=clock).open() as opened:
        put(opened, flow_run("flow"))
        seen = []
        with opened.writing() as writing:
            writing.grant_lease("flow", epoch=1, holder="me", seconds=20)
            for seconds in (19.5, 0.5):
                clock.advance(seconds)
                lease = writing.lease("flow")
                seen.append(lease and lease.live)
            assert writing.renew_lease("flow", epoch=1, seconds=20)
            clock.advance(19.5)
            lease = writing.lease("flow")
            seen.append(lease and lease.live)
    assert seen == [True, False, True]
