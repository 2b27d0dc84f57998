"""What headrace-tasks offers is found and loads."""

import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import PluginConformance
from headrace_tasks.concurrent import ConcurrentTaskRunner
from headrace_tasks.processes import ProcessTaskRunner


class TestPlugin(PluginConformance):
    """As every plugin."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [("concurrent", ConcurrentTaskRunner), ("processes", ProcessTaskRunner)],
)
def test_task_runners_are_found(name: str, kind: type) -> None:
    """Each task runner is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("task runner", name).plugin.dist == "headrace-tasks"
    assert registry.load("task runner", name) is kind
