"""What headrace-azure offers is found and loads."""

import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_azure.storage import AzureStorage


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self) -> Options:
        return {"azure": {"container": "flows", "account_name": "team"}}


def test_the_storage_is_found() -> None:
    """The storage is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("storage", "azure").plugin.dist == "headrace-azure"
    assert registry.load("storage", "azure") is AzureStorage
