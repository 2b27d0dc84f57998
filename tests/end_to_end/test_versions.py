"""Versions of deployments, on the command line: planned, told, and gone back to."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

FLOW = """
from headrace import flow


@flow
def greet(name="Leo"):
    print("Hello", name)
"""

SPECS = """
name: daily
flow_location: greet.py
on_crash: retry
"""


class Shell:
    """A home, a folder and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environment |= {"HEADRACE_HOME": str(folder / "home")}
        (folder / "greet.py").write_text(FLOW)
        (folder / "specs.yaml").write_text(SPECS)

    def __call__(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def changed(shell: Shell) -> Shell:
    """A deployment with two versions."""
    shell("deployment", "create", "specs.yaml")
    (shell.folder / "greet.py").write_text(FLOW.replace("Hello", "Goodbye"))
    shell("deployment", "create", "specs.yaml")
    return shell


def test_a_plan_changes_nothing(shell: Shell) -> None:
    """It tells by its exit code whether `create` would."""
    (row,) = shell.json("deployment", "plan", "specs.yaml", code=2)
    assert (row["outcome"], row["name"], row["max_restarts"]) == ("created", "greet/daily", 3)
    assert shell.json("deployment", "ls") == []
    shell("deployment", "create", "specs.yaml")
    assert "unchanged greet/daily" in shell("deployment", "plan", "specs.yaml").stdout
    (shell.folder / "specs.yaml").write_text(SPECS + "tags: [new]\n")
    assert "updated   greet/daily (tags)" in shell("deployment", "plan", "specs.yaml", code=2).stdout
    assert shell.json("deployment", "inspect", "daily")["tags"] == []


def test_a_file_that_cannot_be_deployed_has_no_plan(shell: Shell) -> None:
    """It says what is wrong, as `create` does."""
    (shell.folder / "specs.yaml").write_text("name: daily\n")
    assert "it names no flow" in shell("deployment", "plan", "specs.yaml", code=1).stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("on_crash: maybe", "on_crash must be 'fail' or 'retry', not the text 'maybe'"),
        ("max_restarts: 2", "max_restarts says how often, and goes with on_crash='retry'"),
        ("{on_crash: retry, max_restarts: 0}", "max_restarts must be a whole number from 1, not 0"),
        ("{on_crash: retry, max_restarts: true}", "max_restarts must be a whole number from 1, not True"),
    ],
)
def test_a_wrong_word_about_crashes_is_refused(shell: Shell, line: str, said: str) -> None:
    """With what is accepted instead."""
    given = line.strip("{}").replace(", ", "\n")
    (shell.folder / "specs.yaml").write_text(f"name: daily\nflow_location: greet.py\n{given}\n")
    assert said in shell("deployment", "create", "specs.yaml", code=1).stderr


def test_history_says_what_changed(changed: Shell) -> None:
    """The newest first."""
    (changed.folder / "specs.yaml").write_text("name: daily\nflow_location: greet.py\ntags: [new]\n")
    changed("deployment", "create", "specs.yaml")
    lines = changed("deployment", "history", "daily").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["VERSION", "3", "2", "1"]
    assert [line.split("  ")[-1] for line in lines[1:]] == ["tags, restarts after a crash", "code", "created"]
    assert [row["version"] for row in changed.json("deployment", "history", "daily", "--limit", "2")] == [3, 2]


def test_going_back(changed: Shell) -> None:
    """An earlier version is the newest, and its code is what runs."""
    assert "rolled back greet/daily to version 1; it is version 3 now" in changed("deployment", "rollback", "daily").stdout
    assert "as it was in version 1 already" in changed("deployment", "rollback", "daily", "--to", "1").stdout
    assert "Hello Leo" in changed("deployment", "execute", "daily").stderr
    row = changed.json("deployment", "rollback", "daily", "--to", "2")
    assert (row["version"], row["name"]) == (4, "greet/daily")
    assert "Goodbye Leo" in changed("deployment", "execute", "daily").stderr


def test_a_version_that_is_not_there(changed: Shell) -> None:
    """Says so, and changes nothing."""
    assert "no version of greet/daily '9'" in changed("deployment", "rollback", "daily", "--to", "9", code=1).stderr
    changed("deployment", "rollback", "daily", "--to", "0", code=2)
    changed("deployment", "rollback", "nobody", code=1)
    assert changed.json("deployment", "inspect", "daily")["version"] == 2


def test_a_first_version_has_none_before_it(shell: Shell) -> None:
    """Going back from it is a usage error."""
    shell("deployment", "create", "specs.yaml")
    assert "greet/daily has no earlier version" in shell("deployment", "rollback", "daily", code=2).stderr


def test_a_paused_deployment_starts_nothing(shell: Shell) -> None:
    """Its runs wait, and are told why; resumed, they are started."""
    shell("deployment", "create", "specs.yaml")
    shell("work-queue", "create", "q")
    assert shell.json("deployment", "pause", "daily")["is_paused"]
    asked = shell("deployment", "run", "daily")
    assert "its deployment 'greet/daily' is paused; try: headrace deployment resume greet/daily" in asked.stderr
    shell("agent", "start", "q", "--run-once")
    (run,) = shell.json("flow-run", "ls")
    assert run["state"] == "Scheduled"
    assert "is paused" in shell("flow-run", "explain", run["id"]).stdout
    assert shell("deployment", "resume", "daily").stdout.startswith("resumed greet/daily")
    shell("agent", "start", "q", "--run-once")
    assert shell.json("flow-run", "inspect", run["id"])["state"] == "Completed"


def test_a_key_that_there_is_not_is_named(shell: Shell) -> None:
    """In Python as in YAML, without a traceback, with what was meant."""
    made = "from headrace.deployments import DeploymentSpec\n\nDeploymentSpec(name='x', flow_location='greet.py', tag=['a'])\n"
    (shell.folder / "specs.py").write_text(made)
    refused = shell("deployment", "create", "specs.py", code=1).stderr.splitlines()
    assert refused == ["error: specs.py, line 3: 'tag' is no key of a deployment; did you mean 'tags'?", "nothing was deployed"]
