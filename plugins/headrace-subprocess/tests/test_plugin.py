"""What headrace-subprocess offers is found and loads."""

import headrace.flow_runners
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.testing.conformance.plugins import PluginConformance
from headrace_subprocess.flow_runner import SubprocessFlowRunner


class TestPlugin(PluginConformance):
    """As every plugin."""


def test_the_flow_runner_is_found() -> None:
    """It is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("flow runner", "subprocess").plugin.dist == "headrace-subprocess"
    assert registry.load("flow runner", "subprocess") is SubprocessFlowRunner
    assert headrace.flow_runners.SubprocessFlowRunner is SubprocessFlowRunner


def test_there_and_back() -> None:
    """A choice gives the flow runner with its options, and the flow runner gives the choice."""
    registry, choice = Registry(), Choice("subprocess", {"env": {"A": "1"}, "warm": False})
    flow_runner = registry.make("flow runner", choice)
    assert flow_runner == SubprocessFlowRunner(env={"A": "1"}, warm=False)
    assert registry.make("flow runner", registry.choice_of("flow runner", flow_runner)) == flow_runner
