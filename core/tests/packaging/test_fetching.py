"""Fetching: a run's process gets its flow, and a folder with the files that came with it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.errors import CodeUnusable
from headrace.instance import Instance
from headrace.model.deployments import Code
from headrace.packaging.fetching import fetched_flow
from headrace.packaging.packing import write_archive
from headrace.packaging.tree import tree_of_folder

Files = Callable[..., Path]
FLOW = (
    "import os\nfrom pathlib import Path\nfrom headrace import flow\n\n@flow\ndef look():\n    return sorted(os.listdir('.')), __file__\n"
)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: None) -> Path:
    """The folder in which a process begins."""
    (tmp_path / "start").mkdir()
    monkeypatch.chdir(tmp_path / "start")
    return tmp_path / "start"


def test_a_run_works_among_its_files(start: Path, house: Instance, files: Files, tmp_path: Path) -> None:
    """They lie in its working folder, from which its modules are imported."""
    pytest.importorskip("headrace_files")  # what is kept must outlive the opening that kept it
    tree = tree_of_folder(files({"looks.py": FLOW, "data/x.csv": "1"}))
    with house.code_storage() as storage:
        write_archive(tree, tree.archive().key, storage)
        folder = tmp_path / "running" / "a.1"
        flow = fetched_flow(house, Code(entrypoint="looks:look", archive=tree.archive()), folder, what="look")
    assert Path.cwd() == folder
    assert flow.definition.function() == (["data", "looks.py"], str(folder / "looks.py"))
    assert sys.path[0] == str(folder)


def test_what_is_installed_runs_in_an_empty_folder(start: Path, house: Instance, files: Files, tmp_path: Path) -> None:
    """It is not to be found by what lies where the process began; what another process left in the folder is gone."""
    sys.path[:0] = ["", str(files({"looks.py": FLOW}))]
    folder = tmp_path / "running" / "a.1"
    (folder / "left").mkdir(parents=True)
    flow = fetched_flow(house, Code(entrypoint="looks:look"), folder, what="look")
    assert Path.cwd() == folder
    assert flow.definition.function() == ([], str(tmp_path / "project" / "looks.py"))
    assert "" not in sys.path


def test_a_folder_that_cannot_be_made(start: Path, house: Instance, tmp_path: Path) -> None:
    """It is said in a sentence."""
    (tmp_path / "running").touch()
    with pytest.raises(CodeUnusable, match="the code of look cannot be used: it cannot be unpacked into .*/running/a.1: Not a directory"):
        fetched_flow(house, Code(entrypoint="looks:look"), tmp_path / "running" / "a.1", what="look")
    assert os.getcwd() == str(start)
