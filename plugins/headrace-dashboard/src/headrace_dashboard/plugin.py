"""What headrace-dashboard offers."""

from collections.abc import Iterable, Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl(optionalhook=True)
def headrace_routes(server: Any) -> Iterable[Any]:
    from headrace_dashboard.site import routes  # which only a server needs

    return routes(server)


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("dashboard", "headrace_dashboard.commands:dashboard", "Make copies of the dashboard's pages")
