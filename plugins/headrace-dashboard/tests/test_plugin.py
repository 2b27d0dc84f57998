"""What headrace-dashboard offers is found and loads."""

from headrace.hooks.registry import discovered
from headrace.testing.conformance.plugins import PluginConformance


class TestPlugin(PluginConformance):
    """As every plugin."""


def test_it_is_found() -> None:
    """By its entry point."""
    assert [plugin.name for plugin in discovered() if plugin.dist == "headrace-dashboard"] == ["dashboard"]
