"""Parameters as they are typed: `--param name=value`, several times, and `--params JSON`.

How the value of a `--param` is read, its schema says:

* where only texts are taken (str, datetime, Path, the texts of a Literal), it is that text, as it stands;
* where no text is taken (int, bool, list, a dataclass), it is JSON;
* where both are (`str | int`, `str | None`, Any), it is JSON if it is JSON of a type that is taken, else a text: `3` is a number and `null` is
  None, `three` is a text, and so is `"3"`, without the quotation marks;
* where a text is the exact form of a number (Decimal, timedelta), it is that text, so that no digit is lost.

What is JSON, but of a type that is not taken, is left as it is: whoever makes the run says what is wrong, and where in the value.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

import click

from headrace.cli import show
from headrace.cli.typed_json import DoubleKey, parsed
from headrace.wire.schema_words import followed, types_of, words

_NAMES: Mapping[type, str] = MappingProxyType(
    {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
)
_EVERY = frozenset(_NAMES.values())
_EXAMPLES: Mapping[str, Any] = MappingProxyType({"integer": 3, "number": 1.5, "boolean": True, "string": "…"})
_MOST_DEPTH = 5
_LONGEST = 60
_LONGEST_EXAMPLE = 200
_MOST_NESTED = 100
"""How deep a value may go; what is deeper, whoever keeps it and whoever reads it could fail at."""

_TOO_DEEP = f"is nested more than {_MOST_NESTED} levels deep; put what it holds into a file, and give its place"
_BARE_NUMBER = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)\.([0-9]*)((?:[eE][+-]?[0-9]+)?)")
"""A number as most languages take it, with a digit on one side of its point at least; JSON wants one on both."""


def typed(schema: Mapping[str, Any], pairs: Sequence[str], whole: str | None) -> dict[str, Any]:
    """The parameters by name; a `--param` goes over what `--params` has under its name. Raises click.UsageError."""
    given = _object(whole) if whole is not None else {}
    for name in given:
        _asked(schema, name, "--params")
    texts = _by_name(pairs)
    given |= {name: _read(name, text, _asked(schema, name, f"--param {name}=…"), schema) for name, text in texts.items()}
    for name, value in given.items():
        _check_that_it_can_be_kept(name, value)
    return given


def _object(text: str) -> dict[str, Any]:
    try:
        given = parsed(text)
    except DoubleKey as error:
        raise click.BadParameter(f"{error}; write it once", param_hint="--params") from None
    except ValueError as error:
        raise click.BadParameter(f"it is no JSON ({error}); write an object, e.g. --params '{{\"n\": 3}}'", param_hint="--params") from None
    if not isinstance(given, dict):
        raise click.BadParameter("it is no object by name; write e.g. --params '{\"n\": 3}'", param_hint="--params")
    return given


def _by_name(pairs: Sequence[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{_cut(pair)!r} has no {'name' if equals else '='}; write NAME=VALUE", param_hint="--param")
        if name in texts:
            raise click.BadParameter(f"{name!r} is given twice; give it once", param_hint="--param")
        texts[name] = text
    return texts


def _asked(schema: Mapping[str, Any], name: str, where: str) -> Any:
    """The schema of a parameter."""
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if not isinstance(properties, Mapping):
        return {}
    if name in properties:
        return properties[name]
    if others is False and not schema.get("patternProperties"):
        raise click.UsageError(f"{where}: there is no parameter {name!r}{show.near(name, list(properties))}")
    return others


# Reading


def _read(name: str, text: str, schema: Any, whole: Mapping[str, Any]) -> Any:
    taken = _types(schema, whole)
    if taken == {"string"}:
        return text
    try:
        value = parsed(text)
    except DoubleKey as error:
        kind = "array" if text.lstrip().startswith("[") else "object"
        if kind not in taken and _takes_text(schema, text, whole):
            return text
        raise click.UsageError(f"--param {name}={_cut(text)}: {error}; write it once") from None
    except ValueError:
        return text if _takes_text(schema, text, whole) else _refuse(name, text, schema, whole)
    if _type_names(value) & taken or not _takes_text(schema, text, whole):
        return value
    return text


def _refuse(name: str, text: str, schema: Any, whole: Mapping[str, Any]) -> NoReturn:
    number = _BARE_NUMBER.fullmatch(text)
    if number is not None and "number" in _types(schema, whole):
        written = f"{number[1].strip('+')}{number[2] or '0'}.{number[3] or '0'}{number[4]}"
        raise click.UsageError(f"--param {name}={_cut(text)}: JSON has no such number; write {written}")
    example = f"{name}={shlex.quote(json.dumps(_example(schema, whole), ensure_ascii=False))}"
    advice = f", e.g. {example}" if len(example) <= _LONGEST_EXAMPLE else ""
    raise click.UsageError(f"--param {name}={_cut(text)}: parameter {name!r} takes {words(schema, whole)}; write a JSON value{advice}")


def _check_that_it_can_be_kept(name: str, value: Any) -> None:
    try:
        json.dumps({name: value}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        why = "has a text that UTF-8 cannot hold; write it in the encoding of your terminal"
    except RecursionError:
        why = _TOO_DEEP
    else:
        if not _is_deeper(value, _MOST_NESTED):
            return
        why = _TOO_DEEP
    raise click.UsageError(f"parameter {name!r} {why}")


def _is_deeper(value: Any, levels: int) -> bool:
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(each, levels - 1) for each in held)


# What a schema takes


def _branches(schema: Any, whole: Mapping[str, Any], depth: int = _MOST_DEPTH) -> list[Mapping[str, Any]]:
    """The schemas of which one must hold; `{}` for what is not understood."""
    schema = followed(schema, whole)
    if not isinstance(schema, Mapping) or not depth:
        return [{}]
    choices = schema.get("anyOf", schema.get("oneOf"))
    if not isinstance(choices, list) or not choices:
        return [schema]
    return [branch for choice in choices for branch in _branches(choice, whole, depth - 1)]


def _types(schema: Any, whole: Mapping[str, Any]) -> frozenset[str]:
    return frozenset[str]().union(*map(_types_of, _branches(schema, whole)))


def _types_of(branch: Mapping[str, Any]) -> frozenset[str]:
    options = _options(branch)
    if options is not None:
        return frozenset[str]().union(*map(_type_names, options))
    taken = frozenset(types_of(branch)) or _EVERY
    return taken - {"integer", "number"} if "format" in branch and "string" in types_of(branch) else taken


def _takes_text(schema: Any, text: str, whole: Mapping[str, Any]) -> bool:
    branches = _branches(schema, whole)
    return any("string" in _types_of(branch) and text in (_options(branch) or [text]) for branch in branches)


def _options(branch: Mapping[str, Any]) -> list[Any] | None:
    options = [branch["const"]] if "const" in branch else branch.get("enum")
    return options if isinstance(options, list) else None


def _type_names(value: Any) -> frozenset[str]:
    """A whole number is a number too, however it is written."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return frozenset({_NAMES[type(value)]})
    return frozenset({"integer", "number"}) if value == int(value) else frozenset({"number"})


def _example(schema: Any, whole: Mapping[str, Any], depth: int = _MOST_DEPTH) -> Any:
    """A value that is taken, as far as a glance at the schema tells."""
    branch = min(_branches(schema, whole), key=lambda each: _weight(each, inside=depth < _MOST_DEPTH))
    options = _options(branch)
    if options or not depth:
        return options[0] if options else None
    kind = _kind(branch)
    if kind == "array":
        items = branch.get("prefixItems")
        return [_example(item, whole, depth - 1) for item in (items if isinstance(items, list) else [branch.get("items")])]
    if kind == "object":
        fields, required = branch.get("properties"), branch.get("required")
        fields = fields if isinstance(fields, Mapping) else {"a": branch.get("additionalProperties")}
        needed = [name for name in fields if name in required] if isinstance(required, list) else fields
        return {name: _example(fields[name], whole, depth - 1) for name in needed}
    return _EXAMPLES.get(kind)


def _weight(branch: Mapping[str, Any], *, inside: bool) -> int:
    """The lighter, the better an example: nothing at all shows little, unless it ends something that may contain itself."""
    return {"null": 1 if inside else 3, "array": 2, "object": 2}.get(_kind(branch), 0)


def _kind(branch: Mapping[str, Any]) -> str:
    return next(iter(types_of(branch)), "string")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
