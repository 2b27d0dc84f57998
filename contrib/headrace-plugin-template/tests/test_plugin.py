"""What headrace-plugin-template offers is found and loads."""

from headrace.testing.conformance.plugins import PluginConformance


class TestPlugin(PluginConformance):
    """As every plugin."""
