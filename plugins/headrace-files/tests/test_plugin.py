"""What headrace-files offers is found and loads."""

from pathlib import Path

import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_files.file import FileStorage
from headrace_files.local import LocalStorage
from headrace_files.temporary import TemporaryStorage


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self, tmp_path: Path) -> Options:
        return {"local": {"path": str(tmp_path)}, "file": {"url": f"file://{tmp_path}"}}


@pytest.mark.parametrize(("name", "kind"), [("local", LocalStorage), ("temporary", TemporaryStorage), ("file", FileStorage)])
def test_storages_are_found(name: str, kind: type) -> None:
    """Each storage is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("storage", name).plugin.dist == "headrace-files"
    assert registry.load("storage", name) is kind
