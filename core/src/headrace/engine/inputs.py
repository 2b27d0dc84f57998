"""Futures inside arguments: found wherever they lie, and replaced by their values.

Looked into: lists, tuples (named ones too), sets, dicts (keys and values), dataclasses and attrs values. What holds no future is left as it is, the
very same object.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from headrace.engine.futures import TaskFuture

_PLAIN = frozenset({str, int, float, bool, bytes, complex, type(None)})


def futures_in(value: Any) -> list[TaskFuture[Any]]:
    """Every future inside, once, in the order met."""
    found: dict[int, TaskFuture[Any]] = {}

    def note(future: TaskFuture[Any]) -> Any:
        found[id(future)] = future
        return future

    _walked(value, note, set())
    return list(found.values())


def filled(value: Any) -> Any:
    """The value with each future replaced by its result; all of them have ended well."""
    return _walked(value, lambda future: future.ended.result().result(), set())


def upstream(arguments: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """For each argument that holds futures, the ids of their task runs."""
    found = ((name, futures_in(value)) for name, value in arguments.items())
    return {name: tuple(future.task_run_id for future in futures) for name, futures in found if futures}


def _walked(value: Any, visit: Callable[[TaskFuture[Any]], Any], inside: set[int]) -> Any:
    """The value with `visit` applied to every future; a container is rebuilt only if something in it changed."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, TaskFuture):
        return visit(value)
    if id(value) in inside:
        return value
    parts, rebuild = _parts(value, kind)
    if not parts:
        return value
    inside.add(id(value))
    walked = [_walked(part, visit, inside) for part in parts]
    inside.discard(id(value))
    if all(new is old for new, old in zip(walked, parts, strict=True)):
        return value
    return rebuild(walked)


def _parts(value: Any, kind: type) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """What a container holds, and how to build it from other parts."""
    if isinstance(value, (list, set, frozenset)):
        return list(value), (list if issubclass(kind, list) else kind)
    if isinstance(value, tuple):
        return list(value), (kind._make if hasattr(kind, "_make") else tuple)
    if isinstance(value, dict):
        keys = list(value)
        return [*keys, *value.values()], lambda parts: dict(zip(parts[: len(keys)], parts[len(keys) :], strict=True))
    if isinstance(value, type):
        return [], lambda parts: value
    if hasattr(kind, "__attrs_attrs__"):
        names = [field.alias or field.name for field in attrs.fields(kind) if field.init]
        held = [getattr(value, field.name) for field in attrs.fields(kind) if field.init]
        return held, lambda parts: attrs.evolve(value, **dict(zip(names, parts, strict=True)))
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields, replace

        fields_of = [field.name for field in fields(value) if field.init]
        return [getattr(value, name) for name in fields_of], lambda parts: replace(value, **dict(zip(fields_of, parts, strict=True)))
    return [], lambda parts: value
