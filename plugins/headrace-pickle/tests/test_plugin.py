"""What headrace-pickle offers is found and loads."""

import pytest

from headrace.errors import CodeNotAllowedHere
from headrace.hooks.registry import Registry
from headrace.testing.conformance.plugins import PluginConformance
from headrace_pickle.serializer import PickleSerializer


class TestPlugin(PluginConformance):
    """As every plugin."""


def test_the_serializer_is_found() -> None:
    """The serializer is found through the installed entry point, and its class loads in a flow run's process."""
    registry = Registry(runs_code=True)
    assert registry.offer("serializer", "pickle").plugin.dist == "headrace-pickle"
    assert registry.load("serializer", "pickle") is PickleSerializer


def test_it_is_refused_elsewhere() -> None:
    """In a process that is no flow run's, pickles are not read."""
    with pytest.raises(CodeNotAllowedHere):
        Registry().load("serializer", "pickle")
