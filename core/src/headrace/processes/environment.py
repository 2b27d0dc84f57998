"""The environment of a run's process."""

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidOption
from headrace.model.orders import CREDENTIALS, VARIABLE, Order

if TYPE_CHECKING:
    import attrs


def checked_variables(flow_runner: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    """Lets pass variables as an environment can hold them; else raises InvalidOption."""
    why = _wrong(value)
    if why:
        raise InvalidOption(where=type(flow_runner).__name__, option=field.name, value=value, why=why)


def _wrong(value: Any) -> str:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        return "it must be names with values, all of them text"
    if any(not name or "=" in name or "\0" in name + text for name, text in value.items()):
        return "a name must not be empty or hold a '=', and nothing may hold a zero byte"
    if VARIABLE in value:
        return f"{VARIABLE} tells the process which run it is for"
    return ""


def inherited(patterns: Sequence[str] | None = None) -> dict[str, str]:
    """What a run gets of this process's environment: what fits one of the patterns, or all if there are none; never a setting that is a secret."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in CREDENTIALS and (patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns))
    }


def environment_of(order: Order, own: Mapping[str, str], patterns: Sequence[str] | None = None) -> dict[str, str]:
    """What is inherited of this process's environment, under the order's variables, under a flow runner's own."""
    return {**inherited(patterns), **order.variables, **own, VARIABLE: order.variables[VARIABLE]}
