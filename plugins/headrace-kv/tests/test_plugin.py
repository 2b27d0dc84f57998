"""What headrace-kv offers is found and loads."""

import click
import pytest

from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import Options, PluginConformance
from headrace_kv.storage import KVServerStorage


class TestPlugin(PluginConformance):
    """As every plugin."""

    @pytest.fixture
    def options(self) -> Options:
        return {"kv": {"api_address": "http://127.0.0.1:1/api", "prefix": "team"}}


def test_storage_and_command_are_found() -> None:
    """Both are found through the installed entry point, and load."""
    registry = Registry()
    assert registry.offer("storage", "kv").plugin.dist == registry.offer("command", "kv-server").plugin.dist == "headrace-kv"
    assert registry.load("storage", "kv") is KVServerStorage
    assert isinstance(registry.load("command", "kv-server"), click.Group)
