"""Annotations as values: text is resolved where it was written, and what cannot be resolved says nothing.

An annotation is a remark of the author's, so a bad one never stops a call: a name imported for type checkers only, or a sentence in quotes,
leaves that one parameter unchecked and the others as they are.
"""

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

Names = dict[str, Any]


def resolved(annotation: Any, outer: Names, inner: Names) -> Any:
    """The annotation without text or forward references in it, looked up in `inner`, then `outer`; Any if that fails."""
    if annotation is inspect.Parameter.empty:
        return Any
    if isinstance(annotation, type):
        return annotation
    try:
        holder = types.SimpleNamespace(__annotations__={"it": annotation})
        return typing.get_type_hints(holder, outer, inner, include_extras=True)["it"]
    except Exception:  # evaluating what somebody wrote can raise anything
        return Any


def names_around(function: Callable[..., Any]) -> tuple[Names, Names]:
    """The global and enclosing names a function's annotations were written among."""
    plain = _plain(function)
    code = getattr(plain, "__code__", None)
    inner: Names = {parameter.__name__: parameter for parameter in getattr(plain, "__type_params__", ())}
    for name, cell in zip(code.co_freevars if code else (), getattr(plain, "__closure__", None) or (), strict=False):
        try:
            inner[name] = cell.cell_contents
        except ValueError:  # a name that is bound only later, such as the function's own
            continue
    return getattr(plain, "__globals__", {}), inner


def class_annotations(kind: type) -> Names:
    """The annotations in a class's body and its ancestors', by name, each resolved in the module it was written in."""
    found: Names = {}
    for ancestor in reversed(kind.__mro__):
        module = vars(sys.modules[ancestor.__module__]) if ancestor.__module__ in sys.modules else {}
        # The module goes before the class: in `date: date = None` the name means the type, not the default.
        outer = {**vars(ancestor), ancestor.__name__: ancestor}
        found |= {name: resolved(annotation, outer, module) for name, annotation in inspect.get_annotations(ancestor).items()}
    return found


def _plain(function: Any) -> Any:
    """The function that somebody wrote, under partials, methods, wrappers, classes and callable objects."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = inspect.unwrap(function)
        elif isinstance(function, type):
            return inspect.getattr_static(function, "__init__")
        elif hasattr(function, "__code__") or inspect.isroutine(function):
            return function
        else:
            return _plain(type(function).__call__)
