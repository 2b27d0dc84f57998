"""Options of decorators, on their way to a definition."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from headrace.errors import InvalidOption, WrongData
from headrace.model.definitions import FlowDefinition, TaskDefinition, option_names
from headrace.model.parameters import Signature
from headrace.model.tags import Tags, as_tags

HOOKS = ("on_completion", "on_failure", "on_crash", "on_cancellation")

D = TypeVar("D", bound=FlowDefinition | TaskDefinition)


def function_name(function: Callable[..., Any]) -> str:
    """What the function is called where it was written; a lambda is called lambda."""
    return getattr(function, "__name__", type(function).__name__).strip("<>")


def kept(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are now, whatever becomes of the lists that they were given in."""
    return {option: tuple(value) if isinstance(value, (list, Iterator)) else value for option, value in options.items()}


def written_in(noun: str, name: str, options: Mapping[str, Any]) -> str:
    """Where an option was written, as errors say it."""
    given = options.get("name")
    return f"{noun} {(given if isinstance(given, str) else name)!r}"


def defined(
    kind: type[D], function: Callable[..., Any], options: Mapping[str, Any], *, name: str, reserved: frozenset[str], **made: Any
) -> D:
    """A definition of the function with options as users write them; None stands for what holds where an option is not given.

    `name` is its name if the options give none, `made` has fields that are made of the options already, `reserved` the names of parameters that calls
    need for themselves. Raises InvalidName, and InvalidOption for an option that there is not, a value that it cannot have, or a function that is none.
    """
    if not callable(function):
        raise InvalidOption(where=f"@{kind.noun}", option="function", value=function, why="it decorates functions")
    where, names = written_in(kind.noun, name, options), option_names(kind)
    unknown = next((option for option in options if option not in names), None)
    if unknown is not None:
        why = f"there is no such option; there are: {', '.join(sorted(names))}"
        raise InvalidOption(where=where, option=unknown, value=options[unknown], why=why)
    if not isinstance(options.get("name") or "", str):
        raise InvalidOption(where=where, option="name", value=options["name"], why="it must be text")
    fields = {names[option]: value for option, value in options.items() if value is not None}
    fields |= {option: _hooks(fields[option]) for option in HOOKS if option in fields}
    fields |= {field: value for field, value in made.items() if value is not None}
    signature = Signature.of(function)
    _refuse_reserved(where, signature, reserved)
    return kind(**{"name": name, "description": inspect.getdoc(function), **fields, "function": function, "signature": signature})


def tags_of(where: str, given: Any) -> Tags:
    """Tags in their one shape. Raises InvalidOption."""
    if not isinstance(given, (str, Iterable)):
        raise InvalidOption(where=where, option="tags", value=given, why="it must be a list of texts")
    try:
        return as_tags(given)
    except WrongData as error:
        raise InvalidOption(where=where, option="tags", value=given, why=error.why) from None


def _hooks(given: Any) -> tuple[Any, ...]:
    """Hooks as they were given: several, or one alone."""
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _refuse_reserved(where: str, signature: Signature, reserved: frozenset[str]) -> None:
    for taken in sorted(reserved & set(signature.names)):
        raise InvalidOption(where=where, option="parameter", value=taken, why="calls need this name for themselves; rename it")
