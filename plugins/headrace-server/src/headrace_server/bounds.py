"""Bounds: how much is given at once, where who wants more asks for the next page; and how many may be connected."""

import os
from collections.abc import Mapping
from typing import Any

from headrace.errors import WrongData
from headrace.model.filters import Page
from headrace.ports.client import Operation

MOST_AT_ONCE = 1000

MOST_CONNECTED, LEAST_CONNECTED = 10_000, 64
FILES = 200
"""Files that a server opens beside its connections."""


def is_bounded(operation: Operation, name: str) -> bool:
    """Whether an argument says how much is to be read."""
    return name == "limit" and operation.name.startswith("read_")


def check_bounds(operation: Operation, arguments: Mapping[str, Any]) -> None:
    """Raises WrongData where more is asked for than is given at once."""
    for name, value in arguments.items():
        asked = value.limit if isinstance(value, Page) else value if is_bounded(operation, name) else 0
        if asked > MOST_AT_ONCE:
            where = f"{name}.limit" if isinstance(value, Page) else name
            raise WrongData(where=where, why=f"it must not be greater than {MOST_AT_ONCE}; ask for the rest after the last row")


def most_connections() -> int:
    """How many connections may be open at once, so that files can still be opened beside them."""
    if os.name != "posix":
        return MOST_CONNECTED
    import resource  # which is not everywhere

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_CONNECTED if files == resource.RLIM_INFINITY else min(MOST_CONNECTED, files - FILES)
    return max(LEAST_CONNECTED, most)
