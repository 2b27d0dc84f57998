"""The commands that tell and mend what is wrong, for the case that the settings block all of core's: no setting takes these away."""

from collections.abc import Iterator
from typing import Any

from headrace.cli import plugin
from headrace.hooks import Provider, hookimpl

BLOCKING = frozenset({"commands", "headrace-core"})
"""The names under which core's commands can be blocked."""

MENDING = frozenset({"config", "doctor", "plugins", "profile", "version"})


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    """Those of core's commands."""
    yield from (provider for provider in plugin.headrace_commands() if provider.name in MENDING)
