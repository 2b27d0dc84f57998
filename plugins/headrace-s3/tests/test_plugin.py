"""What headrace-s3 offers is found and loads."""

import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_s3.storage import S3Storage


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self) -> Options:
        return {"s3": {"bucket": "flows"}}


def test_the_storage_is_found() -> None:
    """The storage is found through the installed entry point, and its class loads."""
    registry = Registry()
    assert registry.offer("storage", "s3").plugin.dist == "headrace-s3"
    assert registry.load("storage", "s3") is S3Storage
