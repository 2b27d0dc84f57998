"""The whole house by way of a server: scripts, deployments, agents and commands that share it, and what becomes of them while it is away."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60
LEASE_SECONDS = 1.0
SHORT = {"HEADRACE_LEASE_SECONDS": str(LEASE_SECONDS), "HEADRACE_RENEW_SECONDS": "0.2"}
STATES = ["Scheduled", "Pending", "Running", "Completed"]

FLOW = """
import os
import sys

from headrace import flow, get_run_logger, task


@task
def square(number):
    get_run_logger().info("square of %s", number)
    return number * number


def waited(name):
    folder = os.environ["PIPES"]
    with open(os.path.join(folder, f"{name}.begun"), "w") as begun:
        begun.write("begun")
    with open(os.path.join(folder, f"{name}.go_on")) as go_on:
        go_on.read()


@flow(log_prints=True, persist_result=True)
def errand(name="", how=""):
    futures = [square.submit(number) for number in range(3)]
    print("printed", name)
    if how == "wait":
        waited(name)
    print("after", name)
    return sum(future.result() for future in futures)


if __name__ == "__main__":
    print(errand(*sys.argv[1:]))
"""

SPECS = """
from headrace.deployments import DeploymentSpec

DeploymentSpec(name="d", flow_location="errand.py", tags=["a"])
"""


class Server:
    """A server in a process of its own, with a home of its own; begun again, it is where it was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder / "server"
        self._port = 0
        self.process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        self.process = subprocess.Popen(
            [COMMAND, "server", "start", "--port", str(self._port)],
            env=environment(HEADRACE_HOME=str(self._home), **SHORT),
            cwd=self._folder,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self.process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/api", self.process.stderr.readline())
        assert found, "it says where it is"
        self._port, self.url = int(found[1]), found[0]

    def kill(self) -> None:
        """As when its machine loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Within, connections are taken, and nobody answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> str:
        """What it said until it had ended by itself."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        process, self.process = self.process, None
        return process.communicate(timeout=SECONDS)[1]


def environment(**more: str) -> dict[str, str]:
    """The variables of this process without those of headrace and Python."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
    return {**plain, **more}


class Machine:
    """A machine that shares the orchestration of a server: a folder with a flow, and a home of its own."""

    def __init__(self, folder: Path, server: Server, **settings: str) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "errand.py").write_text(FLOW)
        (folder / "specs.py").write_text(SPECS)
        self.environment = environment(
            HEADRACE_HOME=str(folder / "home"), HEADRACE_API_URL=server.url, PIPES=str(folder), **SHORT, **settings
        )

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """A process of this machine."""
        return subprocess.Popen(
            arguments, env={**self.environment, **more}, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def finished(self, process: subprocess.Popen[str], *, code: int = 0) -> str:
        """What it printed."""
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out if code == 0 else err

    def headrace(self, *arguments: str, code: int = 0) -> str:
        """What a command prints."""
        return self.finished(self.start(COMMAND, *arguments), code=code)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.headrace(*arguments, "--json"))

    def script(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return self.start(sys.executable, "errand.py", *arguments, **more)

    def deploy(self) -> None:
        self.headrace("deployment", "create", "specs.py")
        self.headrace("work-queue", "create", "q", "--tag", "a")

    def request(self, name: str, how: str = "") -> None:
        self.headrace("deployment", "run", "errand/d", "--name", name, "--param", f"name={name}", "--param", f"how={how}")

    def pipes(self, name: str) -> None:
        for pipe in ("begun", "go_on"):
            os.mkfifo(self.folder / f"{name}.{pipe}")

    def has_begun(self, name: str) -> None:
        """Returns when a run waits for its word."""
        assert (self.folder / f"{name}.begun").read_text() == "begun"

    def let_go(self, name: str) -> None:
        (self.folder / f"{name}.go_on").write_text("")

    @contextmanager
    def agent(self) -> Iterator[subprocess.Popen[str]]:
        """An agent that drains and leaves in the end."""
        process = self.start(COMMAND, "agent", "start", "q")
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            self.finished(process)
        finally:
            process.kill()
            process.communicate()

    def messages(self, name: str) -> list[str]:
        """What a run said, line by line."""
        return [line["message"] for line in self.json("flow-run", "logs", name)]

    def states(self, name: str) -> list[str]:
        return [state["name"] for state in self.json("flow-run", "inspect", name)["states"]]

    def assert_once(self, name: str) -> None:
        """A run was done once, and all of it is told, once."""
        assert self.states(name) == STATES
        said = self.messages(name)
        assert [said.count(text) for text in (f"printed {name}", f"after {name}")] == [1, 1], said
        assert sum("Finished in state" in line for line in said) == 4, said
        assert sorted(line for line in said if line.startswith("square")) == [f"square of {number}" for number in range(3)]
        assert not [line for line in said if "Traceback" in line or "Crashed" in line]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def machine(tmp_path: Path, server: Server) -> Machine:
    return Machine(tmp_path / "machine", server)


@pytest.fixture
def other(tmp_path: Path, server: Server) -> Machine:
    """Another machine on the same server."""
    return Machine(tmp_path / "other", server)


def following(process: subprocess.Popen[str], text: str) -> None:
    """Returns when a process has printed a line with this text."""
    assert process.stdout is not None
    while text not in process.stdout.readline():
        assert process.poll() is None


def hearing(process: subprocess.Popen[str], text: str) -> None:
    """Returns when a process has said a line with this text on its standard error."""
    assert process.stderr is not None
    said = []
    while text not in (line := process.stderr.readline()):
        said.append(line)
        assert line, said


def ended_by_ctrl_c(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code of a process that is told to end and does so soon, and what it said in the end."""
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=SECONDS / 6)[1]
    return process.returncode, said


def out_lived_lease() -> None:
    """Returns after more than the time of a lease."""
    threading.Event().wait(2 * LEASE_SECONDS)


# What works as it does without a server


@pytest.mark.parametrize("runner", ["sequential", "concurrent", "processes"])
def test_a_script(machine: Machine, other: Machine, runner: str) -> None:
    """A flow that is called from a script tells the server of itself, whatever its task runner, and other machines see it."""
    assert machine.finished(machine.script("leo", HEADRACE_TASK_RUNNER=runner)) == "5\n"
    (run,) = other.json("flow-run", "ls")
    assert (run["flow_name"], run["state"]) == ("errand", "Completed")
    said = other.messages(run["name"])
    assert said.count("printed leo") == 1
    assert len(other.json("task-run", "ls")) == 3


def test_the_whole_way(machine: Machine, other: Machine) -> None:
    """One machine deploys and asks for a run, another one runs it; both see how it went, and the result."""
    machine.deploy()
    machine.request("one")
    assert "no agent serves work queue 'q'" in machine.headrace("flow-run", "explain", "one")
    other.headrace("agent", "start", "q", "--run-once")
    for each in (machine, other):
        each.assert_once("one")
    assert machine.headrace("flow-run", "logs", "one", "--follow").count("printed one") == 1
    read = "import headrace, sys\nwith headrace.open() as house: print(house.result(house.client.read_flow_run(sys.argv[1]).state))"
    run_id = machine.json("flow-run", "inspect", "one")["id"]
    assert machine.finished(machine.start(sys.executable, "-c", read, run_id)) == "5\n"


def test_a_run_is_followed_and_cancelled(machine: Machine, other: Machine) -> None:
    """Its lines are seen as they come on one machine, and it ends on the other when somebody says so."""
    machine.deploy()
    other.pipes("long")
    machine.request("long", "wait")
    with other.agent():
        other.has_begun("long")
        follower = machine.start(COMMAND, "flow-run", "logs", "long", "--follow")
        following(follower, "printed long")
        machine.headrace("flow-run", "cancel", "long")
        machine.finished(follower)
    assert machine.states("long")[-1] == "Cancelled"


def test_a_command_for_the_store_says_where_it_is_to_be_given(machine: Machine) -> None:
    """What only the server's machine can do is refused in one line."""
    said = machine.headrace("store", "backup", "copy.db", code=1)
    assert said == "error: the run store is where the server is; this command is to be given there\n"


def test_a_server_ends_while_somebody_follows(machine: Machine, server: Server) -> None:
    """It ends by itself, with nothing but its farewell; who follows goes on when it is there again, and sees each line once."""
    machine.deploy()
    machine.pipes("long")
    machine.request("long", "wait")
    with machine.agent():
        machine.has_begun("long")
        follower = machine.start(COMMAND, "flow-run", "logs", "long", "--follow")
        following(follower, "printed long")
        assert server.stop().endswith("Server stopped.\n")
        server.start()
        machine.let_go("long")
        rest = machine.finished(follower)
    assert rest.count("after long") == 1
    assert "printed long" not in rest
    machine.assert_once("long")


# Outages


def test_no_server(machine: Machine, server: Server) -> None:
    """Commands say so at once, and scripts when they have waited, in one line with what to do."""
    server.kill()
    sentence = f"error: the web API at {server.url} does not answer: Connection refused; start its server (`headrace server start`)"
    said = machine.headrace("flow-run", "ls", code=1)
    assert said.startswith(sentence)
    assert said.count("\n") == 1
    waited, ended = machine.finished(machine.script(HEADRACE_OUTAGE_SECONDS="0.6"), code=1).splitlines()
    assert "waits to begin, for 1 seconds at most (Ctrl+C ends the waiting): the web API at" in waited
    assert ended.startswith(sentence)


def test_a_script_that_begins_before_the_server(machine: Machine, server: Server) -> None:
    """It says that it waits, and runs when the server is there: once."""
    server.kill()
    script = machine.script("early")
    hearing(script, "waits to begin, for 600 seconds at most")
    server.start()
    assert machine.finished(script) == "5\n"
    (run,) = machine.json("flow-run", "ls")
    assert machine.states(run["name"]) == STATES[1:]


def test_an_agent_that_begins_before_the_server(machine: Machine, server: Server) -> None:
    """It says that it waits, and serves its queues when the server is there."""
    machine.deploy()
    machine.request("one")
    server.kill()
    with machine.agent() as agent:
        hearing(agent, f"The agent waits until it can begin (Ctrl+C ends it): the web API at {server.url} does not answer")
        server.start()
        hearing(agent, "it looks for work from 'q'")
        machine.headrace("flow-run", "logs", "one", "--follow")
        machine.assert_once("one")


def test_ctrl_c_at_an_agent_that_waits_for_its_server(machine: Machine, server: Server) -> None:
    """It ends at once, also where somebody takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        agent = machine.start(COMMAND, "agent", "start", "q", HEADRACE_API_URL=url)
        with silent.accept()[0] as connection:
            assert connection.recv(1)
            assert ended_by_ctrl_c(agent) == (130, "")
    server.kill()
    agent = machine.start(COMMAND, "agent", "start", "q")
    hearing(agent, "The agent waits")
    assert ended_by_ctrl_c(agent) == (130, "")


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("API_URL", "{url}/somewhere", "error: there is no web API of headrace at {url}/somewhere"),
        ("API_URL", "https://{address}", "error: there is no web API of headrace at https://{address}"),
        ("API_TOKEN", "hrt_a_b", "error: the web API does not know who is asking"),
    ],
    ids=["path", "scheme", "token"],
)
def test_an_agent_does_not_wait_for_what_does_not_pass(machine: Machine, server: Server, setting: str, value: str, sentence: str) -> None:
    """It ends with one sentence."""
    words = {"url": server.url, "address": server.url.partition("://")[2]}
    agent = machine.start(COMMAND, "agent", "start", "q", **{f"HEADRACE_{setting}": value.format(**words)})
    said = machine.finished(agent, code=1)
    assert said.startswith(sentence.format(**words)), said
    assert said.count("\n") == 1


def test_ctrl_c_at_an_agent_whose_server_says_nothing(machine: Machine, server: Server) -> None:
    """It is heard at once, and the agent leaves, though it cannot say so."""
    machine.deploy()
    agent = machine.start(COMMAND, "agent", "start", "q")
    while not machine.json("agent", "ls"):
        assert agent.poll() is None
    with server.silent():
        code, said = ended_by_ctrl_c(agent)
    assert code == 0
    assert "Draining: no more runs are taken; flow runs under way (0) may end." in said
    assert said.endswith("Agent stopped.\n")
    assert "Traceback" not in said


def test_ctrl_c_twice_at_an_agent_whose_server_says_nothing(machine: Machine, server: Server) -> None:
    """The first is heard at once, and lets its run go on; the second ends it."""
    machine.deploy()
    machine.pipes("long")
    machine.request("long", "wait")
    agent = machine.start(COMMAND, "agent", "start", "q", HEADRACE_GRACE_SECONDS="0.5")
    machine.has_begun("long")
    with server.silent():
        agent.send_signal(signal.SIGINT)
        hearing(agent, "Draining: no more runs are taken; flow runs under way (1) may end.")
        agent.send_signal(signal.SIGINT)
        hearing(agent, "Stopping: flow runs under way are ended (1)")
        assert agent.wait(SECONDS) == 0
    assert "Traceback" not in machine.finished(agent)


def test_runs_outlive_a_server_that_is_killed(machine: Machine, server: Server) -> None:
    """One that ends meanwhile, and one that ends later, are told of when it is there again: nothing is lost, doubled or called lost. The agent goes on."""
    machine.deploy()
    for name in ("meanwhile", "later"):
        machine.pipes(name)
        machine.request(name, "wait")
    with machine.agent():
        for name in ("meanwhile", "later"):
            machine.has_begun(name)
        server.kill()
        machine.let_go("meanwhile")
        out_lived_lease()
        server.start()
        assert machine.states("later") == STATES[:-1]
        machine.let_go("later")
        for name in ("meanwhile", "later"):
            machine.headrace("flow-run", "logs", name, "--follow")
            machine.assert_once(name)
        machine.request("new")
        machine.headrace("flow-run", "logs", "new", "--follow")
        machine.assert_once("new")


def test_a_script_outlives_a_server_that_is_killed(machine: Machine, server: Server) -> None:
    """It has its value, and says that it waits."""
    machine.pipes("script")
    process = machine.script("script", "wait")
    machine.has_begun("script")
    server.kill()
    machine.let_go("script")
    out_lived_lease()
    server.start()
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, "5\n"), err
    assert "Traceback" not in err
    (run,) = machine.json("flow-run", "ls")
    assert machine.states(run["name"]) == STATES[1:]
    assert machine.messages(run["name"]).count("after script") == 1


def test_what_could_not_be_told_is_told_by_the_next_command(tmp_path: Path, server: Server) -> None:
    """A run that waited in vain put away how it ended; any command on that machine tells the server, once it is there."""
    machine = Machine(tmp_path / "machine", server, HEADRACE_OUTAGE_SECONDS="0.1", HEADRACE_RESULT_STORAGE="local")
    machine.pipes("script")
    process = machine.script("script", "wait")
    machine.has_begun("script")
    server.kill()
    machine.let_go("script")
    assert process.communicate(timeout=SECONDS)[0] == "5\n"
    server.start()
    for _ in range(2):
        (run,) = machine.json("flow-run", "ls")
        assert run["state"] == "Completed"
    assert machine.messages(run["name"]).count("after script") == 1
    assert list((machine.folder / "home" / "undelivered").iterdir()) == []
