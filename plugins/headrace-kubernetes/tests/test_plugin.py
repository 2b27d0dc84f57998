"""What headrace-kubernetes offers is found and loads."""

import subprocess
import sys

import pytest

import headrace.flow_runners
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_kubernetes.flow_runner import KubernetesFlowRunner


class TestPlugin(PluginConformance):
    @pytest.fixture
    def options(self) -> Options:
        return {"kubernetes": {"image": "flows:1"}}


def test_the_flow_runner_is_found() -> None:
    """It is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("flow runner", "kubernetes").plugin.dist == "headrace-kubernetes"
    assert registry.load("flow runner", "kubernetes") is headrace.flow_runners.KubernetesFlowRunner is KubernetesFlowRunner


def test_there_and_back() -> None:
    """A choice gives the flow runner with its options, and the flow runner gives the choice."""
    registry = Registry()
    options = {"image": "flows:1", "customizations": [{"op": "remove", "path": "/spec/x"}], "job": {"spec": {"ttlSecondsAfterFinished": 1}}}
    flow_runner = registry.make("flow runner", Choice("kubernetes", options))
    assert flow_runner.customizations == ({"op": "remove", "path": "/spec/x"},)
    assert registry.make("flow runner", registry.choice_of("flow runner", flow_runner)) == flow_runner


def test_choosing_it_is_cheap() -> None:
    """Its class and its command are loaded without the client of Kubernetes, which is imported when a run is started."""
    script = "import sys, headrace_kubernetes.flow_runner as f, headrace_kubernetes.command; f.KubernetesFlowRunner(image='a'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()} & {"lightkube", "httpx2", "jsonpatch", "yaml", "asyncio"} == set()
