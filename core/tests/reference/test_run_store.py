"""The reference run store is a run store, and its leases are judged by the clock it is given."""

import pytest

from headrace.ports.run_store import RunStore
from headrace.reference.run_store import MemoryRunStore
from headrace.testing.clock import FixedClock
from headrace.testing.conformance.diagnosis import DiagnosisConformance
from headrace.testing.conformance.run_store import HOUR, NOW, RunStoreConformance, agent, flow_run, ids, put, work_queue


class TestMemoryRunStore(RunStoreConformance):
    @pytest.fixture
    def run_store(self) -> RunStore:
        return MemoryRunStore()


class TestMemoryDiagnosis(DiagnosisConformance):
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


def test_what_depends_on_leases_goes_with_the_clock() -> None:
    """A run is out of its queue, and an agent is there, until the last moment before the seconds that were granted have passed."""
    clock = FixedClock()
    with MemoryRunStore(clock=clock).open() as opened:
        put(opened, flow_run("flow"), work_queue("queue"))
        seen = []
        with opened.writing() as writing:
            writing.assign("flow", ["queue"])
            writing.grant_lease("flow", epoch=1, holder="me", seconds=HOUR)
            writing.keep_agent(agent("agent"), seconds=HOUR)
            for seconds in (HOUR - 0.5, 0.5):
                clock.advance(seconds)
                seen.append((ids(writing.due("queue", NOW, 10)), writing.in_use("queue"), [each.live for each in writing.agents()]))
    assert seen == [([], 1, [True]), (["flow"], 0, [False])]
