"""Which values a JSON schema takes, as far as a glance at it tells: what is typed is read by that."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from headrace.wire.schema_words import followed, types_of

_NAMES: Mapping[type, str] = MappingProxyType(
    {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
)
_EVERY = frozenset(_NAMES.values())
_EXAMPLES: Mapping[str, Any] = MappingProxyType({"integer": 3, "number": 1.5, "boolean": True, "string": "…"})
_MOST_DEPTH = 5


def branches(schema: Any, whole: Mapping[str, Any], depth: int = _MOST_DEPTH) -> list[Mapping[str, Any]]:
    """The schemas of which one must hold; `{}` for what is not understood."""
    schema = followed(schema, whole)
    if not isinstance(schema, Mapping) or not depth:
        return [{}]
    choices = schema.get("anyOf", schema.get("oneOf"))
    if not isinstance(choices, list) or not choices:
        return [schema]
    return [branch for choice in choices for branch in branches(choice, whole, depth - 1)]


def types_taken(schema: Any, whole: Mapping[str, Any]) -> frozenset[str]:
    """The JSON types of what is taken; a text that is the exact form of a number goes before the number."""
    return frozenset[str]().union(*map(_types_of_branch, branches(schema, whole)))


def _types_of_branch(branch: Mapping[str, Any]) -> frozenset[str]:
    options = options_of(branch)
    if options is not None:
        return frozenset[str]().union(*map(type_names, options))
    taken = frozenset(types_of(branch)) or _EVERY
    return taken - {"integer", "number"} if "format" in branch and "string" in types_of(branch) else taken


def takes_text(schema: Any, text: str, whole: Mapping[str, Any]) -> bool:
    """Whether a text is taken as it stands."""
    return any("string" in _types_of_branch(branch) and text in (options_of(branch) or [text]) for branch in branches(schema, whole))


def options_of(branch: Mapping[str, Any]) -> list[Any] | None:
    """The values of which it must be one, where they are told."""
    options = [branch["const"]] if "const" in branch else branch.get("enum")
    return options if isinstance(options, list) else None


def type_names(value: Any) -> frozenset[str]:
    """The JSON types of a value; a whole number is a number too, however it is written."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return frozenset({_NAMES[type(value)]})
    return frozenset({"integer", "number"}) if value == int(value) else frozenset({"number"})


def example(schema: Any, whole: Mapping[str, Any], depth: int = _MOST_DEPTH) -> Any:
    """A value that is taken, as far as a glance at the schema tells."""
    branch = min(branches(schema, whole), key=lambda each: _weight(each, inside=depth < _MOST_DEPTH))
    options = options_of(branch)
    if options or not depth:
        return options[0] if options else None
    kind = _kind(branch)
    if kind == "array":
        items = branch.get("prefixItems")
        return [example(item, whole, depth - 1) for item in (items if isinstance(items, list) else [branch.get("items")])]
    if kind == "object":
        fields, required = branch.get("properties"), branch.get("required")
        fields = fields if isinstance(fields, Mapping) else {"a": branch.get("additionalProperties")}
        needed = [name for name in fields if name in required] if isinstance(required, list) else fields
        return {name: example(fields[name], whole, depth - 1) for name in needed}
    return _EXAMPLES.get(kind)


def _weight(branch: Mapping[str, Any], *, inside: bool) -> int:
    """The lighter, the better an example: nothing at all shows little, unless it ends something that may contain itself."""
    return {"null": 1 if inside else 3, "array": 2, "object": 2}.get(_kind(branch), 0)


def _kind(branch: Mapping[str, Any]) -> str:
    return next(iter(types_of(branch)), "string")
