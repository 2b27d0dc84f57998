"""The flow runner is a flow runner, and its options are checked."""

from typing import Any

import pytest

from headrace.errors import InvalidOption
from headrace.ports.flow_runner import FlowRunner
from headrace.testing.conformance.flow_runner import FlowRunnerConformance, Stage
from headrace_docker.flow_runner import DockerFlowRunner


class TestDocker(FlowRunnerConformance):
    @pytest.fixture(autouse=True)
    def _where_the_engine_is(self, orders: Stage) -> None:
        """It is in the environment before a flow runner is opened."""

    @pytest.fixture
    def stage(self, orders: Stage) -> Stage:
        return orders

    @pytest.fixture
    def flow_runner(self, image: str, shared: str, stand_in: tuple[str, ...]) -> FlowRunner:
        return DockerFlowRunner(image=image, command=stand_in, volumes=(shared,), network_mode="host")

    @pytest.fixture
    def at_once(self) -> int:
        return 20  # an engine takes its time

    @pytest.fixture
    def unusable(self) -> FlowRunner:
        return DockerFlowRunner(image="headrace-tests-nowhere:1")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"image": ""}, "image='' cannot be used: it must be the name of an image, such as team/flows:1.2"),
        ({"image": 1}, "it must be the name of an image"),
        ({"image": "Flows"}, "a name has lower-case letters"),
        ({"image": "flows:"}, "a tag has up to 128"),
        ({"image": "flows@latest"}, "what follows the @ must be a digest"),
        ({"command": ""}, "it must be how Python is called in the image, and -m headrace.engine"),
        ({"command": "python3"}, "it must be how Python is called in the image, and -m headrace.engine"),
        ({"command": "python 'x"}, "it must be a list of words, or a line of them"),
        ({"command": ["python", 1]}, "it must be a list of words, or a line of them"),
        ({"env": {"A": 1}}, "it must be names with values, all of them text"),
        ({"env": {"HEADRACE_ORDER": "{}"}}, "HEADRACE_ORDER tells the process which run it is for"),
        ({"labels": ["a"]}, "it must be names with values, all of them text"),
        ({"labels": {"headrace.run-id": "x"}}, "labels that begin with headrace. are those by which runs are known"),
        ({"networks": "net"}, "it must be a list of names of networks"),
        ({"networks": ["a", "a"]}, "a network stands in it twice"),
        ({"network_mode": "no such!"}, "it must be host, bridge, none, container:NAME or the name of a network"),
        ({"network_mode": "container:"}, "it must be host, bridge, none, container:NAME or the name of a network"),
        ({"network_mode": "host", "networks": ["a"]}, "networks are chosen too"),
        ({"extra_hosts": {"db": ""}}, "it must be names of machines with their addresses"),
        ({"volumes": "/a:/b"}, "it must be a list"),
        ({"volumes": ["/a"]}, "it must be as /on/this/machine:/in/the/container"),
        ({"volumes": ["data/in:/data"]}, "nobody knows in which folder an agent is started"),
        ({"volumes": ["/a:b"]}, "a path in the container that begins with /"),
        ({"volumes": ["/a:/"]}, "and not / itself"),
        ({"volumes": ["/a:/b:readonly"]}, "behind the second colon there may be ro or rw"),
        ({"user": "a b"}, "it must be a user as the image knows it"),
        ({"memory": "lots"}, "it must be a whole number of bytes"),
        ({"memory": 512}, "it must be a whole number of bytes"),
        ({"memory": "1m"}, "no container begins with less than 6m"),
        ({"cpus": 0}, "it must be a number of processors from 0.01"),
        ({"cpus": True}, "it must be a number of processors from 0.01"),
        ({"image_pull_policy": "sometimes"}, "it must be one of always, if_not_present, never"),
        ({"auto_remove": "yes"}, "it must be true or false"),
        ({"stream_output": 1}, "it must be true or false"),
    ],
)
def test_options_that_cannot_be(options: Any, why: str) -> None:
    """An option that cannot be used is refused at once, and the error says which and why."""
    with pytest.raises(InvalidOption) as refusal:
        DockerFlowRunner(**{"image": "flows", **options})
    assert f"flow runner 'docker': {next(iter(options))}=" in str(refusal.value) or "env" in options
    assert why in str(refusal.value)


def test_options_are_values() -> None:
    """Lists may be written as such, a command as a line; two that say the same are equal."""
    written = DockerFlowRunner(image="a", command="/venv/bin/python -X dev -m headrace.engine", volumes=["/a:/b:ro"], networks=["n"])  # type: ignore[arg-type]
    said = DockerFlowRunner(
        image="a", command=("/venv/bin/python", "-X", "dev", "-m", "headrace.engine"), volumes=("/a:/b:ro",), networks=("n",)
    )
    assert written == said
    assert hash(written) == hash(said)
    assert said.interpreter is None
