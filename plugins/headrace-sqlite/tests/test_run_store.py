"""The SQLite run store is a run store."""

from pathlib import Path

import pytest

from headrace.ports.run_store import RunStore
from headrace.testing.conformance.run_store import RunStoreConformance
from headrace_sqlite.run_store import SqliteRunStore


class TestSqliteRunStore(RunStoreConformance):
    @pytest.fixture
    def run_store(self, tmp_path: Path) -> RunStore:
        return SqliteRunStore(path=tmp_path / "home" / "headrace.db")
