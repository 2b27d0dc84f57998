"""Deployments whose runs live in containers: a real engine, a real server, agents, and what becomes of containers whatever happens."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
from docker import APIClient
from docker.errors import NotFound
from servers.docker import DockerEngine, NoDocker, docker_engine
from servers.images import RUNS, python_image
from servers.own import COMMAND, environment, headrace_server

import headrace
from headrace.model.filters import EventFilter, FlowRunFilter, LogFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace.settings import load
from headrace.testing.conformance.flow_runner import Meeting

SECONDS = 120

FLOW = """
import os

from headrace import flow, get_run_logger, task


@task
def note(text):
    get_run_logger().info("noted %s", text)


@flow(log_prints=True)
def errand(how="", lines=""):
    note("it")
    print("printed", os.environ.get("COLOUR"))
    exec(lines, {})
    if how == "fail":
        raise ValueError("on purpose")
    return os.getpid()
"""


class House:
    """A server, a home with a flow, and its command line."""

    def __init__(self, folder: Path, engine: DockerEngine, address: str, token: str = "") -> None:
        self.folder = folder
        self.address = address
        self.token = token
        more = {"HEADRACE_API_TOKEN": token} if token else {}
        self.environment = environment(folder / "agent", DOCKER_HOST=engine.url, HEADRACE_API_URL=address, **more)
        (folder / "errand.py").write_text(FLOW)

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def deploy(self, image: str, **options: Any) -> None:
        """The flow, in containers of an image."""
        spec = {
            "name": "d",
            "flow_location": "errand.py",
            "tags": ["t"],
            "flow_runner": {"type": "docker", "image": image, "volumes": [f"{self.folder}:{self.folder}"], **options},
        }
        (self.folder / "spec.yaml").write_text(json.dumps(spec))
        self.command("deployment", "create", "spec.yaml")
        self.command("work-queue", "create", "q", "--tag", "t")

    def run(self, **parameters: str) -> str:
        """Asks for a run; its id."""
        return str(json.loads(self.command("deployment", "run", "errand/d", "--params", json.dumps(parameters), "--json"))["id"])

    def agent(self, *options: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [COMMAND, "agent", "start", "q", *options],
            env={**self.environment, **variables},
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_once(self, **variables: str) -> str:
        """What an agent says that runs what is due."""
        agent = self.agent("--run-once", **variables)
        _, said = agent.communicate(timeout=SECONDS)
        assert agent.returncode == 0, said
        return said

    @contextmanager
    def waiting(self, meeting: Meeting, **variables: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        """A run that has begun and waits, and its agent."""
        run_id = self.run(lines=meeting.lines)
        agent = self.agent(**variables)
        try:
            meeting.await_one()
            yield run_id, agent
        finally:
            if agent.returncode is None:
                agent.kill()
                print(agent.communicate()[1])

    def open(self) -> Any:
        chosen = {"HEADRACE_HOME": str(self.folder / "looks"), "HEADRACE_API_URL": self.address, "HEADRACE_API_TOKEN": self.token}
        return headrace.open(load(chosen), lasting=True)

    def ended(self, run_id: str) -> FlowRun:
        """The run, when it has ended."""
        with self.open() as opened:
            cursor = opened.client.read_last_event()
            while not (run := opened.client.read_flow_run(run_id)).state.is_terminal():
                events = opened.client.wait_for_events(EventFilter(after=cursor, subjects=(run_id,)), SECONDS)
                assert events, f"the run stays {run.state}"
                cursor = events[-1].sequence
            return run

    def said(self, run_id: str) -> str:
        """What stands in the run's log."""
        with self.open() as opened:
            lines = opened.client.read_logs(LogFilter(flow_run_ids=(run_id,)), Page(newest_first=False))
        return "\n".join(line.message for line in lines)


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    try:
        with docker_engine() as found:
            yield found
    except NoDocker as error:
        pytest.skip(f"there is no Docker Engine: {error}")


@pytest.fixture(scope="module")
def api(engine: DockerEngine) -> Iterator[Any]:
    with APIClient(base_url=engine.url, version="auto", timeout=120) as client:
        yield client


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    with Meeting() as meeting:
        yield meeting


@pytest.fixture(scope="module")
def image(api: Any) -> str:
    """An image with what a run needs."""
    return python_image(api, *RUNS)


@pytest.fixture
def house(tmp_path: Path, engine: DockerEngine, api: Any) -> Iterator[House]:
    """With a server on this machine's loopback; in the end no container of its runs is left."""
    with headrace_server(tmp_path / "server", HEADRACE_LEASE_SECONDS="8", HEADRACE_RENEW_SECONDS="1") as address:
        yield House(tmp_path, engine, address)
        for container in containers(api, address):
            api.remove_container(container["Id"], force=True)


def containers(api: Any, address: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = api.containers(all=True, filters={"label": f"headrace.api={address}"})
    return found


def test_a_run_in_a_container(house: House, api: Any, image: str) -> None:
    """It completes, what it logs and prints arrives, how its container reaches the server is told, and the container is gone."""
    house.deploy(image, env={"COLOUR": "blue"})
    run_id = house.run()
    said = house.run_once()
    log = house.said(run_id)
    assert house.ended(run_id).state.is_completed(), (said, log)
    assert "noted it" in log
    assert "printed blue" in log
    assert "(network_mode: host), since only from there" in log
    assert "to flow runner 'docker'" in said
    assert containers(api, house.address) == []


def test_a_run_that_fails(house: House, api: Any, image: str) -> None:
    """It fails as it would anywhere, and its container is gone."""
    house.deploy(image)
    run_id = house.run(how="fail")
    house.run_once()
    assert house.ended(run_id).state.message == "Flow run encountered an exception. ValueError: on purpose"
    assert containers(api, house.address) == []


def test_cancelling_stops_the_container(house: House, api: Any, image: str, meeting: Meeting) -> None:
    """A run that is cancelled has no container any more that does anything."""
    house.deploy(image, auto_remove=False, network_mode="host")
    with house.waiting(meeting) as (run_id, agent):
        (container,) = containers(api, house.address)
        assert container["State"] == "running"
        house.command("flow-run", "cancel", run_id)
        assert house.ended(run_id).state.is_cancelled()
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)
    assert api.inspect_container(container["Id"])["State"]["Status"] == "exited"


def test_an_agent_that_is_killed(house: House, api: Any, image: str, meeting: Meeting) -> None:
    """The run goes on, the next agent adopts it, and removes its container in the end."""
    house.deploy(image, network_mode="host")
    with house.waiting(meeting) as (run_id, agent):
        agent.kill()
        agent.communicate()
        (container,) = containers(api, house.address)
        assert container["State"] == "running"
        second = house.agent()
        assert second.stderr is not None
        while "Adopted flow run" not in (line := second.stderr.readline()):
            assert line, "the second agent ended"
        meeting.end()
        assert house.ended(run_id).state.is_completed()
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=SECONDS)
    assert containers(api, house.address) == []


def test_an_agent_that_is_told_twice_to_end(house: House, api: Any, image: str, meeting: Meeting) -> None:
    """It stops the containers of its runs."""
    house.deploy(image, network_mode="host")
    with house.waiting(meeting) as (run_id, agent):
        agent.send_signal(signal.SIGTERM)
        assert agent.stderr is not None
        while "Draining" not in agent.stderr.readline():
            assert agent.poll() is None
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)
        assert house.ended(run_id).state.is_crashed()
    assert containers(api, house.address) == []


def test_a_container_that_somebody_kills(house: House, api: Any, image: str, meeting: Meeting) -> None:
    """The run has crashed, and says with which signal its container ended."""
    house.deploy(image, network_mode="host")
    with house.waiting(meeting) as (run_id, _):
        (container,) = containers(api, house.address)
        api.kill(container["Id"], "SIGKILL")
        assert (house.ended(run_id).state.message or "").startswith("The process of the run ended with signal 9 (SIGKILL)")


ORPHANS = """
import subprocess
import time
from pathlib import Path

def are_left():
    return any("State:\\tZ" in file.read_text() for file in Path("/proc").glob("[0-9]*/status"))

subprocess.run(["sh", "-c", "true & true & true &"], check=True)
end = time.monotonic() + 30
while are_left() and time.monotonic() < end:
    time.sleep(0.05)
print("left" if are_left() else "none is left")
"""


def test_nobody_is_left_dead(house: House, image: str) -> None:
    """Processes whose parents have ended are taken out of the container's table when they end, and not only when the run does."""
    house.deploy(image, network_mode="host")
    run_id = house.run(lines=ORPHANS)
    house.run_once()
    assert "none is left" in house.said(run_id)


def test_a_run_that_needs_too_much_memory(house: House, api: Any, image: str) -> None:
    """It has crashed, and its state says what was wrong."""
    house.deploy(image, memory="100m", network_mode="host")
    run_id = house.run(lines="hoard = [bytearray(1 << 20) for _ in range(400)]")
    house.run_once()
    message = "The process of the run ended with signal 9 (SIGKILL) before the run did: the memory of its container or machine was used up."
    assert house.ended(run_id).state.message == message
    assert containers(api, house.address) == []


def test_a_server_that_containers_reach(tmp_path: Path, engine: DockerEngine, api: Any, image: str) -> None:
    """From the engine's own network a run reaches a server that listens there, by a token of its own, which stands in no arguments and in no log."""
    assert engine.gateway is not None, "the engine has a network of its own"
    home = environment(tmp_path / "server")
    made = [COMMAND, "server", "token", "--here", "create", "agent", "--scope", "admin", "--json"]
    token = json.loads(subprocess.run(made, env=home, check=True, capture_output=True, text=True, timeout=SECONDS).stdout)["token"]
    with headrace_server(tmp_path / "server", "--host", engine.gateway) as address:
        house = House(tmp_path, engine, address, token)
        house.deploy(image, auto_remove=False)
        run_id = house.run()
        said = house.run_once(HEADRACE_LOG_LEVEL="DEBUG")
        log = house.said(run_id)
        assert house.ended(run_id).state.is_completed(), (said, log)
        assert "network_mode" not in log
        (container,) = containers(api, address)
        found = api.inspect_container(container["Id"])
        api.remove_container(container["Id"])
    given = dict(line.split("=", 1) for line in found["Config"]["Env"])
    assert given["HEADRACE_API_TOKEN"] not in ("", token)
    assert given["HEADRACE_HOME"] == "/tmp/headrace"
    assert [text for text in (*found["Config"]["Cmd"], said, log) if token in text or given["HEADRACE_API_TOKEN"] in text] == []
    assert not any(str(tmp_path / "agent") in value for value in given.values())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"image": "headrace-tests-nowhere:1"}, "there is no image 'headrace-tests-nowhere:1'"),
        ({"image": "headrace-tests-nowhere:1", "image_pull_policy": "never"}, "and it is not to be pulled"),
        ({"command": "python9 -m headrace.engine"}, "the image has no program 'python9' that it can run"),
        ({"user": "nobody-knows-him"}, "nobody-knows-him"),
        ({"network_mode": "none"}, "no container in network_mode none reaches the API"),
        ({"network_mode": "bridge"}, "give the flow runner network_mode: host"),
        ({"networks": ["nowhere"]}, "nowhere"),
    ],
)
def test_a_run_that_cannot_begin(house: House, api: Any, image: str, options: Mapping[str, Any], why: str) -> None:
    """Its state says why in a sentence, and nothing is left of it."""
    house.deploy(**{"image": image, **options})
    run_id = house.run()
    said = house.run_once()
    state = house.ended(run_id).state
    assert state.is_crashed()
    assert str(state.message).startswith("The run could not be started by flow runner 'docker': ")
    assert why in str(state.message)
    assert "Traceback" not in said
    assert containers(api, house.address) == []


class Mute:
    """A registry that takes connections and says nothing, until it is left."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self._asked: list[socket.socket] = []
        self.image = f"127.0.0.1:{self._listener.getsockname()[1]}/flows:1"
        return self

    def await_question(self) -> None:
        self._asked.append(self._listener.accept()[0])

    def __exit__(self, *error: object) -> None:
        for each in (self._listener, *self._asked):
            each.close()


def test_an_image_that_is_long_on_its_way(tmp_path: Path, engine: DockerEngine) -> None:
    """Nothing else waits for it, its run stays where it is beyond the time of a lease, and is cancelled at once when that is asked for."""
    with headrace_server(tmp_path / "server", HEADRACE_LEASE_SECONDS="1", HEADRACE_RENEW_SECONDS="0.2") as address, Mute() as registry:
        house = House(tmp_path, engine, address)
        house.deploy(registry.image)
        waits = house.run()
        agent = house.agent(HEADRACE_RENEW_SECONDS="0.2", HEADRACE_LEASE_SECONDS="1")
        registry.await_question()
        spec = {"name": "here", "flow_location": "errand.py", "tags": ["t"]}
        (tmp_path / "here.yaml").write_text(json.dumps(spec))
        house.command("deployment", "create", "here.yaml")
        house.command("deployment", "run", "errand/here", "--params", '{"lines": "import time; time.sleep(3)"}', "--name", "meanwhile")
        with house.open() as opened:
            (other,) = opened.client.read_flow_runs(FlowRunFilter(names=("meanwhile",)), Page())
        assert house.ended(other.id).state.is_completed()
        with house.open() as opened:
            run = opened.client.read_flow_run(waits)
        assert (run.state.type, run.epoch, run.lost_starts) == (StateType.PENDING, 1, 0)
        house.command("flow-run", "cancel", waits)
        assert house.ended(waits).state.is_cancelled()
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)
    with APIClient(base_url=engine.url, version="auto", timeout=120) as api:
        assert containers(api, address) == []


def test_no_engine(house: House, image: str) -> None:
    """Where no engine answers, the run says so, and the agent goes on."""
    house.deploy(image)
    run_id = house.run()
    nowhere = f"unix://{house.folder}/nowhere.sock"
    house.run_once(DOCKER_HOST=nowhere)
    message = str(house.ended(run_id).state.message)
    assert f"no Docker Engine answers at {nowhere}; start it, or set DOCKER_HOST to where one is" in message


def test_no_server(tmp_path: Path, engine: DockerEngine, image: str) -> None:
    """Without a server a container could reach no orchestration, and the run says so."""
    house = House(tmp_path, engine, "")
    house.deploy(image)
    house.run()
    said = house.run_once()
    assert "containers reach the orchestration by the address of a server, and none is set" in said


def test_an_image_that_was_built(house: House, api: Any, tmp_path: Path) -> None:
    """An image made by `headrace docker build` has the flow code in it, which a deployment with an entrypoint alone runs."""
    from servers.images import write_wheels

    write_wheels(tmp_path / "wheels", *RUNS)
    (tmp_path / "project" / "etl").mkdir(parents=True)
    (tmp_path / "project" / "etl" / "nightly.py").write_text(
        "from headrace import flow\n\n@flow\ndef errand():\n    print('from the image')\n"
    )
    tag = f"headrace-tests-built:{os.getpid()}"
    base = python_image(api, "pip")
    options = ("--base", base, "--wheels", "wheels", "--project", "project")
    assert house.command("docker", "build", "--tag", tag, *options) == f"{tag}\n"
    try:
        runner = {"type": "docker", "image": tag}
        spec = {"name": "d", "entrypoint": "etl.nightly:errand", "flow_name": "errand", "tags": ["t"], "flow_runner": runner}
        (tmp_path / "spec.yaml").write_text(json.dumps(spec))
        house.command("deployment", "create", "spec.yaml", "--no-verify")
        house.command("work-queue", "create", "q", "--tag", "t")
        run_id = house.run()
        said = house.run_once()
        assert house.ended(run_id).state.is_completed(), (said, house.said(run_id))
        assert "from the image" in house.said(run_id)
    finally:
        with suppress(NotFound):
            api.remove_image(tag, force=True)
