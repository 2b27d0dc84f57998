"""Options of agents: which flow runner they prefer, how many runs of each they have, and what they fetch ahead of time."""

import json
import os
import signal
import subprocess
import sysconfig
from pathlib import Path

import pytest

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

FLOW = """
import os

from headrace import flow


@flow
def errand():
    return os.environ.get("COLOUR")
"""

SPECS = """
from headrace.deployments import DeploymentSpec
from headrace.flow_runners import SubprocessFlowRunner

DeploymentSpec(name="plain", flow_location="errand.py")
DeploymentSpec(name="own", flow_location="errand.py", flow_runner=SubprocessFlowRunner(env={"COLOUR": "blue"}))
"""


class House:
    """A home with deployments and a work queue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        self.environment = kept | {"HEADRACE_HOME": str(folder / "home"), "HEADRACE_RENEW_SECONDS": "0.2", "TZ": "UTC"}
        (folder / "errand.py").write_text(FLOW)
        (folder / "specs.py").write_text(SPECS)
        self("deployment", "create", "specs.py")
        self("work-queue", "create", "q")

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout if code == 0 and done.stdout else done.stderr

    def run(self, name: str, *more: str) -> str:
        return str(json.loads(self("deployment", "run", f"errand/{name}", "--json", *more))["id"])

    def state(self, run_id: str) -> str:
        return str(json.loads(self("flow-run", "inspect", run_id, "--json"))["state"])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_an_agent_prefers(house: House) -> None:
    """Runs that leave it the choice get that; those that do not, what they want."""
    plain, own = house.run("plain"), house.run("own")
    said = house("agent", "start", "q", "--run-once", "--prefer", "universal")
    assert f"({plain}) to flow runner 'universal'" in said
    assert f"({own}) to flow runner 'subprocess'" in said
    assert (house.state(plain), house.state(own)) == ("Completed", "Completed")


def test_limits_by_flow_runner(house: House) -> None:
    """All is done in the end, and never more at once."""
    ids = [house.run(name) for name in ("plain", "own", "plain", "own")]
    said = house("agent", "start", "q", "--run-once", "--limit-by", "subprocess=1")
    events = [line.split(" - ")[1].split(" ")[0] for line in said.splitlines() if "Submitting" in line or " ended in state" in line]
    assert events == ["Submitting", "Flow"] * 4
    assert {house.state(run_id) for run_id in ids} == {"Completed"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--limit-by", "subprocess"), 2, "'subprocess' is not the name of a flow runner with a number from 1 on, such as docker=5"),
        (("--limit-by", "subprocess=0"), 2, "such as docker=5"),
        (("--limit-by", "=3"), 2, "such as docker=5"),
        (("--limit-by", "moon=3"), 1, "no flow runner named 'moon'; installed: "),
        (("--prefer", "moon"), 1, "no flow runner named 'moon'; installed: "),
    ],
)
def test_what_cannot_be(house: House, arguments: tuple[str, ...], code: int, said: str) -> None:
    """Is refused at the start, in a sentence."""
    refusal = house("agent", "start", "q", "--run-once", *arguments, code=code)
    assert said in refusal
    assert "Traceback" not in refusal


def test_code_is_fetched_ahead_of_time(house: House) -> None:
    """That of runs which are due soon; it is there before they are."""
    run_id = house.run("plain", "--in", "30m")
    command = [COMMAND, "agent", "start", "q", "--prefetch"]
    with subprocess.Popen(command, env=house.environment, cwd=house.folder, stderr=subprocess.PIPE, text=True) as agent:
        assert agent.stderr is not None
        while "Ready ahead of time: the code of errand/plain" not in (line := agent.stderr.readline()):
            assert line
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)
    (tree,) = (house.folder / "home" / "code").glob("*/tree")
    assert (tree / "errand.py").read_text() == FLOW
    assert house.state(run_id) == "Scheduled"


def test_help_says_how(house: House) -> None:
    """With an example."""
    said = house("agent", "start", "--help")
    assert "headrace agent start nightly --prefer docker --limit-by docker=5 --prefetch" in said
