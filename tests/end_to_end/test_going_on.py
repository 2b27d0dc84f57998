"""Runs that are paused, resumed and tried again, and many runs at once, on the command line with real agents."""

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
from pathlib import Path

from headrace import flow, pause_run, task


@task(persist_result=True)
def count(folder, name):
    path = Path(folder, name)
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    return name


@flow(persist_result=True)
def approval(folder):
    count(folder, "first")
    pause_run("approve the first")
    count(folder, "second")
    pause_run("approve the second")
    return count(folder, "third")


@flow
def flaky(folder):
    count(folder, "once")
    if not Path(folder, "mended").exists():
        raise ValueError("not yet")
    return "done"


@flow
def outer():
    inner()


@flow
def inner():
    pause_run()
"""

SPECS = "\n---\n".join(f"name: d\nflow_location: flows.py\nflow_name: {name}" for name in ("approval", "flaky", "outer"))


class Shell:
    """A home, a folder and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environment |= {"HEADRACE_HOME": str(folder / "home")}
        (folder / "flows.py").write_text(FLOW)
        (folder / "specs.yaml").write_text(SPECS)

    def __call__(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def run(self, flow: str) -> str:
        return str(
            self.json("deployment", "run", f"{flow}/d", "--params", json.dumps({"folder": str(self.folder)} if flow != "outer" else {}))[
                "id"
            ]
        )

    def agent(self) -> None:
        self("agent", "start", "q", "--run-once")

    def state(self, run: str) -> str:
        return str(self.json("flow-run", "inspect", run)["state"])

    def counted(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell("deployment", "create", "specs.yaml")
    shell("work-queue", "create", "q")
    return shell


def test_a_flow_waits_for_people(shell: Shell) -> None:
    """It holds no process while it is paused, says what it waits for, and computes nothing twice."""
    run = shell.run("approval")
    shell.agent()
    assert shell.state(run) == "AwaitingResume"
    assert "approve the first" in shell("flow-run", "explain", run).stdout
    assert "Paused, approve the first; it goes on with: headrace flow-run resume" in shell("flow-run", "logs", run).stdout
    assert os.listdir(shell.folder / "home" / "running") == []
    shell.agent()
    assert (shell.counted("first"), shell.counted("second")) == ("x", "")
    shell("flow-run", "resume", run)
    shell.agent()
    assert shell.state(run) == "AwaitingResume"
    shell("flow-run", "resume", run)
    shell.agent()
    assert shell.state(run) == "Completed"
    assert [shell.counted(name) for name in ("first", "second", "third")] == ["x", "x", "x"]


def test_a_subflow_cannot_pause(shell: Shell) -> None:
    """The run fails, and says where to pause instead."""
    run = shell.run("outer")
    shell.agent()
    inspected = shell.json("flow-run", "inspect", run)
    assert inspected["state"] == "Failed"
    assert "this flow was called by another one; call pause_run() in that" in json.dumps(inspected)


def test_a_flow_that_is_called_cannot_pause(shell: Shell) -> None:
    """No agent could go on with it."""
    script = "import flows, os; flows.approval(os.getcwd())"
    environment = {**shell.environment, "PYTHONPATH": str(shell.folder)}
    done = subprocess.run(
        [COMMAND.replace("headrace", "python"), "-c", script],
        env=environment,
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no agent started this run, so none could go on with it" in done.stderr


def test_a_run_is_tried_again(shell: Shell) -> None:
    """What finished in it is not computed again, as long as it was kept."""
    run = shell.run("flaky")
    shell.agent()
    assert shell.state(run) == "Failed"
    (shell.folder / "mended").touch()
    assert "is to be tried again: flow run" in shell("flow-run", "retry", run).stdout
    assert shell.state(run) == "AwaitingRetry"
    shell.agent()
    assert (shell.state(run), shell.counted("once")) == ("Completed", "x")
    assert "it has completed; ask for another run of its deployment" in shell("flow-run", "retry", run, code=1).stderr


def test_a_run_is_held(shell: Shell) -> None:
    """And started when it is resumed; it is not paused twice."""
    run = shell.run("flaky")
    shell("flow-run", "pause", run)
    shell.agent()
    assert shell.state(run) == "Paused"
    assert "is not paused" in shell("flow-run", "pause", run, code=1).stderr
    (row,) = shell.json("flow-run", "resume", run)
    assert (row["id"], row["state"]) == (run, "Scheduled")
    shell.agent()
    assert shell.state(run) == "Failed"


def test_many_at_once(shell: Shell) -> None:
    """Off a terminal nothing is done before somebody says that he means it, with their number; only what it makes sense for is meant."""
    made = [shell.run("flaky") for _ in range(7)]
    kept = shell.run("outer")
    refused = shell("flow-run", "cancel", "--flow", "flaky", code=2).stderr
    assert "7 flow runs would be cancelled" in refused
    assert "add --yes" in refused
    assert shell.state(made[0]) == "Scheduled"
    assert len(shell.json("flow-run", "cancel", "--flow", "flaky", "--yes")) == 7
    assert {row["state"] for row in shell.json("flow-run", "ls", "--flow", "flaky")} == {"Cancelled"}
    assert "no flow run fits" in shell("flow-run", "cancel", "--flow", "flaky", "--yes").stderr
    assert len(shell.json("flow-run", "retry", "--state", "CANCELLED", "--yes")) == 7
    assert len(shell.json("flow-run", "delete", "--deployment", "flaky/d", "--yes")) == 7
    assert [row["id"] for row in shell.json("flow-run", "ls")] == [kept]


def test_a_choice_that_is_none(shell: Shell) -> None:
    """Neither runs nor options, or both, is a usage error that changes nothing."""
    run = shell.run("flaky")
    assert "say which runs" in shell("flow-run", "delete", code=2).stderr
    assert "not both" in shell("flow-run", "delete", run, "--flow", "flaky", code=2).stderr
    shell("flow-run", "delete", "--state", "nonsense", "--yes", code=2)
    assert shell.state(run) == "Scheduled"


def test_a_project_brings_its_own_plugin(tmp_path: Path) -> None:
    """It is there for commands in the project's folder, and for the runs that its code travels to."""
    shell = Shell(tmp_path)
    (tmp_path / "headrace_plugin.py").write_text(
        "from headrace.hooks import Provider, hookimpl\n"
        "from headrace.reference.task_runner import SequentialTaskRunner\n\n\n"
        "class OurTaskRunner(SequentialTaskRunner):\n    pass\n\n\n"
        "@hookimpl\ndef headrace_task_runners():\n"
        '    yield Provider("ours", "headrace_plugin:OurTaskRunner", "Ours")\n'
    )
    (tmp_path / "ours.py").write_text(
        "from headrace import flow, task\n\n\n@task\ndef one():\n    return 1\n\n\n"
        '@flow(task_runner="ours")\ndef counted():\n    return one.submit().result()\n'
    )
    (tmp_path / "specs.yaml").write_text("name: d\nproject_root: .\nflow_location: ours.py\n")
    (tmp_path / ".headraceignore").write_text("home/\n")
    assert "ours" in shell("plugins").stdout
    shell("deployment", "create", "specs.yaml")
    shell("work-queue", "create", "q")
    run = str(shell.json("deployment", "run", "counted/d")["id"])
    done = subprocess.run(
        [COMMAND, "agent", "start", "q", "--run-once"],
        env=shell.environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert shell.state(run) == "Completed"


def test_what_outlasts_a_flow_that_took_too_long_is_ended(tmp_path: Path) -> None:
    """Submitted tasks end with the flow; a thread of its own cannot be stopped, so the process is killed after the grace, and the run's log says so."""
    shell = Shell(tmp_path)
    (tmp_path / "slow.py").write_text(
        "import threading\nfrom headrace import flow, task\n\n\n@task\ndef sleep():\n    threading.Event().wait(600)\n\n\n"
        "@flow(timeout_seconds=0.2)\ndef slow():\n    sleep.submit()\n    threading.Thread(target=threading.Event().wait, args=(600,), daemon=False).start()\n"
        "    threading.Event().wait(600)\n"
    )
    (tmp_path / "specs.yaml").write_text("name: d\nflow_location: slow.py\n")
    shell.environment["HEADRACE_GRACE_SECONDS"] = "0.3"
    shell("deployment", "create", "specs.yaml")
    shell("work-queue", "create", "q")
    run = str(shell.json("deployment", "run", "slow/d")["id"])
    shell.agent()
    assert shell.state(run) == "TimedOut"
    assert "seconds after the run, and was killed" in shell("flow-run", "logs", run).stdout
    assert {row["state"] for row in shell.json("task-run", "ls")} == {"Crashed"}
