"""Futures inside arguments: found wherever they lie, and replaced by their values.

Looked into: lists, tuples, sets, deques, dicts (keys and values) and their views, values of dataclasses, attrs and pydantic, and what is a kind of one of
these. What holds no future is left as it is, the very same object. What holds one is copied with the values in the futures' places; it keeps its type, what
else belongs to it, and no code of its class is run to check it once more. States are not looked into.

A generator (or a `map`, `filter` or `zip`) can be read once only, so it is looked at when the call is made, as far as its first item. If a future is in
that, it is read to its end, as a list would be, and the task gets an iterator over the values; else the task gets its items from the first one on, and
reads the rest itself. Where a call may be tried again, what was read is kept for the next try.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import GeneratorType, MappingProxyType
from typing import Any, NamedTuple

import attrs

from headrace.engine.futures import TaskFuture, TaskFutures
from headrace.model.states import State

_PLAIN = frozenset({str, int, float, bool, bytes, complex, type(None)})
_GENERATORS: tuple[type[Iterator[Any]], ...] = (GeneratorType, map, filter, zip, type(iter([None])))
Visit = Callable[[Any], Any]


class Inputs(NamedTuple):
    """A call's arguments, and the futures in them by the names of the arguments. `has_generators` says that some are read while the call runs."""

    arguments: Mapping[str, Any]
    futures: Mapping[str, tuple[TaskFuture[Any], ...]]
    has_generators: bool = False

    @property
    def upstream(self) -> dict[str, tuple[str, ...]]:
        """The ids of the task runs that each argument waits for."""
        return {name: tuple(future.task_run_id for future in futures) for name, futures in self.futures.items()}

    @property
    def waits_for(self) -> tuple[TaskFuture[Any], ...]:
        """All futures, once each."""
        return tuple(dict.fromkeys(future for futures in self.futures.values() for future in futures))


_NO_FUTURES: Mapping[str, tuple[TaskFuture[Any], ...]] = MappingProxyType({})


def gathered(arguments: Mapping[str, Any], wait_for: Iterable[Any] = (), *, again: bool = False) -> Inputs:
    """What a call waits for. `again` says that the call may be tried again. Raises what a generator raises that is read here."""
    if not wait_for and _PLAIN.issuperset(map(type, arguments.values())):
        return Inputs(arguments, _NO_FUTURES)
    look = _Look(again=again)
    whole = {name: look.at(name, value) for name, value in arguments.items()}
    if wait_for:
        look.at("wait_for", tuple(wait_for))
    return Inputs(whole, look.futures, look.has_generators)


def futures_in(value: Any) -> list[TaskFuture[Any]]:
    """Every future inside, once, in the order met. Generators are not read."""
    found: dict[TaskFuture[Any], None] = {}

    def note(leaf: Any) -> Any:
        if isinstance(leaf, TaskFuture):
            found[leaf] = None
        return leaf

    _walked(value, note)
    return list(found)


def filled(value: Any) -> Any:
    """The value with each future replaced by its result; all of them have ended well. Raises TypeError where a result cannot be what a future was."""

    def fill(leaf: Any) -> Any:
        if isinstance(leaf, TaskFuture):
            return leaf.ended.result().result()
        return leaf.filled(fill) if isinstance(leaf, _Read) else leaf

    return _walked(value, fill)


def begun(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for one more try: each generator from its first item on."""
    return {name: _walked(value, lambda leaf: iter(leaf) if isinstance(leaf, Replayed) else leaf) for name, value in arguments.items()}


class _Look:
    """A look at the arguments of one call."""

    def __init__(self, *, again: bool) -> None:
        self.futures: dict[str, tuple[TaskFuture[Any], ...]] = {}
        self.has_generators = False
        self._again = again
        self._found: dict[TaskFuture[Any], None] = {}

    def at(self, name: str, value: Any) -> Any:
        """Notes the futures in an argument; the argument, ready to be kept."""
        self._found = {}
        seen = _walked(value, self._note)
        if self._found:
            self.futures[name] = tuple(self._found)
        return seen

    def _note(self, leaf: Any) -> Any:
        if isinstance(leaf, TaskFuture):
            self._found[leaf] = None
            return leaf
        return self._generator(leaf) if isinstance(leaf, _GENERATORS) else leaf

    def _generator(self, generator: Iterator[Any]) -> Any:
        known = len(self._found)
        first = [_walked(item, self._note) for item in _first_of(generator)]
        self.has_generators = self.has_generators or self._again
        if len(self._found) > known:
            return _Read([*first, *(_walked(item, self._note) for item in generator)], again=self._again)
        return Replayed(first, generator) if self._again else _resumed(first, generator)


def _first_of(generator: Iterator[Any]) -> list[Any]:
    for item in generator:
        return [item]
    return []


def _resumed(first: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
    yield from first
    yield from rest


class _Read:
    """What a generator gave that had futures in it."""

    def __init__(self, items: list[Any], *, again: bool) -> None:
        self._items = items
        self._again = again

    def filled(self, fill: Visit) -> Any:
        """The values, to be read once, or once for each try."""
        items = [_walked(item, fill) for item in self._items]
        return Replayed(items, iter(())) if self._again else iter(items)


class Replayed:
    """What a generator gives, from the beginning for each who asks: what was read is kept."""

    def __init__(self, read: list[Any], rest: Iterator[Any]) -> None:
        self._read = read
        self._rest = rest

    def __iter__(self) -> Iterator[Any]:
        place = 0
        while place < len(self._read) or self._reads_on():
            yield self._read[place]
            place += 1

    def _reads_on(self) -> bool:
        item = _first_of(self._rest)
        self._read += item
        return bool(item)


# Walking: into what may hold futures, and back out with something else in their places

_LEAVES: tuple[type[Any], ...] = (TaskFuture, *_GENERATORS, _Read, Replayed)


def _walked(value: Any, visit: Visit, inside: tuple[int, ...] = ()) -> Any:
    """The value with `visit` applied to all that is no container; a container is made anew only if something in it changed."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, _LEAVES):
        return visit(value)
    if id(value) in inside:
        return value
    parts, made_of = _parts(value, kind)
    if not parts:
        return value
    inside = (*inside, id(value))
    walked = [part if type(part) in _PLAIN else _walked(part, visit, inside) for part in parts]
    if all(new is old for new, old in zip(walked, parts, strict=True)):
        return value
    return made_of(walked)


def _parts(value: Any, kind: type) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """What a container holds, and how one like it is made of other parts."""
    if isinstance(value, (list, deque)):
        return list(value), lambda parts: parts if kind in (list, TaskFutures) else _like(value, lambda new: new.extend(parts))
    if isinstance(value, tuple):
        return list(value), lambda parts: tuple.__new__(kind, parts)
    if isinstance(value, dict):
        return [*value, *value.values()], lambda parts: _like(value, lambda new: [new.__setitem__(*pair) for pair in _pairs(parts)])
    if isinstance(value, set):
        return list(value), lambda parts: _like(value, lambda new: new.update(parts))
    if isinstance(value, frozenset):
        return list(value), kind
    if isinstance(value, (type, State)):
        return [], _nothing
    if kind in _VIEWS:
        return list(value), _VIEWS[kind]
    if kind is MappingProxyType:
        return [*value, *value.values()], lambda parts: MappingProxyType(dict(_pairs(parts)))
    return _fields(value, kind)


_EMPTY: dict[Any, Any] = {}

_VIEWS: Mapping[type, Callable[[list[Any]], Any]] = MappingProxyType(
    {
        type(_EMPTY.keys()): lambda parts: dict.fromkeys(parts).keys(),
        type(_EMPTY.values()): lambda parts: dict(enumerate(parts)).values(),
        type(_EMPTY.items()): lambda parts: dict(parts).items(),
    }
)


def _like(value: Any, fill: Callable[[Any], object]) -> Any:
    """A copy, with something else in it."""
    new = copy.copy(value)
    new.clear()
    fill(new)
    return new


def _pairs(parts: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Keys and values, from a list that has first those, then these."""
    half = len(parts) // 2
    return zip(parts[:half], parts[half:], strict=True)


def _nothing(_parts: list[Any]) -> Any:
    raise AssertionError("what has no parts is not made of other parts")


def _fields(value: Any, kind: type) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The parts of a value that is made of named fields."""
    if hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in attrs.fields(kind)]
    elif hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields

        names = [field.name for field in fields(value)]
    elif hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_copy"):
        held = {**value.__dict__, **(value.__pydantic_extra__ or {})}
        return list(held.values()), lambda parts: value.model_copy(update=_changed(held, parts))
    else:
        return [], _nothing
    held = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return list(held.values()), lambda parts: _with_fields(value, _changed(held, parts))


def _changed(held: Mapping[str, Any], parts: list[Any]) -> dict[str, Any]:
    return {name: part for name, part in zip(held, parts, strict=True) if part is not held[name]}


def _with_fields(value: Any, fields: Mapping[str, Any]) -> Any:
    """A copy with other values in some fields, be it frozen or not."""
    new = copy.copy(value)
    for name, part in fields.items():
        object.__setattr__(new, name, part)
    return new
