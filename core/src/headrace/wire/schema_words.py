"""What a JSON schema asks for, in the words in which coercion speaks of annotations."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from headrace.model.coercion import said
from headrace.wire.formats import FORMATS

_TYPES: Mapping[str, Any] = MappingProxyType(
    {"null": None, "boolean": bool, "integer": int, "number": float, "string": str, "array": list, "object": dict}
)
_REMARKS = frozenset({"$comment", "default", "deprecated", "description", "examples", "title"})
_MOST_STEPS = 50
_MOST_DEPTH = 3
"""How far words go into a schema, which may contain itself."""


def demands_nothing(schema: Any) -> bool:
    """Whether it accepts everything, as far as one sees at a glance."""
    return schema is True or (isinstance(schema, Mapping) and schema.keys() <= _REMARKS)


def followed(schema: Any, whole: Mapping[str, Any]) -> Any:
    """The schema itself, or the definition in the whole that it refers to; `{}` where that leads nowhere."""
    for _ in range(_MOST_STEPS):
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        schema = _found(schema["$ref"], whole)
    return {}


def _found(reference: Any, whole: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return {}
    for step in reference.removeprefix("#/").split("/"):
        whole = whole.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(whole, Mapping) else {}
    return whole


def words(schema: Any, whole: Mapping[str, Any]) -> str:
    """What is asked for: "a whole number (int) or nothing (None)", "an Address with street, number"."""
    return _words(schema, whole, _MOST_DEPTH)


def _words(schema: Any, whole: Mapping[str, Any], depth: int) -> str:
    schema = followed(schema, whole)
    if not depth:
        return "…"
    if not isinstance(schema, Mapping):
        return "nothing at all" if schema is False else "anything"
    choices = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(choices, list) and choices:
        return " or ".join(dict.fromkeys(_words(choice, whole, depth - 1) for choice in choices))
    if "const" in schema:
        return said(None) if schema["const"] is None else repr(schema["const"])
    if isinstance(schema.get("enum"), list):
        return f"one of {', '.join(map(repr, schema['enum']))}"
    if isinstance(schema.get("format"), str) and schema["format"] in FORMATS:
        return said(FORMATS[schema["format"]])
    return " or ".join(_of_type(kind, schema, whole, depth) for kind in types_of(schema)) or "anything"


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """The JSON types that are named; none where any is taken."""
    kinds = schema.get("type")
    named = kinds if isinstance(kinds, list) else [kinds]
    return [kind for kind in named if isinstance(kind, str) and kind in _TYPES]


def _of_type(kind: str, schema: Mapping[str, Any], whole: Mapping[str, Any], depth: int) -> str:
    if kind == "object":
        return _of_object(schema, whole, depth)
    if kind != "array":
        return said(_TYPES[kind])
    if "minItems" in schema or "maxItems" in schema:
        return f"a list of {_count(schema.get('minItems', 0), schema.get('maxItems'))}"
    listed = "a list without doubles" if schema.get("uniqueItems") is True else "a list"
    return listed + _each("item", schema.get("items", True), whole, depth)


def _of_object(schema: Mapping[str, Any], whole: Mapping[str, Any], depth: int) -> str:
    title, properties = schema.get("title"), schema.get("properties")
    if isinstance(title, str) and isinstance(properties, Mapping):
        return f"{'an' if title[:1].lower() in 'aeiou' else 'a'} {title} with {', '.join(map(str, properties)) or 'no fields'}"
    return "a dict" + _each("value", schema.get("additionalProperties", True), whole, depth)


def _each(what: str, schema: Any, whole: Mapping[str, Any], depth: int) -> str:
    asked = followed(schema, whole)
    return "" if asked is False or demands_nothing(asked) else f", each {what} {_words(asked, whole, depth - 1)}"


def _count(least: Any, most: Any) -> str:
    if most is None or least == most:
        return f"{least} {'item' if least == 1 else 'items'}{' or more' if most is None else ''}"
    return f"{least} to {most} items"
