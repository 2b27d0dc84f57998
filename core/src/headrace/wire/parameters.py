"""Parameters as plain data: what a run remembers of what it was called with."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any

import attrs

MOST_DEPTH = 20

_AS_TEXT = frozenset({("decimal", "Decimal"), ("uuid", "UUID")})
"""Types whose text says all. They are known by their names, since importing them costs each first flow run of a process some milliseconds."""


class Remembered(str):
    """What JSON cannot hold, by the name of its type."""

    __slots__ = ()


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Each parameter as JSON could hold it; what it cannot hold is remembered by its type, as `<TypeName>`."""
    return {name: _plain(value, MOST_DEPTH) for name, value in parameters.items()}


def is_whole(plain: Any) -> bool:
    """Whether nothing in what `plain_parameters` gave is only remembered."""
    if isinstance(plain, dict):
        return all(is_whole(held) for held in plain.values())
    return all(is_whole(held) for held in plain) if isinstance(plain, list) else not isinstance(plain, Remembered)


def _plain(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in (str, int, bool, type(None)):
        return value
    if kind is float:
        return value if value - value == 0 else str(value)
    if depth == 0:
        return Remembered(f"<{kind.__name__}>")
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
        return Remembered(f"<{value.__name__}>")
    if any((ancestor.__module__, ancestor.__qualname__) in _AS_TEXT for ancestor in kind.__mro__):
        return str(value)
    if hasattr(kind, "model_dump"):
        return _dumped(value, kind)
    if hasattr(kind, "__attrs_attrs__"):
        return {field.alias or field.name: _plain(getattr(value, field.name), depth - 1) for field in attrs.fields(kind) if field.init}
    if hasattr(kind, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name), depth - 1) for name in kind.__dataclass_fields__}
    return Remembered(f"<{kind.__name__}>")


def _dumped(value: Any, kind: type) -> Any:
    try:
        return value.model_dump(mode="json")
    except Exception:  # a model may hold anything, and its serializers may raise anything
        return Remembered(f"<{kind.__name__}>")
