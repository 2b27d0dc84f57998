"""Checking parameters against a schema, before there is a run that could fail on them.

A schema may come from an old or a foreign store. One that is broken, or that refers to what is not in it, checks nothing, parameter by
parameter: whoever asks for a run cannot mend it, and the run checks its parameters anyway when it starts. Nothing is ever fetched for a schema.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from headrace.errors import MissingParameter, UnknownParameter, WrongParameterType
from headrace.model.coercion import is_taken, shown

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_LONGEST_NAME = 120
_LONGEST_EXPECTED = 240
_MOST_ERRORS = 100
_WRITTEN_OTHERWISE: Mapping[str, type] = MappingProxyType({"boolean": bool, "integer": int, "number": float})
_OF_PLAIN = frozenset(("type", "format", "default"))
_SAID_IN_WORDS = frozenset("additionalProperties anyOf const enum format maxItems minItems oneOf required type uniqueItems".split())
"""Keywords whose demand `words` tells; of another, the library says what does not hold."""


def checked_parameters(where: str, schema: Mapping[str, Any], parameters: Mapping[str, Any], *, complete: bool = True) -> None:
    """Raises UnknownParameter, WrongParameterType or MissingParameter, in this order. Where they need not be complete, none is missing."""
    properties, required = schema.get("properties", {}), schema.get("required", ())
    if not isinstance(properties, Mapping):
        return
    others = True if schema.get("patternProperties") else schema.get("additionalProperties", True)
    unknown = [name for name in parameters if name not in properties]
    if unknown and others is False:
        raise UnknownParameter(where=where, name=unknown[0], known=tuple(properties))
    asked = {name: each for name, each in properties.items() if name in parameters} | dict.fromkeys(unknown, others)
    _check_types(where, schema, asked, parameters)
    names = required if complete and isinstance(required, (list, tuple)) else ()
    missing = next((name for name in names if isinstance(name, str) and name not in parameters), None)
    if missing is not None:
        raise MissingParameter(where=where, name=missing)


def _check_types(where: str, whole: Mapping[str, Any], asked: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    from headrace.wire.schema_words import demands_nothing  # it knows types that a start need not load

    demanding = {name: schema for name, schema in asked.items() if not demands_nothing(schema)}
    validator = _validator(whole) if demanding else None
    if validator is None:
        return
    for name, schema in demanding.items():
        wrong = _wrong(where, name, parameters[name], schema, validator)
        if wrong is not None:
            raise wrong


def _validator(whole: Mapping[str, Any]) -> "Validator | None":
    from jsonschema import Draft202012Validator, FormatChecker, validators  # takes 70 ms
    from referencing import Registry

    from headrace.wire.formats import FORMATS, fits

    formats = FormatChecker(formats=())
    for name in FORMATS:
        formats.checks(name)(partial(fits, name))
    own = {"type": partial(_type, Draft202012Validator.VALIDATORS["type"])}
    as_coercion = validators.extend(Draft202012Validator, own)  # type: ignore[no-untyped-call]
    try:
        validator: Validator = as_coercion(dict(whole), registry=Registry(), format_checker=formats)  # this registry fetches nothing
    except Exception:  # such as an $id that is no text
        return None
    return validator


def _type(judged: Any, validator: Any, names: Any, value: Any, schema: Any) -> Any:
    """JSON's type, or what coercion takes for it where nothing else is asked of the value: a text for a number, 1 for a truth."""
    kind = _WRITTEN_OTHERWISE.get(names) if isinstance(names, str) and schema.keys() <= _OF_PLAIN else None
    return () if kind is not None and is_taken(value, kind) else judged(validator, names, value, schema)


def _wrong(where: str, name: str, value: Any, schema: Any, validator: "Validator") -> WrongParameterType | None:
    """What is wrong with a value, if anything is."""
    try:
        error = _telling(islice(validator.evolve(schema=schema).iter_errors(value), _MOST_ERRORS))
        return _refusal(where, name, error, validator.schema) if error is not None else None
    except Exception:  # a broken schema raises anything; what is nested too deep for this, coercion refuses
        return None


def _telling(errors: "Iterable[ValidationError]") -> "ValidationError | None":
    """The error to speak of, chosen as coercion would: an unknown key first, then a missing one, then values in order.

    Of several choices, one that has the right shape says more by the fault inside than the list of all.
    """
    error = min(errors, key=_rank, default=None)
    if error is None or not error.context:
        return error
    choices: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        choices.setdefault(inner.schema_path[0], []).append(inner)
    candidates = [_telling(choice) for choice in choices.values()]
    telling = [each for each in candidates if each is not None and _says_more(each, error)]
    return telling[0] if len(telling) == 1 else error


def _rank(error: "ValidationError") -> int:
    return {"additionalProperties": 0, "required": 1}.get(str(error.validator), 2) if not error.path else 2


def _says_more(inner: "ValidationError", outer: "ValidationError") -> bool:
    is_deeper = len(inner.absolute_path) > len(outer.absolute_path)
    return is_deeper or inner.validator in ("additionalProperties", "required", "uniqueItems") or _is_of_key(inner)


def _is_of_key(error: "ValidationError") -> bool:
    """Whether it is of a key itself, and not of what is called `propertyNames`."""
    steps = [None, *error.absolute_schema_path]
    return any(step == "propertyNames" and before != "properties" for before, step in pairwise(steps))


def _refusal(where: str, name: str, error: "ValidationError", whole: Any) -> WrongParameterType:
    from headrace.wire.schema_words import words

    path, schema, given = "".join(map(_step, error.absolute_path)), error.schema, shown(error.instance)
    value: Any = error.instance
    if error.validator == "required":
        names: Any = error.validator_value
        missing = next(each for each in names if each not in value)
        path, schema, given = path + _step(missing), _of_fields(schema).get(missing, {}), "missing"
    elif error.validator == "additionalProperties":
        unknown = next(each for each in value if each not in _of_fields(schema))
        given = f"a dict with the unknown key {_cut(repr(unknown), 60)}"
    elif _is_of_key(error):
        path += f"[key {_cut(repr(error.instance), 60)}]"
    expected = words(schema, whole)
    if error.validator is not None and error.validator not in _SAID_IN_WORDS:
        expected = f"what its schema takes ({error.message})"
    return WrongParameterType(where=where, name=_cut(name + path, _LONGEST_NAME), expected=_cut(expected, _LONGEST_EXPECTED), given=given)


def _of_fields(schema: Any) -> Mapping[str, Any]:
    properties = schema.get("properties", {})
    return properties if isinstance(properties, Mapping) else {}


def _step(step: Any) -> str:
    """One step of a path: `.name` where that can be a name, else `['a text']` or `[2]`."""
    return f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{_cut(repr(step), 60)}]"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
