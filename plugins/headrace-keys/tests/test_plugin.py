"""What headrace-keys offers is found and loads."""

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import PluginConformance
from headrace_keys.command import keys


class TestPlugin(PluginConformance):
    """As every plugin."""


def test_the_command_is_found() -> None:
    """The command is found through the installed entry point, and loads."""
    registry = Registry()
    assert registry.offer("command", "keys").plugin.dist == "headrace-keys"
    assert registry.load("command", "keys") is keys
