"""What every run store does that tells how it is."""

from datetime import timedelta

import pytest

from headrace.ports.diagnosis import Diagnosable, Diagnosis
from headrace.ports.run_store import RunStore
from headrace.testing.conformance.facts import Facts
from headrace.testing.conformance.run_store import HOUR, NOW, flow_run, put


class DiagnosisConformance(Facts):
    """A subclass gives, by the fixture `run_store`, a store that nobody has opened yet."""

    @pytest.fixture
    def run_store(self) -> RunStore:
        """The store to try."""
        raise NotImplementedError

    def test_it_can_be_asked(self, run_store: RunStore) -> None:
        """The store is one that tells how it is."""
        assert isinstance(run_store, Diagnosable)

    def test_a_new_store_is_sound(self, run_store: RunStore) -> None:
        """Before it was opened for the first time nothing is broken, nothing is in it, and it says where it is."""
        found = diagnosis(run_store)
        assert found.where
        assert (found.faults, set(found.rows.values()) - {0}, found.oldest_run) == ((), set(), None)

    def test_asking_changes_nothing(self, run_store: RunStore) -> None:
        """Asked twice, it says the same twice."""
        assert diagnosis(run_store) == diagnosis(run_store)
        with run_store.open() as opened:
            put(opened, flow_run("a"))
        assert diagnosis(run_store) == diagnosis(run_store)

    def test_what_is_in_it_is_counted(self, run_store: RunStore) -> None:
        """A store that outlives its process tells how many runs it has, and when the first and last were made; it may be in use meanwhile."""
        with run_store.open() as opened:
            if not run_store.outlives_process:
                pytest.skip("another look at it sees nothing")
            put(opened, *(flow_run(f"{number}", created=NOW - timedelta(seconds=number * 13 * HOUR)) for number in range(3)))
            in_use = diagnosis(run_store)
        for found in (in_use, diagnosis(run_store)):
            assert (found.rows["flow_runs"], found.faults) == (3, ())
            assert (found.oldest_run, found.newest_run) == (NOW - timedelta(seconds=26 * HOUR), NOW)
            assert found.runs_of_last_day == 2
            assert sum(found.files.values()) > 0


def diagnosis(run_store: RunStore) -> Diagnosis:
    """What the store tells of itself."""
    assert isinstance(run_store, Diagnosable)
    return run_store.diagnose(NOW)
