"""What headrace-gcs offers is found and loads."""

import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_gcs.storage import GcsStorage


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self) -> Options:
        return {"gcs": {"bucket": "flows", "endpoint_url": "http://127.0.0.1:9"}}


def test_the_storage_is_found() -> None:
    """The storage is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("storage", "gcs").plugin.dist == "headrace-gcs"
    assert registry.load("storage", "gcs") is GcsStorage
