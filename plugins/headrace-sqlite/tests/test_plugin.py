"""What headrace-sqlite offers is found and loads."""

import subprocess
import sys
from pathlib import Path

import pytest

from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_sqlite.run_store import SqliteRunStore


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self, tmp_path: Path) -> Options:
        return {"sqlite": {"path": str(tmp_path / "headrace.db")}}


def test_the_run_store_is_found() -> None:
    """The run store is found through the installed entry point, its class loads, and its options make it."""
    registry = Registry()
    assert registry.offer("run store", "sqlite").plugin.dist == "headrace-sqlite"
    assert registry.load("run store", "sqlite") is SqliteRunStore
    store = registry.make("run store", Choice("sqlite", {"path": "runs.db", "busy_seconds": 1}))
    assert store == SqliteRunStore(path=Path("runs.db"), busy_seconds=1)


def test_the_plugin_is_cheap(tmp_path: Path) -> None:
    """Finding the plugin loads nothing but headrace; the store's class loads SQLite, and sqlite-utils only to make or change a schema."""
    script = """
import sys
from pathlib import Path
import headrace_sqlite.plugin
print(*{"sqlite3", "cattrs", "sqlite_utils"} & set(sys.modules))
from headrace_sqlite.run_store import SqliteRunStore
for _ in range(2):
    with SqliteRunStore(path=Path(sys.argv[1])).open():
        print("sqlite_utils" in sys.modules)
    for name in [name for name in sys.modules if name.startswith("sqlite_utils")]:
        del sys.modules[name]
"""
    command = [sys.executable, "-c", script, str(tmp_path / "headrace.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["", "True", "False"]
