"""Folders of runs."""

import os
from pathlib import Path

from headrace.engine.working_folders import remove_working_folder, sweep, working_folder
from headrace.processes import ProcessFile, folder_of


def test_a_folder_goes_whatever_its_run_did_to_it(tmp_path: Path) -> None:
    """Also folders in it that nobody may write or read; what it links to stays."""
    folder = working_folder(tmp_path, "run.1")
    locked = folder / "a" / "b"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (folder / "a" / "link").symlink_to(kept)
    os.chmod(locked, 0o000)
    os.chmod(folder / "a", 0o500)
    remove_working_folder(tmp_path, "run.1")
    assert not folder.exists()
    assert (kept / "file").read_text() == "x"
    remove_working_folder(tmp_path, "run.1")


def test_what_killed_runs_left_is_swept(tmp_path: Path) -> None:
    """Not what belongs to one whose supervisor lives."""
    sweep(tmp_path)
    for identity in ("alive.1", "killed.1"):
        working_folder(tmp_path, identity).mkdir(parents=True)
    file = ProcessFile(folder_of(tmp_path), "alive.1")
    assert file.hold()
    sweep(tmp_path)
    assert os.listdir(tmp_path / "running") == ["alive.1"]
    file.release()
    sweep(tmp_path)
    assert os.listdir(tmp_path / "running") == []
