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
from typing import Any, NoReturn

import click

from headrace.cli import show
from headrace.wire.schema_types import example, takes_text, type_names, types_taken
from headrace.wire.schema_words import words
from headrace.wire.typed_json import MOST_NESTED, DoubleKey, is_deeper, parsed

_LONGEST = 60
_LONGEST_EXAMPLE = 200
_TOO_DEEP = f"is nested more than {MOST_NESTED} levels deep; put what it holds into a file, and give its place"
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
    taken = types_taken(schema, whole)
    if taken == {"string"}:
        return text
    try:
        value = parsed(text)
    except DoubleKey as error:
        kind = "array" if text.lstrip().startswith("[") else "object"
        if kind not in taken and takes_text(schema, text, whole):
            return text
        raise click.UsageError(f"--param {name}={_cut(text)}: {error}; write it once") from None
    except ValueError:
        return text if takes_text(schema, text, whole) else _refuse(name, text, schema, whole)
    if type_names(value) & taken or not takes_text(schema, text, whole):
        return value
    return text


def _refuse(name: str, text: str, schema: Any, whole: Mapping[str, Any]) -> NoReturn:
    number = _BARE_NUMBER.fullmatch(text)
    if number is not None and "number" in types_taken(schema, whole):
        written = f"{number[1].strip('+')}{number[2] or '0'}.{number[3] or '0'}{number[4]}"
        raise click.UsageError(f"--param {name}={_cut(text)}: JSON has no such number; write {written}")
    given = f"{name}={shlex.quote(json.dumps(example(schema, whole), ensure_ascii=False))}"
    advice = f", e.g. {given}" if len(given) <= _LONGEST_EXAMPLE else ""
    raise click.UsageError(f"--param {name}={_cut(text)}: parameter {name!r} takes {words(schema, whole)}; write a JSON value{advice}")


def _check_that_it_can_be_kept(name: str, value: Any) -> None:
    try:
        json.dumps({name: value}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        why = "has a text that UTF-8 cannot hold; write it in the encoding of your terminal"
    except RecursionError:
        why = _TOO_DEEP
    else:
        if not is_deeper(value, MOST_NESTED):
            return
        why = _TOO_DEEP
    raise click.UsageError(f"parameter {name!r} {why}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
