"""What headrace-plugin-template offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("plugins new", "headrace_plugin_template.command:new", "Grow a plugin of your own")
