"""The reference serializer: plain data as JSON text.

JSON text holds less than Python does: a tuple would come back as a list, the key 1 as "1", a member of an enumeration as what it stands for. A
result that comes back different is worse than one that is refused, so the value is looked through first, and every type but the few that JSON
keeps is refused, subclasses included.
"""

import json
from math import isfinite
from typing import Any, BinaryIO

import attrs

from headrace.errors import NotSerializable, WrongData

DEEPEST = 100
"""Levels of lists and dicts; more could exceed the recursion limit of whoever reads it."""

_LONGEST_INTEGER = 14_000
"""Bits; Python refuses to read integers of more than 4,300 digits."""


@attrs.frozen
class _Fault:
    """What JSON would not keep, and where it is."""

    place: str
    why: str

    def under(self, step: str) -> "_Fault":
        return _Fault(step + self.place, self.why)


def _fault(value: Any, depth: int = 0) -> _Fault | None:
    """The first thing in the value that JSON would not give back as it is."""
    kind = type(value)
    if kind is str:
        return None if _is_text(value) else _Fault("", "it is text with half of a surrogate pair, which UTF-8 cannot hold")
    if kind is int:
        return None if value.bit_length() <= _LONGEST_INTEGER else _Fault("", "it is an integer too long to be read again")
    if kind is float:
        return None if isfinite(value) else _Fault("", f"it is {value}, which JSON has no number for")
    if value is None or kind is bool:
        return None
    if kind not in (list, dict):
        return _Fault("", f"it is of type {_type_name(kind)}, which JSON would not give back as such")
    if depth == DEEPEST:
        return _Fault("", f"it is nested more than {DEEPEST} levels deep, or contains itself")
    if kind is list:
        for index, item in enumerate(value):
            if fault := _fault(item, depth + 1):
                return fault.under(f"[{index}]")
        return None
    for key, item in value.items():
        if type(key) is not str:
            return _Fault("", f"it has a key of type {_type_name(type(key))}, and JSON keeps keys that are text only")
        if fault := _fault(key) or _fault(item, depth + 1):
            return fault.under(f".{key}" if key.isidentifier() else f"[{key!r}]")
    return None


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _type_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _shortened(place: str) -> str:
    return place if len(place) <= 80 else f"{place[:60]}…{place[-15:]}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


@attrs.frozen(kw_only=True)
class JsonSerializer:
    """None, bool, int, finite float, str, list and dict with str keys, as JSON text in UTF-8; anything else is refused, with its place."""

    def dump(self, value: Any, file: BinaryIO) -> None:
        if fault := _fault(value):
            why = f"{fault.why}; change it to plain data, or use serializer 'pickle' (pip install headrace-pickle)"
            raise NotSerializable(what=f"the value at ${_shortened(fault.place)}", serializer="json", why=why)
        file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())

    def load(self, file: BinaryIO) -> Any:
        try:
            return json.loads(file.read().decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise WrongData(where="a value kept as JSON", why=str(error)) from error
