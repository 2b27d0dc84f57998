"""`headrace version`."""

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from subprocess import CompletedProcess

from headrace import __version__

Headrace = Callable[..., CompletedProcess[str]]
Plugin = Callable[..., None]


def test_what_it_says(headrace: Headrace, environment: dict[str, str], plugin: Plugin) -> None:
    """The JSON names version, Python, platform, home, profile, run store and what is installed."""
    plugin(version="3.2.1", acme_plugin="raise RuntimeError")
    found = json.loads(headrace("version", "--json").stdout)
    assert found["headrace"] == __version__
    assert found["python"] == platform.python_version()
    assert found["platform"] == platform.platform()
    assert found["home"] == environment["HEADRACE_HOME"]
    assert found["profile"] == "default"
    assert found["run_store"] == "memory"
    assert "sqlite" not in found
    assert "headrace-core" in found["dists"]
    assert found["dists"]["acme"] == "3.2.1"


def test_people_see_the_same(headrace: Headrace, environment: dict[str, str]) -> None:
    """The record has a line for each."""
    lines = dict(line.split(maxsplit=1) for line in headrace("version").stdout.splitlines() if not line.startswith("run store"))
    assert lines["headrace"] == __version__
    assert lines["home"] == environment["HEADRACE_HOME"]
    assert "headrace-core" in lines["installed"]


def test_sqlite_is_not_imported_for_another_store(environment: dict[str, str]) -> None:
    """Where runs are not in SQLite, it is not loaded to ask for its version."""
    program = "import sys; from headrace.cli.main import run; run(['version']); print('sqlite3' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.splitlines()[-1] == "False"


def test_the_version_of_sqlite(headrace: Headrace) -> None:
    """Where runs are in SQLite, its version is told."""
    import sqlite3

    found = json.loads(headrace("version", "--json", more={"HEADRACE_RUN_STORE": "sqlite"}).stdout)
    assert (found["run_store"], found["sqlite"]) == ("sqlite", sqlite3.sqlite_version)
