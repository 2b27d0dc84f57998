"""How a file is, told without touching it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from headrace.model.counts import CountFilter
from headrace.ports.run_store import RunStore
from headrace.testing.conformance.diagnosis import DiagnosisConformance
from headrace.testing.conformance.run_store import flow_run, put
from headrace.testing.privileges import giving_up
from headrace_sqlite.opening import VERSION
from headrace_sqlite.run_store import SqliteRunStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class TestDiagnosis(DiagnosisConformance):
    @pytest.fixture
    def run_store(self, tmp_path: Path) -> RunStore:
        return SqliteRunStore(path=tmp_path / "home" / "headrace.db")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A path with all that means something in the address of a file."""
    folder = tmp_path / "a b?c#d%20e"
    folder.mkdir()
    return folder / "headrace.db"


@pytest.fixture
def used(path: Path) -> Path:
    """A file with fifty runs in it."""
    with SqliteRunStore(path=path).open() as opened:
        put(opened, *(flow_run(f"{number}", parameters={"text": "x" * 1000}) for number in range(50)))
    return path


def faults(path: Path) -> tuple[str, ...]:
    """What is broken; the folder has the same files as before, with the same content."""
    before = contents(path.parent)
    found = SqliteRunStore(path=path).diagnose(NOW).faults
    assert contents(path.parent) == before
    return found


def contents(folder: Path) -> dict[str, str]:
    """The files that say something, by their content; what SQLite shares between processes is theirs."""
    files = [each for each in folder.iterdir() if each.is_file() and not each.name.endswith("-shm")]
    return {each.name: sha256(each.read_bytes()).hexdigest() for each in files}


def test_nothing_is_made(tmp_path: Path) -> None:
    """A look at a store that is not there makes neither file nor folder, and finds nothing broken."""
    found = SqliteRunStore(path=tmp_path / "none" / "headrace.db").diagnose(NOW)
    assert (found.faults, found.facts["state"], found.files) == ((), "not made yet", {})
    assert list(tmp_path.iterdir()) == []


def test_a_sound_file(used: Path) -> None:
    """It has its schema, its counts and its size, and nothing lies beside it afterwards."""
    assert faults(used) == ()
    found = SqliteRunStore(path=used).diagnose(NOW)
    assert (found.facts["schema"], found.facts["journal"], found.facts["sqlite"]) == (VERSION, "wal", sqlite3.sqlite_version)
    assert found.rows["flow_runs"] == 50
    assert found.files == {"headrace.db": used.stat().st_size}
    assert os.listdir(used.parent) == ["headrace.db"]


def test_a_damaged_file(used: Path) -> None:
    """A file whose inside was overwritten is told, wherever the damage is, and what could be read before it is told all the same."""
    size = used.stat().st_size
    with open(used, "r+b") as file:
        file.seek(size - 40_960)
        file.write(b"\xff" * 8192)
    (fault,) = faults(used)
    assert fault.startswith(f"the run store at {used} cannot be used: its file is damaged")
    assert "; move it away, or put a copy in its place" in fault
    assert SqliteRunStore(path=used).diagnose(NOW).facts["schema"] == VERSION


def test_a_file_cut_short(used: Path) -> None:
    """A file that lost its end is told."""
    os.truncate(used, 8192)
    (fault,) = faults(used)
    assert "its file is damaged" in fault


def test_another_kind_of_file(path: Path) -> None:
    """A file that is no database is told."""
    path.write_bytes(b"Dear diary, " * 1000)
    (fault,) = faults(path)
    assert "it is no SQLite database" in fault


def test_the_database_of_another_program(path: Path) -> None:
    """It is told, and left alone."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE diary (entry TEXT)")
    connection.close()
    assert faults(path) == (f"the run store at {path} cannot be used: it is the database of another program; choose another path",)


def test_an_empty_file(path: Path) -> None:
    """It will be a store, so nothing is broken."""
    path.touch()
    assert faults(path) == ()
    assert path.stat().st_size == 0


def test_a_folder_in_its_place(path: Path) -> None:
    """It is told."""
    path.mkdir()
    assert faults(path) == (f"the run store at {path} cannot be used: a folder lies in its place; move it away, or choose another path",)


def test_another_schema(used: Path) -> None:
    """A newer one is broken here, an older one is brought up to date by whoever opens it, and not by a look."""
    for version in (VERSION + 1, VERSION - 1):
        connection = sqlite3.connect(used)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        found = SqliteRunStore(path=used).diagnose(NOW)
        assert found.facts["schema"] == version
        assert len(faults(used)) == (version > VERSION)
    assert "of an older headrace" in str(found.facts["state"])


def test_a_log_left_behind(used: Path, tmp_path: Path) -> None:
    """What programs that were killed left in the log is counted, and the log stays as it is."""
    copy = tmp_path / "copy" / "headrace.db"
    copy.parent.mkdir()
    with SqliteRunStore(path=used).open() as opened:
        put(opened, flow_run("in the log"))
        shutil.copy(used, copy)
        shutil.copy(f"{used}-wal", f"{copy}-wal")
    assert faults(copy) == ()
    assert SqliteRunStore(path=copy).diagnose(NOW).rows["flow_runs"] == 51


def test_a_writer_goes_on(used: Path) -> None:
    """Who is in the middle of a transaction is neither stopped nor waited for."""
    with SqliteRunStore(path=used).open() as opened, opened.writing() as writing:
        writing.add_flow_run(flow_run("new"))
        found = SqliteRunStore(path=used, busy_seconds=0).diagnose(NOW)
        assert (found.faults, found.rows["flow_runs"]) == ((), 50)


LOOK = """
import sys
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from headrace_sqlite.run_store import SqliteRunStore

found = SqliteRunStore(path=Path(sys.argv[1])).diagnose(datetime.now(timezone.utc))
print(found.rows.get("flow_runs"), *found.faults, sep="\\n")
"""


@pytest.mark.parametrize(
    ("mode", "of_folder", "runs"), [(0o400, 0o500, "50"), (0o600, 0o500, "50"), (0o400, 0o700, "50"), (0, 0o700, "None")]
)
def test_what_may_not_be_written(used: Path, mode: int, of_folder: int, runs: str) -> None:
    """A file, or a folder, that may only be read is told, and what is in it is read all the same, if it may be."""
    used.chmod(mode)
    used.parent.chmod(of_folder)
    shown = subprocess.run([sys.executable, "-c", LOOK, str(used)], preexec_fn=giving_up(), capture_output=True, text=True, check=True)
    used.parent.chmod(0o700)
    rows, *found = shown.stdout.splitlines()
    assert rows == runs
    assert found[0] == (
        f"the run store at {used} cannot be used: its file or folder may not be written; change its permissions, or choose another path"
    )


DAMAGES = {
    "a counter is wrong": ("UPDATE flow_run_counts SET count = count + 1 WHERE counted = 'all'", "1 counter"),
    "a counter is missing": ("DELETE FROM flow_run_counts WHERE counted LIKE 'flow %'", "1 counter"),
    "a counter counts nothing": (
        "INSERT INTO flow_run_counts SELECT 'deployment d', hour, 'etl', 'FAILED', 'Failed', 2 FROM flow_run_hours",
        "1 counter",
    ),
    "an hour is too narrow": ("UPDATE flow_run_hours SET greatest_id = '3'", "1 counter"),
    "an hour is missing": ("DELETE FROM flow_run_hours", "1 counter"),
    "all of it": ("UPDATE flow_run_counts SET count = 7", "2 counters"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_counters_that_disagree(used: Path, damage: str) -> None:
    """They are told with what mends them; and that mends them, says so, and finds nothing to mend the next time."""
    statement, count = DAMAGES[damage]
    with closing(sqlite3.connect(used)) as connection, connection:
        connection.execute(statement)
    verb = "disagree with the runs, so that numbers of runs are told wrong; `headrace store upgrade` counts them anew"
    assert faults(used) == (f"{count} of flow runs in {used} {verb}",)
    (mended,) = SqliteRunStore(path=used).upgrade()
    assert mended == f"{count} of flow runs disagreed with the runs; they were counted anew"
    assert (faults(used), SqliteRunStore(path=used).upgrade()) == ((), ())
    with SqliteRunStore(path=used).open() as opened, opened.reading() as reading:
        assert sum(each.count for each in reading.count_flow_runs(CountFilter())) == 50


def test_counters_agree_with_what_is_forgotten(used: Path) -> None:
    """Ids of an hour lie closer together when runs are forgotten, and that is no fault."""
    with SqliteRunStore(path=used).open() as opened, opened.writing() as writing:
        writing.delete_flow_run("0")
        writing.delete_flow_run("9")
    assert faults(used) == ()
