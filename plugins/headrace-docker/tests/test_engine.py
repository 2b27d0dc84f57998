"""Engines that go away and come back, and those that this user may not ask."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import attrs
import pytest
from docker import APIClient
from docker.errors import DockerException
from requests.exceptions import ConnectionError as ConnectionBroken
from servers.docker import NoDocker, OwnEngine, own_engine
from servers.images import python_image

import headrace_docker.container_process
from headrace.errors import FlowRunnerAway, FlowRunnerFailed
from headrace.model.orders import ExitStatus
from headrace.testing.conformance.flow_runner import SECONDS, Meeting, Stage
from headrace.testing.privileges import giving_up
from headrace_docker.flow_runner import DockerFlowRunner
from headrace_docker.troubles import Away, understood


@pytest.fixture
def own() -> Iterator[OwnEngine]:
    """An engine that a test may end, and start again."""
    folder = Path(tempfile.mkdtemp(prefix="headrace-"))
    try:
        with own_engine(folder, bridge=f"hr{folder.name[-8:]}", address="10.213.78.1/24") as found:
            yield found
    except NoDocker as error:
        pytest.skip(f"there is no Docker Engine: {error}")


@pytest.fixture
def runner(own: OwnEngine, stand_in: tuple[str, ...]) -> DockerFlowRunner:
    with APIClient(base_url=own.url, version="auto", timeout=120) as api:
        image = python_image(api, "headrace-core", *["headrace-client"][: len(headrace_docker.flow_runner.needed()) - 1])
    return DockerFlowRunner(image=image, command=stand_in, network_mode="host")


def test_an_engine_that_dies(
    own: OwnEngine, runner: DockerFlowRunner, orders: Stage, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is away nobody can say what runs, and nothing is started; when it is back, what ended with it has ended, and runs are started again."""
    monkeypatch.setenv("DOCKER_HOST", own.url)
    monkeypatch.setattr(headrace_docker.container_process, "LATE_SECONDS", 0.1)
    monkeypatch.setattr(headrace_docker.container_process, "LONGEST_END", 0.5)
    with runner.open() as opened:
        process = opened.start(orders.order(meeting.lines))
        meeting.await_one()
        own.end(SIGKILL)
        assert process.wait(0) is None
        assert process.wait(0.3) is None
        for question in (opened.running, lambda: opened.find(process.identity)):
            with pytest.raises(FlowRunnerAway, match="has not told what runs: no Docker Engine answers"):
                question()
        with pytest.raises(FlowRunnerAway, match=f"has not stopped the container headrace-{process.identity}: no Docker Engine answers"):
            process.stop(0.1)
        with pytest.raises(FlowRunnerFailed, match="no Docker Engine answers at unix://"):
            opened.start(orders.order("pass"))
        own.start()
        status = process.wait(SECONDS)
        assert status is not None
        assert not status.is_clean
        assert opened.start(orders.order("pass")).wait(SECONDS) == ExitStatus(0)


def test_an_engine_that_was_never_there(orders: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow runner opens all the same; a run says what to do."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/socket")
    with DockerFlowRunner(image="flows:1").open() as opened:
        with pytest.raises(FlowRunnerAway):
            opened.running()
        with pytest.raises(FlowRunnerFailed) as failure:
            opened.start(orders.order("pass"))
    assert failure.value.why == f"no Docker Engine answers at unix://{tmp_path}/socket; start it, or set DOCKER_HOST to where one is"


def test_an_address_that_is_none(orders: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as it was written."""
    monkeypatch.setenv("DOCKER_HOST", "moon://there")
    with DockerFlowRunner(image="flows:1").open() as opened, pytest.raises(FlowRunnerFailed, match="the Docker Engine at moon://there"):
        opened.start(orders.order("pass"))


@pytest.mark.parametrize(
    ("cause", "why"),
    [
        (
            PermissionError(13, "Permission denied"),
            "this user may not ask the Docker Engine at unix:///s; add the user to the group docker",
        ),
        (FileNotFoundError(2, "No such file or directory"), "no Docker Engine answers at unix:///s; start it"),
        (ConnectionRefusedError(111, "Connection refused"), "no Docker Engine answers at unix:///s; start it"),
        (TimeoutError("timed out"), "the Docker Engine at unix:///s does not answer: "),
    ],
)
def test_why_an_engine_is_away(cause: OSError, why: str) -> None:
    """What the system says is found, however deep the libraries have wrapped it."""
    try:
        try:
            raise ConnectionBroken(("Connection aborted.", cause))
        except ConnectionBroken as broken:
            raise DockerException(f"Error while fetching server API version: {broken}") from broken
    except DockerException as error:
        found = understood(error, where="unix:///s")
    assert isinstance(found, Away)
    assert found.why.startswith(why)


def test_an_engine_of_others(orders: Stage, tmp_path: Path) -> None:
    """Who may not use the socket is told which group may."""
    program = """
import sys
from headrace.errors import FlowRunnerFailed
from headrace.model.orders import Order
from headrace_docker.flow_runner import DockerFlowRunner

with DockerFlowRunner(image="flows:1").open() as opened:
    try:
        opened.start(Order(run_id="run", run_name="", epoch=1, environment={"HEADRACE_API_URL": "http://127.0.0.1:1/api"}))
    except FlowRunnerFailed as error:
        print(error.why)
"""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        (tmp_path / "socket").chmod(0)
        environment = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/socket"}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=environment, preexec_fn=giving_up(), capture_output=True, text=True, timeout=SECONDS, check=True)
    where = f"unix://{tmp_path}/socket"
    assert (
        done.stdout == f"this user may not ask the Docker Engine at {where}; add the user to the group docker, and start the agent anew\n"
    )


def test_getting_ready(orders: Stage, image: str, stand_in: tuple[str, ...]) -> None:
    """What a first run would have to wait for can be done before; what is wrong is raised."""
    runner: Any = DockerFlowRunner(image=image, command=stand_in)
    with runner.open() as opened:
        opened.prepare()
        assert opened.start(orders.order("pass")).wait(SECONDS) == ExitStatus(0)
    with attrs.evolve(runner, image="headrace-tests-nowhere:1").open() as opened, pytest.raises(Exception, match="there is no image"):
        opened.prepare()
