"""`headrace store` in real processes."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

CALLS = """
from headrace import flow


@flow(persist_result=True)
def large():
    return "x" * 10_000


for _ in range(3):
    large()
"""


class Shell:
    """A home with three runs in it, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environment |= {"HEADRACE_HOME": str(self.home)}
        (folder / "calls.py").write_text(CALLS)
        subprocess.run([sys.executable, "calls.py"], env=self.environment, cwd=folder, check=True, capture_output=True)

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {**self.environment, **variables}
        done = subprocess.run(
            [COMMAND, *arguments], env=environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, **variables: str) -> Any:
        return json.loads(self(*arguments, "--json", **variables).stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_what_is_old_is_forgotten(shell: Shell) -> None:
    """With its results; a plan only says so. Nothing is old that is kept for ever."""
    short = {"HEADRACE_KEEP_RUNS_DAYS": "1e-9", "HEADRACE_KEEP_DETAILS_DAYS": "1e-9"}
    assert shell.json("store", "gc")["runs"] == 0
    assert shell.json("store", "gc", HEADRACE_KEEP_RUNS_DAYS="0", HEADRACE_KEEP_DETAILS_DAYS="0")["runs"] == 0
    assert shell.json("store", "gc", "--plan", **short)["runs"] == 3
    assert len(shell.json("flow-run", "ls")) == 3
    assert len(list((shell.home / "storage").glob("*/results/*"))) == 3
    assert "runs" in shell("store", "gc", **short).stdout
    assert shell.json("flow-run", "ls") == []
    assert [path for path in (shell.home / "storage").rglob("*") if path.is_file()] == []


def test_a_store_is_checked(shell: Shell) -> None:
    """Sound, it says so; damaged, it says what to do, by its exit code too."""
    assert shell.json("store", "check")["is_sound"] is True
    assert "the run store is sound" in shell("store", "check").stdout
    file = shell.home / "headrace.db"
    content = bytearray(file.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    assert "damaged" in shell("store", "check", code=1).stderr


def test_a_store_is_copied(shell: Shell) -> None:
    """The copy has what it had then, and can be put in its place."""
    said = shell("store", "backup", "copy.db").stdout
    assert said.startswith(f"copied the run store to {shell.folder / 'copy.db'} (")
    run = shell.json("flow-run", "ls")[0]["id"]
    shell("flow-run", "delete", run)
    assert "something is there already" in shell("store", "backup", "copy.db", code=1).stderr
    for file in shell.home.glob("headrace.db*"):
        file.unlink()
    os.rename(shell.folder / "copy.db", shell.home / "headrace.db")
    assert len(shell.json("flow-run", "ls")) == 3


def test_everything_is_forgotten(shell: Shell) -> None:
    """After a word that it is meant; then files that nothing refers to can be removed."""
    assert "aborted" in shell("store", "reset", code=1).stderr
    assert len(shell.json("flow-run", "ls")) == 3
    assert shell.json("store", "reset", "--yes") == {"is_empty": True}
    assert shell.json("flow-run", "ls") == []
    assert shell.json("store", "gc")["results_of_runs"] == 3
    assert shell.json("store", "upgrade") == {"is_upgraded": True, "mended": []}
