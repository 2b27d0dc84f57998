"""Removing: whatever was made of a folder, it goes, and nothing else does."""

import os
from collections.abc import Callable
from pathlib import Path

from headrace.packaging.removing import remove


def test_what_nobody_may_write_goes(tmp_path: Path, as_nobody: Callable[..., str]) -> None:
    """Folders that nobody may write, read or enter, at the top and below, with what is in them; what a link leads to stays as it is."""
    for name in ("closed/a/b", "dark", "open"):
        folder = tmp_path / "mine" / "root" / name
        folder.mkdir(parents=True)
        (folder / "file").touch(0o000)
    (tmp_path / "mine" / "kept").mkdir()
    script = """
    root, kept = Path("root"), Path("kept")
    (root / "closed" / "a" / "link").symlink_to("../../../kept")
    modes = {"closed/a/b": 0o555, "closed/a": 0o000, "closed": 0o111, "dark": 0o000, "../kept": 0o550, ".": 0o500}
    for name, mode in modes.items():
        (root / name).chmod(mode)
    remove(root)
    print(oct(kept.stat().st_mode & 0o777))
    """
    assert as_nobody(script, tmp_path / "mine") == "0o550\n"
    assert os.listdir(tmp_path / "mine") == ["kept"]


def test_what_links_lead_to_stays(tmp_path: Path) -> None:
    """Links go, also where a folder was replaced by one; files and modes at their other ends are left alone."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    kept.chmod(0o550)
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(kept)
    (tmp_path / "was a folder").symlink_to(kept)
    remove(root)
    remove(tmp_path / "was a folder")
    assert os.listdir(tmp_path) == ["kept"]
    assert ((kept / "file").read_text(), kept.stat().st_mode & 0o777) == ("x", 0o550)


def test_what_is_no_folder_goes_too(tmp_path: Path) -> None:
    """A file; and what is not there is gone."""
    (tmp_path / "file").touch()
    remove(tmp_path / "file")
    remove(tmp_path / "nothing")
    assert os.listdir(tmp_path) == []
