"""Copies of a store in use."""

import os
import stat
from pathlib import Path

import pytest

from headrace.errors import CopyFailed, StoreUnusable
from headrace.model.filters import FlowRunFilter, Page
from headrace.testing.conformance.run_store import flow_run, ids, put
from headrace_sqlite.run_store import SqliteRunStore


def runs(path: Path) -> list[str]:
    with SqliteRunStore(path=path).open() as opened, opened.reading() as reading:
        return ids(reading.flow_runs(FlowRunFilter(), Page(newest_first=False)))


def test_a_copy_is_of_one_moment(tmp_path: Path) -> None:
    """Whoever writes goes on; what is not committed is not in it. It is one file, for nobody else's eyes."""
    store, target = SqliteRunStore(path=tmp_path / "headrace.db"), tmp_path / "copies" / "copy.db"
    target.parent.mkdir()
    with store.open() as opened:
        put(opened, flow_run("a"))
        with opened.writing() as writing:
            writing.add_flow_run(flow_run("b"))
            assert store.copy(target) == target.stat().st_size
        put(opened, flow_run("c"))
    assert os.listdir(target.parent) == ["copy.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert (runs(target), runs(store.path)) == (["a"], ["a", "b", "c"])


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """What lies there stays, and nothing is left beside it."""
    store, target = SqliteRunStore(path=tmp_path / "headrace.db"), tmp_path / "copies" / "copy.db"
    target.parent.mkdir()
    target.write_text("mine")
    with store.open():
        pass
    with pytest.raises(CopyFailed, match="something is there already"):
        store.copy(target)
    assert (os.listdir(target.parent), target.read_text()) == (["copy.db"], "mine")


def test_a_place_that_is_none(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    store = SqliteRunStore(path=tmp_path / "headrace.db")
    with store.open():
        pass
    with pytest.raises(CopyFailed, match="No such file or directory"):
        store.copy(tmp_path / "nowhere" / "copy.db")


def test_without_a_store_there_is_no_copy(tmp_path: Path) -> None:
    """And none is made."""
    with pytest.raises(StoreUnusable, match="there is none yet"):
        SqliteRunStore(path=tmp_path / "headrace.db").copy(tmp_path / "copy.db")
    assert os.listdir(tmp_path) == []


def test_what_is_no_file_is_not_copied(tmp_path: Path) -> None:
    """And it is not said that there is none."""
    (tmp_path / "headrace.db").mkdir()
    with pytest.raises(StoreUnusable, match="a folder lies in its place; move it away"):
        SqliteRunStore(path=tmp_path / "headrace.db").copy(tmp_path / "copy.db")
    assert os.listdir(tmp_path) == ["headrace.db"]
