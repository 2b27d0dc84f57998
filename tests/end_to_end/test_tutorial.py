"""The tutorial's main job, command by command, as its reader types them."""

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "tutorial"
COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
LEO, MARVIN = "leonardo_dicapriflow/leonardo-deployment", "leonardo_dicapriflow/marvin-deployment"

Headrace = Callable[..., CompletedProcess[str]]


@pytest.fixture
def headrace(tmp_path: Path) -> Headrace:
    """The command line, in a folder with the tutorial's files, with a home of its own."""
    shutil.copytree(EXAMPLES, tmp_path / "tutorial")
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment = {**plain, "HEADRACE_HOME": str(tmp_path / "home")}

    def run(*arguments: str) -> CompletedProcess[str]:
        done = subprocess.run(
            [COMMAND, *arguments], env=environment, cwd=tmp_path / "tutorial", capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_the_main_job(headrace: Headrace) -> None:
    """A flow is deployed, a queue and an agent are there, the agent runs the deployment in a subprocess, and the logs say Hello Leo!"""
    made = headrace("deployment", "create", "leo_deployment.py").stdout
    assert [line.split()[:2] for line in made.splitlines()[:2]] == [["created", LEO], ["created", MARVIN]]
    queue = headrace("work-queue", "create", "--tag", "tutorial", "tutorial_queue").stdout.strip()
    assert len(queue) == 36
    assert LEO in headrace("deployment", "ls").stdout
    assert json.loads(headrace("deployment", "inspect", LEO, "--json").stdout)["parameters"] == {"name": "Leo"}

    run = json.loads(headrace("deployment", "run", LEO, "--json").stdout)
    agent = headrace("agent", "start", queue, "--run-once").stderr
    assert f"Submitting flow run '{run['name']}'" in agent
    assert f"Flow run '{run['name']}' ended in state Completed" in agent

    assert "Hello Leo!" in headrace("flow-run", "logs", run["id"]).stdout
    shown = json.loads(headrace("flow-run", "inspect", run["id"], "--json").stdout)
    assert (shown["state"], shown["tags"]) == ("Completed", ["test", "tutorial"])


def test_what_is_deployed_again_is_unchanged(headrace: Headrace) -> None:
    """Also from another folder on the machine: no path is part of it."""
    headrace("deployment", "create", "leo_deployment.py")
    again = headrace("deployment", "create", "leo_deployment.py").stdout
    assert [line.split()[0] for line in again.splitlines()[:2]] == ["unchanged", "unchanged"]
    elsewhere = headrace("deployment", "create", str(EXAMPLES / "leo_deployment.py")).stdout
    assert [line.split()[0] for line in elsewhere.splitlines()[:2]] == ["unchanged", "unchanged"]


def test_deploying_and_running_call_no_flow_at_module_level(headrace: Headrace) -> None:
    """The last line of the tutorial's first file, which calls the flow, makes no run."""
    headrace("deployment", "create", "leo_deployment.py")
    assert json.loads(headrace("flow-run", "ls", "--json").stdout) == []
    headrace("work-queue", "create", "q")
    headrace("deployment", "run", MARVIN)
    headrace("agent", "start", "q", "--run-once")
    (run,) = json.loads(headrace("flow-run", "ls", "--json").stdout)
    assert run["parameters"] == {"name": "Marvin"}


def test_a_queue_gathers_by_tag(headrace: Headrace) -> None:
    """The queue for `dev` takes marvin's run, and leaves leo's."""
    headrace("deployment", "create", "leo_deployment.py")
    headrace("work-queue", "create", "dev_queue", "--tag", "dev")
    for name in (LEO, MARVIN):
        headrace("deployment", "run", name)
    headrace("agent", "start", "dev_queue", "--run-once")
    states = {run["parameters"]["name"]: run["state"] for run in json.loads(headrace("flow-run", "ls", "--json").stdout)}
    assert states == {"Leo": "Scheduled", "Marvin": "Completed"}


def test_executing_needs_no_queue_and_no_agent(headrace: Headrace) -> None:
    """The run's lines are shown here, and it is linked to its deployment and carries its tags."""
    headrace("deployment", "create", "leo_deployment.py")
    done = headrace("deployment", "execute", LEO)
    assert "Hello Leo!" in done.stdout + done.stderr
    (run,) = json.loads(headrace("flow-run", "ls", "--json").stdout)
    deployment = json.loads(headrace("deployment", "inspect", LEO, "--json").stdout)
    assert (run["deployment"], run["tags"], run["state"]) == (deployment["id"], ["test", "tutorial"], "Completed")
