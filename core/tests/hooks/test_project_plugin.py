"""The plugin that a project brings itself."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.hooks.plugins import Status
from headrace.hooks.registry import PROJECT_PLUGIN, Registry, discovered, of_project
from headrace.model.choices import Choice

PLUGIN = """
import attrs
from headrace.hooks import Provider, hookimpl


@attrs.frozen(kw_only=True)
class Nowhere:
    outlives_process = False


@hookimpl
def headrace_storages():
    yield Provider("nowhere", "headrace_plugin:Nowhere", "Keeps nothing")
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    sys.modules.pop(PROJECT_PLUGIN, None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "headrace_plugin.py").write_text(PLUGIN)
    return tmp_path


def test_what_a_project_brings_is_installed_in_its_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Like what distributions bring; elsewhere it is not there."""
    assert not Registry().has("storage", "nowhere")
    monkeypatch.chdir(project)
    registry = Registry()
    assert type(registry.make("storage", Choice("nowhere"))).__name__ == "Nowhere"
    (row,) = [row for row in registry.rows() if row.name == "nowhere"]
    assert (row.dist, row.status) == ("this project", Status.OK)


def test_it_can_be_blocked(project: Path) -> None:
    """By the name of its module."""
    registry = Registry(of_project(project), blocked=["headrace_plugin"])
    assert not registry.has("storage", "nowhere")


def test_what_comes_later_takes_the_place_of_what_was_there(project: Path) -> None:
    """The code of a run brings its own, whatever the folder had in which its process began."""
    registry = Registry(of_project(project))
    (project / "headrace_plugin.py").write_text(PLUGIN.replace("nowhere", "somewhere"))
    registry.add(of_project(project))
    assert [registry.has("storage", name) for name in ("nowhere", "somewhere")] == [False, True]


def test_a_broken_one_is_a_row(project: Path) -> None:
    """With its reason, and no crash."""
    (project / "headrace_plugin.py").write_text("1 / 0")
    (row,) = Registry(of_project(project)).rows()
    assert (row.name, row.status) == ("headrace_plugin", Status.FAILED)
    assert "ZeroDivisionError" in row.reason
    assert PROJECT_PLUGIN not in sys.modules


def test_code_of_another_user_is_not_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works in a folder of others, such as the one for temporary files, runs nothing of theirs by it."""
    if os.geteuid() == 0:
        os.chown(project / "headrace_plugin.py", 12345, 12345)
    else:  # who cannot give files away is another one
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    (row,) = Registry(of_project(project)).rows()
    assert (row.status, "belongs to another user" in row.reason) == (Status.FAILED, True)


def test_a_folder_that_is_gone_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is in nobody's way."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "headrace-core" in {plugin.dist for plugin in discovered()}
