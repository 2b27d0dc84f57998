"""What headrace-docker offers is found and loads."""

import pytest

import headrace.flow_runners
from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_docker.flow_runner import DockerFlowRunner


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self) -> Options:
        return {"docker": {"image": "localhost:5000/team/flows:1.2", "volumes": ["/a:/b"], "env": {"A": "1"}}}


def test_it_is_found() -> None:
    """Its flow runner and its command are found through the installed entry point, and load."""
    registry = Registry()
    assert registry.load("flow runner", "docker") is DockerFlowRunner
    assert headrace.flow_runners.DockerFlowRunner is DockerFlowRunner
    assert registry.load("command", "docker").name == "docker"
