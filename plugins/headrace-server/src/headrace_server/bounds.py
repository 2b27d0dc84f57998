"""How much is given at once: who wants more asks for the next page."""

from collections.abc import Mapping
from typing import Any

from headrace.errors import WrongData
from headrace.model.filters import Page
from headrace.ports.client import Operation

MOST_AT_ONCE = 1000


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
