"""What it costs to be able to take back a statement."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.ports.run_store import OpenRunStore
from headrace.testing.conformance.run_store import RUNNING, flow_run, log_line
from headrace_sqlite.run_store import SqliteRunStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is read from /proc")

LINES = 60_000
MB = 1024


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenRunStore]:
    with SqliteRunStore(path=tmp_path / "headrace.db").open() as opened:
        yield opened


def open_files() -> set[str]:
    """The files that this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue  # it was the folder itself
    return found


def test_no_temporary_file_is_written(open_store: OpenRunStore) -> None:
    """A run that is made or changed touches more pages than SQLite keeps in memory by itself; no file is made to hold them."""
    for number in range(200):
        with open_store.writing() as writing:
            run = flow_run(f"{number}", deployment_id=f"{number}", tags=("a", "b"))
            writing.add_flow_run(run)
            writing.update_flow_run(run.entering(RUNNING), was=1)
            assert not [name for name in open_files() if "etilqs" in name]


def memory(which: str) -> int:
    """The memory of this process in kilobytes: VmRSS is what it has, VmHWM the most it had."""
    found = re.search(rf"^{which}:\s+([0-9]+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def test_a_run_that_said_much_is_deleted_in_little_memory(open_store: OpenRunStore) -> None:
    """What is kept to take back that a run was deleted does not grow with what it said; with its subflows, and a subflow by itself."""
    with open_store.writing() as writing:
        writing.add_flow_run(flow_run("root"))
        writing.add_flow_run(flow_run("under", root_id="root"))
    for run_id in ("under", "root"):
        for first in range(0, LINES, 2000):
            with open_store.writing() as writing:
                writing.add_logs([log_line(f"{run_id}-{number}", of=run_id, message="x" * 100) for number in range(first, first + 2000)])
    for run_id in ("under", "root"):
        Path("/proc/self/clear_refs").write_text("5")  # the most it had is counted from here on
        before = memory("VmRSS")
        with open_store.writing() as writing:
            assert writing.delete_flow_run(run_id)
        assert memory("VmHWM") - before < 12 * MB
