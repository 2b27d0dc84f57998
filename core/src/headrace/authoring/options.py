"""Options of decorators, on their way to a definition."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from headrace.errors import InvalidOption
from headrace.model.parameters import Signature

NOT_OPTIONS = frozenset({"function", "signature", "is_async", "key", "run_name", "retry_delays", "retry_jitter"})
HOOKS = ("on_completion", "on_failure", "on_crash", "on_cancellation")


def function_name(function: Callable[..., Any]) -> str:
    """What the function is called where it was written; a lambda is called lambda."""
    return getattr(function, "__name__", type(function).__name__).strip("<>")


def docstring(function: Callable[..., Any]) -> str | None:
    """The function's docstring, cleaned."""
    return inspect.getdoc(function)


def as_fields(
    noun: str,
    function: Callable[..., Any],
    options: Mapping[str, Any],
    kind: type,
    renamed: Mapping[str, str],
) -> dict[str, Any]:
    """Options by the names of a definition's fields. Raises InvalidOption for one that there is not, or a function that is none."""
    where = f"{noun} {options.get('name') or function_name(function)!r}"
    if not callable(function):
        raise InvalidOption(where=f"@{noun}", option="function", value=function, why="it decorates functions")
    known = {field.name for field in attrs.fields(kind)} - NOT_OPTIONS | set(renamed)
    for name, value in options.items():
        if name not in known:
            raise InvalidOption(
                where=where, option=name, value=value, why=f"there is no such option; there are: {', '.join(sorted(known))}"
            )
    fields = {renamed.get(name, name): value for name, value in options.items()}
    for name in HOOKS:
        if name in fields:
            fields[name] = tuple(fields[name]) if isinstance(fields[name], (list, tuple)) else (fields[name],)
    return fields


def refuse_reserved(noun: str, name: str, signature: Signature, reserved: frozenset[str]) -> None:
    """Raises InvalidOption where the function has a parameter whose name a call needs for itself."""
    for taken in sorted(reserved & set(signature.names)):
        raise InvalidOption(where=f"{noun} {name!r}", option="parameter", value=taken, why="calls need this name for themselves; rename it")
