"""What headrace-queues offers is found and loads."""

import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import PluginConformance
from headrace_queues.deployments import DeploymentsMatcher
from headrace_queues.flow_runners import FlowRunnersMatcher
from headrace_queues.tags import TagsMatcher


class TestPlugin(PluginConformance):
    """As every plugin."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tags", TagsMatcher), ("deployments", DeploymentsMatcher), ("flow_runners", FlowRunnersMatcher)],
)
def test_queue_matchers_are_found(name: str, kind: type) -> None:
    """Each queue matcher is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("queue matcher", name).plugin.dist == "headrace-queues"
    assert registry.load("queue matcher", name) is kind
