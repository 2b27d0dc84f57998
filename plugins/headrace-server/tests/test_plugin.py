"""What headrace-server offers is found and loads."""

import click

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import PluginConformance


class TestPlugin(PluginConformance):
    """As every plugin."""


def test_the_command_is_found() -> None:
    """The command is found through the installed entry point, and loads."""
    registry = Registry()
    assert registry.offer("command", "server").plugin.dist == "headrace-server"
    assert isinstance(registry.load("command", "server"), click.Group)
