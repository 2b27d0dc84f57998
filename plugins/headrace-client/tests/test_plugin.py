"""What headrace-client offers is found and loads."""

import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_client.client import HttpClient


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self) -> Options:
        return {name: {"url": "http://127.0.0.1:1/api"} for name in ("http", "server")}


def test_the_client_is_found() -> None:
    """The client is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("client", "http").plugin.dist == "headrace-client"
    assert registry.load("client", "http") is HttpClient
