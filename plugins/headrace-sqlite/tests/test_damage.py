"""What lies at the path may be anything: every trouble is one sentence that says what, where and what to do."""

import os
import resource
import shutil
import sqlite3
from pathlib import Path

import pytest

from headrace.errors import StoreAway, StoreTooNew, StoreUnusable
from headrace.model.filters import FlowRunFilter, Page
from headrace.ports.run_store import OpenRunStore
from headrace.testing.conformance.run_store import flow_run, put
from headrace_sqlite.opening import VERSION
from headrace_sqlite.run_store import SqliteRunStore

ADVICE = "; see to it that it can, or choose another path"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "headrace.db"


@pytest.fixture
def used(path: Path) -> Path:
    """A file with fifty runs in it."""
    with SqliteRunStore(path=path).open() as opened:
        put(opened, *(flow_run(f"{number}", parameters={"text": "x" * 1000}) for number in range(50)))
    return path


def read(opened: OpenRunStore) -> int:
    """How many runs there are; every one is read."""
    with opened.reading() as reading:
        return len(reading.flow_runs(FlowRunFilter(), Page()))


def refusal(path: Path) -> str:
    """The sentence with which the store is refused, when it is opened and read."""
    with pytest.raises(StoreUnusable) as caught, SqliteRunStore(path=path).open() as opened:
        read(opened)
    assert str(caught.value).startswith(f"the run store at {path} cannot be used: ")
    return caught.value.why


def test_a_damaged_file_is_named(used: Path) -> None:
    """A file whose inside was overwritten is refused when what is damaged is read."""
    size = used.stat().st_size
    with open(used, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    assert refusal(used) == "its file is damaged; move it away, or put a copy in its place"


def test_a_file_cut_short_is_named(used: Path) -> None:
    """A file that lost its end is refused when it is opened."""
    os.truncate(used, 8192)
    assert refusal(used) == "its file is damaged; move it away, or put a copy in its place"


def test_another_kind_of_file_is_left_alone(path: Path) -> None:
    """A file that is no database is refused and stays as it is."""
    path.write_text("Dear diary, " * 1000)
    assert refusal(path) == "it is no SQLite database; move the file away, and a new store is made"
    assert path.read_text() == "Dear diary, " * 1000


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    """A database that headrace did not make is refused and stays as it is."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE diary (entry TEXT)")
    connection.close()
    content = path.read_bytes()
    assert refusal(path) == "it is the database of another program; choose another path"
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    """A file with nothing in it is as good as none."""
    path.touch()
    with SqliteRunStore(path=path).open() as opened:
        assert read(opened) == 0


def test_a_folder_in_its_place_is_named(path: Path) -> None:
    """A folder where the file should be is an error that says so."""
    path.mkdir()
    assert refusal(path) == "a folder lies in its place; move it away, or choose another path"


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A path below a file, at any depth, is an error that says what is in the way."""
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file" / "headrace.db") == f"{tmp_path / 'file'} cannot be made: File exists{ADVICE}"
    too_long = tmp_path / f"{'x' * 300}.db"
    assert refusal(too_long) == f"{too_long} cannot be made: File name too long{ADVICE}"
    assert (
        refusal(tmp_path / "file" / "folder" / "headrace.db") == f"{tmp_path / 'file' / 'folder'} cannot be made: Not a directory{ADVICE}"
    )


def test_what_cannot_be_opened_is_named(path: Path) -> None:
    """Something at the path that is no file is an error that says so."""
    path.symlink_to(path.parent / "nowhere" / "at" / "all")
    assert refusal(path) == "its file cannot be opened; look at the permissions and the kind of what lies there"


def test_a_file_that_may_not_be_written_is_named(used: Path) -> None:
    """Writing where only reading is allowed is an error that says so, and reading goes on."""
    with SqliteRunStore(path=used).open() as opened:
        opened._writer.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]
        with pytest.raises(StoreUnusable, match="its file or folder may not be written; change its permissions"):
            put(opened, flow_run("new"))
        assert read(opened) == 50


def test_a_newer_schema_is_refused(used: Path) -> None:
    """A file that a newer headrace wrote is refused and stays as it is."""
    connection = sqlite3.connect(used)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with (
        pytest.raises(StoreTooNew, match=rf"written by a newer headrace \(schema 99, this one knows {VERSION}\)"),
        SqliteRunStore(path=used).open(),
    ):
        pass


def test_a_full_disk_takes_nothing_back(used: Path) -> None:
    """A transaction for which there is no room is an error that says so; what was there stays, and goes on when there is room."""
    with SqliteRunStore(path=used).open() as opened:
        writer = opened._writer  # type: ignore[attr-defined]
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StoreAway, match="its disk is full; make room and try again"):
            put(opened, *(flow_run(f"new {number}", parameters={"text": "x" * 1000}) for number in range(50)))
        assert read(opened) == 50
        writer.execute("PRAGMA max_page_count = 1000000")
        put(opened, flow_run("new"))
        assert read(opened) == 51


def test_a_quota_that_is_used_up_may_pass(used: Path) -> None:
    """A file that may not grow is an error of the disk that is asked about again; what was there stays, and goes on when it may."""
    with SqliteRunStore(path=used).open() as opened:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = Path(f"{used}-wal").stat().st_size if Path(f"{used}-wal").exists() else 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
        try:
            with pytest.raises(StoreAway, match=r"its disk cannot be read or written \(SQLITE_IOERR_WRITE\)"):
                put(opened, flow_run("new", parameters={"text": "x" * 1000}))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert read(opened) == 50
        put(opened, flow_run("new"))
        assert read(opened) == 51


def test_a_log_left_behind_is_read(used: Path, tmp_path: Path) -> None:
    """What is in the log beside the file when its programs are gone is read by the next one that opens it."""
    copy = tmp_path / "copy" / "headrace.db"
    copy.parent.mkdir()
    with SqliteRunStore(path=used).open() as opened:
        put(opened, flow_run("in the log"))
        shutil.copy(used, copy)
        shutil.copy(f"{used}-wal", f"{copy}-wal")
    assert Path(f"{copy}-wal").stat().st_size > 0
    with SqliteRunStore(path=copy).open() as opened:
        assert read(opened) == 51


def test_a_failed_opening_leaves_nothing_open(path: Path) -> None:
    """A store that was refused when it was opened holds no file open."""
    path.write_text("Dear diary, " * 1000)
    refusal(path)
    held = {os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    assert str(path) not in held


def test_a_closed_store_says_so(path: Path) -> None:
    """A store that is used after it was closed is an error that says so."""
    with SqliteRunStore(path=path).open() as opened:
        pass
    with pytest.raises(StoreUnusable, match="it was closed; open it anew"):
        read(opened)
    with pytest.raises(StoreUnusable, match="it was closed; open it anew"):
        put(opened, flow_run("flow"))
    with pytest.raises(StoreUnusable, match="it was closed; open it anew"):
        opened.version()


def test_a_closed_store_leaves_nothing_open(path: Path) -> None:
    """A store that was read, written and watched holds no file open when it is closed, and no log is left beside it."""
    with SqliteRunStore(path=path).open() as opened:
        put(opened, flow_run("flow"))
        assert (read(opened), opened.version()) == (1, opened.version())
    held = {os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    assert not [name for name in held if name.startswith(str(path))]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_files_are_for_nobody_else(tmp_path: Path) -> None:
    """A folder and files that are made are their owner's alone; a folder that is there keeps its mode."""
    home = tmp_path / "home"
    with SqliteRunStore(path=home / "headrace.db").open() as opened:
        put(opened, flow_run("flow"))
        modes = {each.name: each.stat().st_mode & 0o777 for each in home.iterdir()}
    assert modes == {"headrace.db": 0o600, "headrace.db-wal": 0o600, "headrace.db-shm": 0o600}
    assert home.stat().st_mode & 0o777 == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    with SqliteRunStore(path=shared / "headrace.db").open():
        assert shared.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_taken_away_is_missed(used: Path, replaced: bool) -> None:
    """Who has it open neither writes into nothing nor goes on with another one."""
    with SqliteRunStore(path=used).open() as opened:
        read(opened)
        os.rename(used, used.with_name("moved.db"))
        if replaced:
            used.touch()
        for ask in (lambda: put(opened, flow_run("new")), lambda: read(opened), opened.version):
            with pytest.raises(StoreUnusable, match="its file was deleted or replaced while it was in use"):
                ask()
