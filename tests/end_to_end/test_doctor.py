"""`headrace doctor` on homes that were lived in: with runs, with an agent's folders, and with what breaks."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import headrace
from headrace.clock import Clock
from headrace.settings import load
from headrace.testing.clock import FixedClock
from headrace.testing.privileges import giving_up

Doctor = Callable[..., CompletedProcess[str]]

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))

SCRIPT = """
from headrace import flow, get_run_logger, task

@task
def say(number):
    get_run_logger().warning("number %s", number)

@flow(persist_result=True)
def talk():
    say(1)
    say(2)
    return "x" * 100_000

talk()
"""


def environment_of(home: Path) -> dict[str, str]:
    """The environment of a user with this home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_") and name not in ("NO_COLOR", "COLUMNS")}
    return {**kept, "HEADRACE_HOME": str(home)}


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a flow has run; tests copy it."""
    home = tmp_path_factory.mktemp("lived") / "home"
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment_of(home), capture_output=True, check=True, timeout=120)
    return home


@pytest.fixture
def home(lived_in: Path, tmp_path: Path) -> Path:
    """A home of one's own, with runs in it."""
    home = Path(shutil.copytree(lived_in, tmp_path / "home"))
    (home / "storage").mkdir(exist_ok=True)
    return home


def doctor(home: Path, *arguments: str, unprivileged: bool = False) -> CompletedProcess[str]:
    """Runs the doctor in a home."""
    return subprocess.run(
        [COMMAND, "doctor", *arguments],
        env=environment_of(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=giving_up() if unprivileged else None,
    )


def report(home: Path, *, unprivileged: bool = False) -> dict[str, Any]:
    """What the doctor says as JSON; there is nothing on the standard error."""
    shown = doctor(home, "--json", unprivileged=unprivileged)
    found: dict[str, Any] = json.loads(shown.stdout)
    assert (shown.returncode, shown.stderr) == (1 if found["is_broken"] else 0, "")
    return found


def broken(home: Path, *, unprivileged: bool = False) -> list[str]:
    """What is broken."""
    return [each["sentence"] for each in report(home, unprivileged=unprivileged)["findings"] if each["is_broken"]]


def test_a_home_that_is_sound(home: Path) -> None:
    """Nothing is broken; what is kept is counted and weighed, and looking changes nothing."""
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    found = report(home)
    assert found["findings"] == []
    store = found["run_store"]
    assert (store["name"], store["where"]) == ("sqlite", str(home / "headrace.db"))
    assert (store["rows"]["flow_runs"], store["rows"]["task_runs"], store["runs_of_last_day"]) == (1, 2, 1)
    assert store["rows"]["log_lines"] >= 2
    assert store["kept_days"] == {"runs": 90, "details": 14}
    assert store["files"] == {"headrace.db": (home / "headrace.db").stat().st_size}
    assert datetime.now(UTC) - datetime.fromisoformat(store["oldest_run"]) < timedelta(hours=1)
    assert {"headrace-core", "headrace-sqlite"} <= found["installed"]["dists"].keys()
    assert (found["storage"]["name"], found["storage"]["path"]) == ("local", str(home / "storage"))
    assert found["places"]["free_bytes"] > 0
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_for_people(home: Path) -> None:
    """The same in words, a line each, none of them cut."""
    shown = doctor(home)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "1 flow runs, 2 task runs" in shown.stdout
    assert shown.stdout.endswith("findings\nnothing is broken\n")


def test_a_damaged_store(home: Path) -> None:
    """It is told, with what to do; everything else is told all the same."""
    with open(home / "headrace.db", "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 40_960)
    (sentence,) = broken(home)
    assert sentence.startswith(f"the run store at {home / 'headrace.db'} cannot be used: its file is damaged")
    assert report(home)["installed"]["dists"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Dear diary, " * 1000, "it is no SQLite database; move the file away, and a new store is made"),
        (None, "a folder lies in its place"),
    ],
)
def test_what_is_no_store(home: Path, content: bytes | None, why: str) -> None:
    """It is told."""
    store = home / "headrace.db"
    store.unlink()
    if content is None:
        store.mkdir()
    else:
        store.write_bytes(content)
    (sentence,) = broken(home)
    assert why in sentence


def test_a_store_of_a_newer_headrace(home: Path) -> None:
    """It says what to upgrade."""
    connection = sqlite3.connect(home / "headrace.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    (sentence,) = broken(home)
    assert sentence.endswith("; upgrade headrace-sqlite")


def test_a_home_that_may_only_be_read(home: Path) -> None:
    """What may not be written is told, and what is in it is counted."""
    for path in (home / "headrace.db", home / "storage", home):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        found = report(home, unprivileged=True)
    finally:
        home.chmod(0o700)
        (home / "storage").chmod(0o700)
    about = {each["about"] for each in found["findings"] if each["is_broken"]}
    assert about == {"home", "run store", "storage"}
    assert found["run_store"]["rows"]["flow_runs"] == 1


def test_a_storage_in_whose_way_something_lies(home: Path) -> None:
    """A file where the folder should be is told."""
    shutil.rmtree(home / "storage")
    (home / "storage").touch()
    (sentence,) = broken(home)
    assert sentence.startswith("storage 'local' cannot be used")


def test_a_clock_that_was_ahead(home: Path) -> None:
    """Runs that were made in times to come tell that the clock is wrong, or was."""
    ahead: Clock = FixedClock(datetime.now(UTC) + timedelta(days=400))
    with headrace.open(load({"HEADRACE_HOME": str(home)}), clock=ahead):
        headrace.flow(lambda: 1, name="early")()
    (finding,) = report(home)["findings"]
    assert (finding["about"], finding["is_broken"]) == ("clock", False)
    assert finding["sentence"].endswith("see to it that it is set by a time server")


def test_nothing_at_all(tmp_path: Path) -> None:
    """Where headrace was never used nothing is broken, and nothing is there afterwards."""
    assert report(tmp_path / "none")["findings"] == []
    assert not (tmp_path / "none").exists()
