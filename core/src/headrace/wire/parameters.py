"""Parameters as plain data: what a run remembers of what it was called with."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any

import attrs

MOST_DEPTH = 20


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Each parameter as JSON could hold it; what it cannot hold is remembered by its type, as `<TypeName>`."""
    return {name: _plain(value, MOST_DEPTH) for name, value in parameters.items()}


def _plain(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in (str, int, bool, type(None)):
        return value
    if kind is float:
        return value if value - value == 0 else str(value)
    if depth == 0:
        return f"<{kind.__name__}>"
    if isinstance(value, Enum):
        return _plain(value.value, depth - 1)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(held, depth - 1) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(held, depth - 1) for held in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(held, depth - 1) for held in value), key=repr)
    return _plain_object(value, kind, depth)


def _plain_object(value: Any, kind: type, depth: int) -> Any:
    """Models of pydantic, attrs values and dataclasses by their fields; anything else by its type."""
    if isinstance(value, type):
        return f"<{value.__name__}>"
    if hasattr(kind, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: _plain(getattr(value, field.name), depth - 1) for field in attrs.fields(kind)}
    if hasattr(kind, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name), depth - 1) for name in kind.__dataclass_fields__}
    return f"<{kind.__name__}>"
