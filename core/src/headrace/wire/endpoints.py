"""Endpoints: the operations of the client port as they travel, derived from its table and its signatures.

A call has its arguments by name: those that the path names stand there, the others in a JSON object, or, with GET and DELETE, in the query, where one
that has fields is JSON. A path may name a field of an argument; the object may then leave it out. The answer is `{"result": ...}`, and `warnings` where
fields were not known.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from inspect import Parameter
from types import MappingProxyType
from typing import Any, get_type_hints
from urllib.parse import quote

import attrs

from headrace.errors import WrongData, WrongParameterType
from headrace.model.coercion import coerced
from headrace.ports.client import OpenClient, Operation, operations
from headrace.wire.plain import from_plain, to_plain
from headrace.wire.received import received

NO_DEFAULT = Parameter.empty
"""The default of an argument that must be given."""


@attrs.frozen(kw_only=True)
class Place:
    """Where a path has something of a call: an argument, or a `field` of one."""

    argument: str
    field: str = ""

    @property
    def name(self) -> str:
        """What it is called in the path."""
        return self.field or self.argument


@attrs.frozen(kw_only=True)
class Call:
    """A call as it travels; `body` is None where it has none."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any] | None


@attrs.frozen(kw_only=True)
class Endpoint:
    """One operation as it travels. `arguments` are the types by name, `defaults` what need not be given, `meaning` its docstring."""

    operation: Operation
    arguments: Mapping[str, Any]
    defaults: Mapping[str, Any]
    result: Any
    meaning: str
    places: tuple[Place, ...]

    @property
    def path(self) -> str:
        """The path with the names of its places in braces."""
        return re.sub(r"\{[^}]*\.", "{", self.operation.path)

    @property
    def is_asked_in_query(self) -> bool:
        """Whether arguments stand in the query, since the method has no body."""
        return self.operation.method in ("GET", "DELETE")

    @property
    def outside_path(self) -> Mapping[str, Any]:
        """The types of the arguments that stand in the body or the query."""
        inside = {place.argument for place in self.places if not place.field}
        return {name: kind for name, kind in self.arguments.items() if name not in inside}

    # At who asks

    def call(self, arguments: Mapping[str, Any]) -> Call:
        """The call of these arguments."""
        path = re.sub(r"\{([^}]*)\}", lambda found: _in_path(found[1], arguments), self.operation.path)
        others = {name: arguments[name] for name in self.outside_path if name in arguments}
        if self.is_asked_in_query:
            query = {name: _as_text(value) for name, value in others.items() if value is not None}
            return Call(method=self.operation.method, path=path, query=query, body=None)
        return Call(method=self.operation.method, path=path, query={}, body={name: to_plain(value) for name, value in others.items()})

    def result_of(self, answer: Any) -> Any:
        """What the call gave. Raises WrongData."""
        if not isinstance(answer, Mapping) or "result" not in answer:
            raise WrongData(where=f"the answer to {self.operation.name}", why="it has no result")
        return None if self.result in (None, type(None)) else from_plain(self.result, answer["result"])

    # At who answers

    def arguments_of(self, in_path: Mapping[str, str], query: Mapping[str, str], body: Any) -> tuple[dict[str, Any], list[str]]:
        """The arguments, and the names of what is not known of all that was sent. Raises WrongData."""
        given = dict(query) if self.is_asked_in_query else _object(body)
        unknown = [name for name in given if name not in self.outside_path]
        for place in self.places:
            _put(place, in_path[place.name], given)
        arguments: dict[str, Any] = {}
        for name, kind in self.arguments.items():
            if name not in given:
                arguments[name] = self._default(name)
            else:
                is_text = isinstance(given[name], str) and (self.is_asked_in_query or name in in_path)
                value = _of_text(name, given[name], kind) if is_text else given[name]
                arguments[name], more = received(kind, value, where=name)
                unknown += more
        return arguments, unknown

    def _default(self, name: str) -> Any:
        if name not in self.defaults:
            raise WrongData(where=name, why="it is missing")
        return self.defaults[name]

    def answer(self, result: Any, unknown: list[str]) -> dict[str, Any]:
        """What the call is answered with."""
        warnings = [f"{name} is not known here and was ignored" for name in unknown]
        return {"result": to_plain(result)} | ({"warnings": warnings} if warnings else {})


def _in_path(written: str, arguments: Mapping[str, Any]) -> str:
    """What stands in a path at a place, quoted; also where it is `..`, which would be taken for the way up. Raises WrongData."""
    name, _, field = written.partition(".")
    text = str(getattr(arguments[name], field) if field else arguments[name])
    if not text:
        raise WrongData(where=field or name, why="it must not be empty")
    try:
        return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")
    except UnicodeEncodeError:
        raise WrongData(where=field or name, why=f"{text!r} is no text that UTF-8 can hold") from None


def _as_text(value: Any) -> str:
    return json.dumps(to_plain(value), separators=(",", ":")) if attrs.has(type(value)) else str(value)


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise WrongData(where="the body", why="it must be a JSON object with the arguments by name")
    return dict(body)


def _put(place: Place, text: str, given: dict[str, Any]) -> None:
    """Puts what the path says where it belongs. Raises WrongData where the body says something else."""
    if not place.field:
        given[place.argument] = text
        return
    whole = given.get(place.argument)
    if not isinstance(whole, dict):
        return  # what is wrong with it is said when it is read
    if whole.setdefault(place.field, text) != text:
        raise WrongData(where=f"{place.argument}.{place.field}", why=f"it is not what the path says, which is {text!r}")


def _of_text(name: str, text: str, kind: Any) -> Any:
    try:
        return json.loads(text) if attrs.has(kind) else coerced(text, kind, where="the call", name=name)
    except WrongParameterType as error:
        raise WrongData(where=name, why=f"it must be {error.expected}, not {error.given}") from None
    except (ValueError, RecursionError):
        raise WrongData(where=name, why="it must be a JSON object") from None


@cache
def endpoints(port: type = OpenClient) -> Mapping[str, Endpoint]:
    """All of them by the names of their operations, in the order of the port."""
    return MappingProxyType({name: _endpoint(port, found) for name, found in operations(port).items()})


def _endpoint(port: type, operation: Operation) -> Endpoint:
    method = getattr(port, operation.name)
    types = get_type_hints(method)
    result = types.pop("return")
    return Endpoint(
        operation=operation,
        arguments=MappingProxyType(types),
        defaults=MappingProxyType(dict(_defaults(method, types))),
        result=result,
        meaning=inspect.cleandoc(method.__doc__ or ""),
        places=tuple(_places(operation.path)),
    )


def _defaults(method: Any, types: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the signature says, and values whose fields all have defaults."""
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is not NO_DEFAULT:
            yield name, parameter.default
        elif name in types and attrs.has(kind := types[name]) and all(field.default is not attrs.NOTHING for field in attrs.fields(kind)):
            yield name, kind()


def _places(path: str) -> Iterator[Place]:
    for written in re.findall(r"\{([^}]*)\}", path):
        argument, _, field = written.partition(".")
        yield Place(argument=argument, field=field)
