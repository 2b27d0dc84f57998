"""What a deployment says of the process of its runs, with real runs: folder, variables, limits, output."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

FLOWS = """
import os
import subprocess
import sys
from pathlib import Path

import beside
from headrace import flow, get_run_logger, task


@task
def greedy():
    return len(bytearray(2_000_000_000))


@flow
def errand(how="", folder=""):
    print("works in", os.getcwd())
    print("found", beside.WORD, Path(__file__).parent.joinpath("beside.py").exists(), os.environ["HEADRACE_RUN"])
    if how == "write":
        Path("written").write_text("by the run")
    if how == "memory":
        bytearray(2_000_000_000)
    if how == "memory of a task":
        greedy()
    if how == "abort":
        os.abort()
    if how == "busy":
        try:
            while True:
                pass
        finally:
            print("put in order")
    if how == "stubborn":
        while True:
            try:
                while True:
                    pass
            except BaseException:
                print("goes on", flush=True)
    if how == "escape":
        print("red \\x1b[31m and \\x07", flush=True)
        get_run_logger().warning("on two\\nlines")
"""


class House:
    """A home with deployments and an agent at hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        self.environment = kept | {"HEADRACE_HOME": str(folder / "home"), "TZ": "UTC"}

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def run(self, deployment: str, how: str = "") -> dict[str, Any]:
        """A run, when an agent has run it; `said` is its log, `agent` what the agent said."""
        run_id = json.loads(self("deployment", "run", f"errand/{deployment}", "--param", f"how={how}", "--json"))["id"]
        agent = subprocess.run(
            [COMMAND, "agent", "start", "q", "--run-once"],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert agent.returncode == 0, agent.stderr
        found: dict[str, Any] = json.loads(self("flow-run", "inspect", run_id, "--json"))
        said = [line["message"] for line in json.loads(self("flow-run", "logs", run_id, "--json"))]
        return found | {"said": said, "agent": agent.stderr}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("options"))
    data = house.folder / "data"
    data.mkdir()
    (house.folder / "code").mkdir()
    (house.folder / "code" / "beside.py").write_text("WORD = 'it'\n")
    (house.folder / "code" / "errands.py").write_text(FLOWS)
    options = {
        "plain": "",
        "elsewhere": f"working_dir={str(data)!r}",
        "nowhere": "working_dir='/nowhere/at/all'",
        "bounded": "memory='300MB', cpu_seconds=1",
        "cold": "memory='300MB', cpu_seconds=1, warm=False",
        "shown": "stream_output=True",
    }
    lines = [
        f"DeploymentSpec(name={name!r}, flow_location='code/errands.py', project_root='code', flow_runner=SubprocessFlowRunner({given}))"
        for name, given in options.items()
    ]
    imports = "from headrace.deployments import DeploymentSpec\nfrom headrace.flow_runners import SubprocessFlowRunner\n"
    (house.folder / "specs.py").write_text(imports + "\n".join(lines))
    house("deployment", "create", "specs.py")
    house("work-queue", "create", "q")
    return house


def test_a_folder_of_the_runs_own(house: House) -> None:
    """Unless it is said otherwise: it is gone afterwards, and what was written there with it. Its programs know which run they are of."""
    run = house.run("plain", "write")
    identity = f"{run['id']}.1"
    assert f"works in {house.folder / 'home' / 'running' / identity}" in run["said"]
    assert f"found it True {identity}" in run["said"]
    assert list((house.folder / "home").rglob("written")) == []


def test_a_folder_to_work_in(house: House) -> None:
    """The flow works there, and what it writes stays; its code comes from where it always comes from."""
    run = house.run("elsewhere", "write")
    assert run["state"] == "Completed"
    assert f"works in {house.folder / 'data'}" in run["said"]
    assert f"found it True {run['id']}.1" in run["said"]
    assert (house.folder / "data" / "written").read_text() == "by the run"


def test_a_folder_that_is_not_there(house: House) -> None:
    """The run says so, and what to do."""
    run = house.run("nowhere")
    sentence = (
        "working_dir='/nowhere/at/all' cannot be used: there is no folder /nowhere/at/all on this machine; make it, or choose another"
    )
    assert (run["state"], sentence in run["state_message"]) == ("Crashed", True)
    assert any(sentence in line for line in run["said"])


@pytest.mark.parametrize("deployment", ["bounded", "cold"])
@pytest.mark.parametrize("how", ["memory", "memory of a task"])
def test_more_memory_than_it_may_have(house: House, deployment: str, how: str) -> None:
    """It fails with an exception like any other, and says what it may have."""
    run = house.run(deployment, how)
    assert (run["state"], run["state_message"]) == (
        "Failed",
        "Flow run encountered an exception. MemoryError: each of its processes may have 300 MB of memory (memory)",
    )


def test_an_end_that_memory_may_have_to_do_with(house: House) -> None:
    """A process that was killed, or ended itself, where memory is limited, says how much there was."""
    run = house.run("bounded", "abort")
    assert run["state_message"] == (
        "The process of the run ended with signal 6 (SIGABRT) before the run did: each of its processes may have 300 MB of memory (memory)."
    )
    assert house.run("plain", "abort")["state_message"] == "The process of the run ended with signal 6 (SIGABRT) before the run did."


@pytest.mark.parametrize("deployment", ["bounded", "cold"])
def test_more_time_than_it_may_use(house: House, deployment: str) -> None:
    """It is interrupted, so that it can put things in order, and says why."""
    run = house.run(deployment, "busy")
    sentence = "Execution was stopped: it had used the seconds of processors that it may use (cpu_seconds)."
    assert (run["state"], run["state_message"]) == ("Crashed", sentence)
    assert "put in order" in run["said"]


def test_code_that_uses_more_time_all_the_same(house: House) -> None:
    """It is killed some seconds later, and the run says why."""
    run = house.run("bounded", "stubborn")
    assert run["state_message"] == (
        "The process of the run ended with signal 9 (SIGKILL) before the run did: "
        "it had used the 1 seconds of processors that it may use (cpu_seconds)."
    )
    assert "goes on" in run["said"]


def test_what_a_run_says_is_shown_by_its_agent(house: House) -> None:
    """Where that is wanted: each line once, in which nothing can command a terminal; else only that it ran."""
    run = house.run("shown", "escape")
    shown = [line.partition(f"{run['name']} | ")[2] for line in run["agent"].splitlines() if f"{run['name']} | " in line]
    assert shown.count("red \\x1b[31m and \\x07") == 1
    assert shown.count("Finished in state Completed()") == 1
    assert "\x1b" not in run["agent"]
    assert f"{run['name']} | on two\nlines\n" in run["agent"]
    assert f"{run['name']} | " not in house.run("plain", "escape")["agent"]
