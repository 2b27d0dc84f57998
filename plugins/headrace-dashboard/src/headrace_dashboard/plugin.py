"""What headrace-dashboard offers."""

from collections.abc import Iterable
from typing import Any

from headrace.hooks import hookimpl


@hookimpl(optionalhook=True)
def headrace_routes(server: Any) -> Iterable[Any]:
    from headrace_dashboard.site import routes  # which only a server needs

    return routes(server)
