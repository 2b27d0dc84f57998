"""Agents that run deployments in real processes: what they take, how runs end, and what survives whom."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, LogFilter, Page, WorkQueueFilter
from headrace.model.queues import ClaimRequest
from headrace.model.runs import FlowRun
from headrace.settings import load

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

FLOW = """
import os
import signal
import subprocess
import threading
from pathlib import Path

from headrace import flow, get_run_logger, task


@task
def note(text):
    get_run_logger().info("noted %s", text)


@flow
def errand(how="", text="it", folder=""):
    note(text)
    print("printed", text, flush=True)
    if how == "wait":
        subprocess.Popen(["sleep", "600"])
        Path(folder, f"{text}.pid").write_text(str(os.getpid()))
        threading.Event().wait()
    if how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(folder, f"{text}.pid").write_text(str(os.getpid()))
        while True:
            threading.Event().wait(1)
    if how == "fail":
        raise ValueError("on purpose")
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "bytes":
        os.write(1, b"not \\xff UTF-8, and no end")
    return text
"""

SPECS = """
from headrace.deployments import DeploymentSpec

DeploymentSpec(name="plain", flow_location="errand.py", tags=["a"])
DeploymentSpec(name="other", flow_location="errand.py", tags=["a", "b"])
DeploymentSpec(name="again", flow_location="errand.py", tags=["a"], on_crash="retry", max_restarts=1)
"""


class House:
    """A home with a deployed flow, and its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environment |= {"HEADRACE_HOME": str(self.home), "TZ": "UTC"}

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        environment = {**self.environment, **variables}
        return subprocess.Popen([COMMAND, *arguments], env=environment, cwd=self.folder, stderr=subprocess.PIPE, text=True)

    def run(self, deployment: str = "errand/plain", **parameters: str) -> str:
        """Asks for a run; its id."""
        given = json.dumps(parameters)
        (run,) = [json.loads(self.command("deployment", "run", deployment, "--params", given, "--json"))]
        return str(run["id"])

    def run_once(self, *queues: str) -> str:
        agent = self.start("agent", "start", *queues, "--run-once")
        _, said = agent.communicate(timeout=SECONDS)
        assert agent.returncode == 0, said
        return said

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.home)}), lasting=True)

    def ended(self, opened: Instance, run_id: str) -> FlowRun:
        """The run, when it has ended."""
        cursor = opened.client.read_last_event()
        while not (run := opened.client.read_flow_run(run_id)).state.is_terminal():
            events = opened.client.wait_for_events(EventFilter(after=cursor, subjects=(run_id,)), SECONDS)
            assert events, f"the run stays {run.state}"
            cursor = events[-1].sequence
        return run

    def said(self, opened: Instance, run_id: str) -> list[str]:
        return [line.message for line in opened.client.read_logs(LogFilter(flow_run_ids=(run_id,)), Page(newest_first=False))]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    (tmp_path / "errand.py").write_text(FLOW)
    (tmp_path / "specs.py").write_text(SPECS)
    yield house
    for file in tmp_path.glob("*.pid"):  # what a failed test left
        try:
            os.killpg(int(file.read_text()), signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            continue


@pytest.fixture
def deployed(house: House) -> House:
    house.command("deployment", "create", "specs.py")
    house.command("work-queue", "create", "q", "--tag", "a")
    return house


def pid_of(house: House, agent: "subprocess.Popen[str]", text: str) -> int:
    """The process of a run that waits."""
    file = house.folder / f"{text}.pid"
    while not (file.exists() and file.read_text()):
        assert agent.poll() is None
    return int(file.read_text())


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("", "COMPLETED", None),
        ("fail", "FAILED", "Flow run encountered an exception. ValueError: on purpose"),
        ("die", "CRASHED", "The process of the run ended with signal 9 (SIGKILL) before the run did."),
    ],
)
def test_a_run_ends_as_its_code_does(deployed: House, how: str, kind: str, message: str | None) -> None:
    """Well, by a failure, or killed; the agent says so in a line, and ends by itself when there is nothing more to do."""
    run_id = deployed.run(how=how)
    said = deployed.run_once("q")
    with deployed.open() as opened:
        run = opened.client.read_flow_run(run_id)
    assert (run.state.type, run.state.message) == (kind, message)
    assert f"Submitting flow run {run.name!r} ({run_id}) to flow runner 'subprocess'" in said
    assert f"Flow run {run.name!r} ended in state {run.state}" in said


def test_what_a_run_says_is_in_its_log(deployed: House) -> None:
    """What it logs and what it prints, in the order in which it was said, and bytes that are no text."""
    run_id = deployed.run(how="bytes", text="one")
    deployed.run_once("q")
    with deployed.open() as opened:
        said = deployed.said(opened, run_id)
    assert said.index("noted one") < said.index("printed one")
    assert "not \\xff UTF-8, and no end" in said
    assert any(line.startswith("Finished in state Completed") for line in said)


def test_one_bad_run_harms_no_other(deployed: House) -> None:
    """A flow runner that is not installed is named by the run that wanted it."""
    deployed.command("work-queue", "create", "all")
    with deployed.open() as opened:
        (plain,) = opened.client.read_deployments(DeploymentFilter(names=("plain",)), Page())
        opened.client.put_deployments((attrs.evolve(plain, id="nowhere", name="nowhere", flow_runner=Choice("moon")),))
    bad, good = deployed.run("errand/nowhere"), deployed.run()
    deployed.run_once("all")
    with deployed.open() as opened:
        states = [opened.client.read_flow_run(run_id).state for run_id in (bad, good)]
    assert [str(state.type) for state in states] == ["CRASHED", "COMPLETED"]
    assert "no flow runner named 'moon'" in (states[0].message or "")


def test_agents_on_overlapping_queues_run_a_run_once(deployed: House) -> None:
    """Two agents and three queues; each run has one process, in its first epoch."""
    deployed.command("work-queue", "create", "b", "--tag", "b")
    deployed.command("work-queue", "create", "all")
    for number in range(12):
        deployed.run("errand/other", text=str(number))
    agents = [deployed.start("agent", "start", *queues, "--run-once") for queues in (("q", "b"), ("all",))]
    said = [agent.communicate(timeout=SECONDS)[1] for agent in agents]
    with deployed.open() as opened:
        runs = opened.client.read_flow_runs(FlowRunFilter(), Page())
        histories = [[state.name for state in opened.client.read_states(run.id)] for run in runs]
    assert histories == [["Scheduled", "Pending", "Running", "Completed"]] * 12
    assert {run.epoch for run in runs} == {1}
    assert sum(text.count("Submitting flow run") for text in said) == 12


@pytest.mark.parametrize("how", ["wait", "stubborn"])
def test_cancelling_ends_the_process_group(deployed: House, how: str) -> None:
    """What the run started ends too; code that does not obey is killed after the grace."""
    run_id = deployed.run(how=how, text="it", folder=str(deployed.folder))
    agent = deployed.start("agent", "start", "q", HEADRACE_GRACE_SECONDS="0.3")
    pid = pid_of(deployed, agent, "it")
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    assert bool(children) == (how == "wait")
    deployed.command("flow-run", "cancel", run_id)
    with deployed.open() as opened:
        assert deployed.ended(opened, run_id).state.is_cancelled()
    agent.send_signal(signal.SIGTERM)
    agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    assert [process for process in (pid, *children) if is_alive(process)] == []


def test_a_run_that_has_not_started_is_cancelled_at_once(deployed: House) -> None:
    """No agent ever gets it."""
    run_id = deployed.run()
    deployed.command("flow-run", "cancel", run_id)
    deployed.run_once("q")
    with deployed.open() as opened:
        assert [state.name for state in opened.client.read_states(run_id)] == ["Scheduled", "Cancelled"]


def test_a_run_goes_on_when_its_agent_is_killed(deployed: House) -> None:
    """It ends and says so; nobody else starts it again."""
    run_id = deployed.run(how="wait", text="it", folder=str(deployed.folder))
    agent = deployed.start("agent", "start", "q")
    pid = pid_of(deployed, agent, "it")
    agent.kill()
    agent.communicate()
    assert is_alive(pid)
    assert "Submitting" not in deployed.run_once("q")
    os.kill(pid, signal.SIGTERM)
    with deployed.open() as opened:
        run = deployed.ended(opened, run_id)
    assert (run.state.type, run.state.message) == ("CRASHED", "Execution was stopped by a signal to end.")


def test_a_run_ends_with_its_supervisor(deployed: House) -> None:
    """Code does not go on that nobody looks after, and the agent says how it was."""
    run_id = deployed.run(how="wait", text="it", folder=str(deployed.folder))
    agent = deployed.start("agent", "start", "q")
    pid = pid_of(deployed, agent, "it")
    supervisor = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    with deployed.open() as opened:
        assert deployed.ended(opened, run_id).state.is_crashed()
    assert not is_alive(pid)
    agent.send_signal(signal.SIGTERM)
    agent.communicate(timeout=SECONDS)


def test_an_agent_drains_and_stops(deployed: House) -> None:
    """The first signal lets runs end and takes no more; the second ends them."""
    waiting = deployed.run(how="wait", text="it", folder=str(deployed.folder))
    agent = deployed.start("agent", "start", "q")
    pid = pid_of(deployed, agent, "it")
    agent.send_signal(signal.SIGTERM)
    assert agent.stderr is not None
    while "Draining" not in agent.stderr.readline():
        assert agent.poll() is None
    later = deployed.run()
    agent.send_signal(signal.SIGTERM)
    agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    with deployed.open() as opened:
        assert opened.client.read_flow_run(waiting).state.is_crashed()
        assert opened.client.read_flow_run(later).state.is_scheduled()
        assert opened.client.read_agents() == []
    assert not is_alive(pid)


def test_an_agent_leaves_after_the_drain_timeout(deployed: House) -> None:
    """Its runs go on."""
    deployed.run(how="wait", text="it", folder=str(deployed.folder))
    agent = deployed.start("agent", "start", "q", "--drain-timeout", "0.1")
    pid = pid_of(deployed, agent, "it")
    agent.send_signal(signal.SIGTERM)
    _, said = agent.communicate(timeout=SECONDS)
    assert "flow runs under way go on by themselves (1)" in said
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_limits_hold(deployed: House) -> None:
    """Of the agent and of the queue: so many processes at once, and all runs are done in the end."""
    deployed.command("work-queue", "set-concurrency-limit", "q", "1")
    for number in range(4):
        deployed.run(text=str(number))
    deployed.run_once("q")
    with deployed.open() as opened:
        runs = sorted(opened.client.read_flow_runs(FlowRunFilter(), Page()), key=lambda run: run.start_time or run.created)
    assert [str(run.state.type) for run in runs] == ["COMPLETED"] * 4
    assert all(before.end_time <= after.start_time for before, after in pairwise(runs) if before.end_time and after.start_time)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [((), 2, "QUEUE"), (("nowhere",), 1, "no work queue 'nowhere'"), (("q", "--limit", "0"), 2, "--limit")],
)
def test_a_wrong_start_is_refused(deployed: House, arguments: tuple[str, ...], code: int, said: str) -> None:
    """In a sentence."""
    agent = deployed.start("agent", "start", *arguments)
    _, error = agent.communicate(timeout=SECONDS)
    assert agent.returncode == code
    assert said in error
    assert "Traceback" not in error


def test_agents_are_listed(deployed: House) -> None:
    """While they are there."""
    agent = deployed.start("agent", "start", "q", "--limit", "3")
    assert agent.stderr is not None
    assert "it looks for work from 'q', at most 3 runs at once" in agent.stderr.readline()
    while not (found := json.loads(deployed.command("agent", "ls", "--json"))):
        assert agent.poll() is None
    assert (found[0]["process"], found[0]["limit"], found[0]["live"]) == (agent.pid, 3, True)
    agent.send_signal(signal.SIGINT)
    agent.communicate(timeout=SECONDS)
    assert agent.returncode == 0
    assert json.loads(deployed.command("agent", "ls", "--json")) == []


# What is killed, and when


@pytest.fixture
def hurried(deployed: House) -> House:
    """Leases that are over soon."""
    deployed.environment |= {"HEADRACE_LEASE_SECONDS": "1.5", "HEADRACE_RENEW_SECONDS": "0.2"}
    return deployed


def supervisor_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def history(house: House, opened: Instance, run_id: str) -> list[str]:
    return [state.name for state in opened.client.read_states(run_id)]


def test_a_run_whose_agent_died_before_starting_it_is_started_by_the_next(hurried: House) -> None:
    """When the lease of the first is over, and in the next epoch."""
    run_id = hurried.run()
    with headrace.open(load(hurried.environment), lasting=True) as opened:
        (queue,) = opened.client.read_work_queues(WorkQueueFilter(), Page())
        claim = ClaimRequest(id=opened.ids.new(), agent_id=opened.ids.new(), queue_ids=(queue.id,), limit=5)
        assert [run.id for run in opened.client.claim_runs(claim).runs] == [run_id]  # and then it is killed
        agent = hurried.start("agent", "start", "q")
        run = hurried.ended(opened, run_id)
        assert (run.state.type, run.epoch, run.lost_starts) == ("COMPLETED", 2, 1)
        assert history(hurried, opened, run_id) == ["Scheduled", "Pending", "AwaitingRestart", "Pending", "Running", "Completed"]
    agent.send_signal(signal.SIGTERM)
    agent.communicate(timeout=SECONDS)


@pytest.mark.parametrize(
    ("deployment", "epoch", "names"), [("errand/plain", 1, ["Lost"]), ("errand/again", 2, ["AwaitingRestart", "Pending"])]
)
def test_a_run_that_was_killed_with_its_agent_and_its_supervisor_does_not_run_for_ever(
    hurried: House, deployment: str, epoch: int, names: list[str]
) -> None:
    """It has crashed within the time of its lease, or is started again where its deployment says so; its folder is gone in the end."""
    run_id = hurried.run(deployment, how="wait", text="it", folder=str(hurried.folder))
    agent = hurried.start("agent", "start", "q")
    pid = pid_of(hurried, agent, "it")
    hurried.folder.joinpath("it.pid").unlink()
    for each in (agent.pid, supervisor_of(pid)):
        os.kill(each, signal.SIGKILL)
    agent.communicate()
    survivor = hurried.start("agent", "start", "q")
    with hurried.open() as opened:
        if epoch == 1:
            hurried.ended(opened, run_id)
        else:
            os.kill(pid_of(hurried, survivor, "it"), signal.SIGTERM)
            assert hurried.ended(opened, run_id).epoch == epoch
        assert history(hurried, opened, run_id)[3 : 3 + len(names)] == names
    assert not is_alive(pid)
    survivor.send_signal(signal.SIGTERM)
    survivor.communicate(timeout=SECONDS)
    assert os.listdir(hurried.home / "running") == []


def test_a_flow_that_was_killed_is_not_shown_as_running(hurried: House) -> None:
    """A script of its own, without any agent: whoever looks after its lease is over sees that it has crashed."""
    script = 'import headrace, sys, threading\n@headrace.flow\ndef f():\n    print("here", flush=True)\n    threading.Event().wait()\nf()\n'
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=hurried.environment, cwd=hurried.folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.kill()
    process.communicate()
    shown = ""
    while "Lost" not in shown:
        shown = hurried.command("flow-run", "ls")
        assert "Running" in shown or "Lost" in shown


def test_a_restarted_agent_adopts(hurried: House) -> None:
    """Runs whose agent was killed count for the next one, and are ended with it."""
    run_id = hurried.run(how="wait", text="it", folder=str(hurried.folder))
    agent = hurried.start("agent", "start", "q")
    pid = pid_of(hurried, agent, "it")
    agent.kill()
    agent.communicate()
    second = hurried.start("agent", "start", "q", "--limit", "1")
    assert second.stderr is not None
    while "Adopted flow run" not in second.stderr.readline():
        assert second.poll() is None
    for _ in range(2):
        second.send_signal(signal.SIGTERM)
        while "raining" not in (line := second.stderr.readline()) and line:
            pass
    second.communicate(timeout=SECONDS)
    assert not is_alive(pid)
    with hurried.open() as opened:
        assert hurried.ended(opened, run_id).state.is_crashed()
