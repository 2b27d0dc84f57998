"""JSON as it is typed: strict, so that nothing is lost without a word."""

import json
from typing import Any, NoReturn

MOST_NESTED = 100
"""How deep a value may go; what is deeper, whoever keeps it and whoever reads it could fail at."""


class DoubleKey(ValueError):
    """A key stands twice in an object, so that one of its values would be lost."""


def parsed(text: str) -> Any:
    """What JSON says. Raises DoubleKey, and ValueError for what is no JSON, NaN and numbers without an end among it."""
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DoubleKey(f"the key {key!r} stands twice in an object")
        found[key] = value
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if number - number == 0 else _no_number(text)


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested in it by more than so many levels."""
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(is_deeper(each, levels - 1) for each in held)
