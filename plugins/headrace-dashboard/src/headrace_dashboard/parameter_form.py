"""A form for the parameters of a run, made from what its flow takes, and the values that somebody typed into it.

What is left as it was is not given, so that the deployment's own value, or the flow's default, holds. What is emptied is nothing (None) where that is taken,
an empty text where a text stood, and a fault elsewhere.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from headrace.errors import WrongParameterType
from headrace.model.deployments import Deployment
from headrace.wire.schema_types import branches, options_of, takes_text, type_names, types_taken
from headrace.wire.schema_words import demands_nothing, types_of, words
from headrace.wire.typed_json import MOST_NESTED, is_deeper, parsed
from headrace_dashboard.forms import Form

OTHERS = "others"
"""The field for parameters that have no name in the signature, as an object."""

_BY_FORMAT = {"date": "date", "date-time": "moment", "time": "time"}
_AS_THEY_STAND = ("text", "lines", "date", "moment", "time")
_LONGEST = 60


@attrs.frozen(kw_only=True)
class Field:
    """A field: which `kind` it is, what it takes in words, and what stands in it before (`given`) and now (`value`), as text.

    `options` are the texts to choose from, with what they are called. `must`: nobody else gives a value. `may_be_none`: nothing at all is taken.
    """

    name: str
    kind: str
    takes: str
    given: str
    value: str
    options: Sequence[tuple[str, str]] = ()
    must: bool = False
    may_be_none: bool = False
    description: str = ""

    @property
    def key(self) -> str:
        """What it is called in the form."""
        return f"parameter {self.name}" if self.name else OTHERS


def fields_of(deployment: Deployment, typed: Form) -> list[Field]:
    """A field for each parameter, in their order, with what was typed into it."""
    schema = deployment.parameter_schema
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    now = {name: text.replace("\r\n", "\n") for name, text in typed}
    fields = [_field(deployment, name, each, now) for name, each in properties.items()]
    if schema.get("additionalProperties", True) is not False or schema.get("patternProperties"):
        others = {name: value for name, value in deployment.parameters.items() if name not in properties}
        given = _as_text("json", others) if others else ""
        words_ = "an object of values by name" if properties else "all parameters: an object of values by name"
        fields.append(Field(name="", kind="json", takes=words_, given=given, value=now.get(OTHERS, given)))
    return fields


def _field(deployment: Deployment, name: str, schema: Any, now: Mapping[str, str]) -> Field:
    whole = deployment.parameter_schema
    has_own = name in deployment.parameters
    default = schema.get("default") if isinstance(schema, Mapping) else None
    before = deployment.parameters[name] if has_own else default
    kind, options = _kind(schema, whole)
    if kind == "text" and isinstance(before, str) and "\n" in before:
        kind = "lines"
    if kind == "moment" and isinstance(before, str) and not _is_wall(before):
        kind = "text"
    given = "" if before is None else _as_text(kind, before)
    field = Field(
        name=name,
        kind=kind,
        takes=words(schema, whole),
        given=given,
        value=given,
        options=[(_as_text("choice", each), each if isinstance(each, str) else json.dumps(each)) for each in options],
        must=not has_own and name in whole.get("required", ()),
        may_be_none="null" in types_taken(schema, whole),
        description=str(schema.get("description", "")) if isinstance(schema, Mapping) else "",
    )
    return attrs.evolve(field, value=now.get(field.key, given))


def _kind(schema: Any, whole: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Which kind of field it is, and what may be chosen."""
    if demands_nothing(schema):
        return "json", []
    found = [each for each in branches(schema, whole) if each.get("type") != "null" and each.get("const", 0) is not None]
    listed = [options_of(each) for each in found]
    if found and all(each is not None for each in listed):
        return "choice", [option for each in listed if each is not None for option in each if option is not None]
    plain = [each for each in found if options_of(each) is None]
    types = types_of(plain[0]) if len(plain) == 1 else []
    if types == ["number"] and len(found) <= 2:  # beside it may stand those that JSON has no number for
        return "number", []
    if len(found) > 1:
        return "json", []
    if types == ["boolean"]:
        return "choice", [True, False]
    if types == ["integer"]:
        return "integer", []
    return (_BY_FORMAT.get(str(plain[0].get("format")), "text"), []) if types == ["string"] else ("json", [])


def _is_wall(text: str) -> bool:
    """Whether it is a moment as a browser's field for it takes it, without an offset."""
    return len(text) <= len("2026-01-01T00:00:00") and text[10:11] == "T"


def _as_text(kind: str, value: Any) -> str:
    if isinstance(value, str) and kind not in ("choice", "json"):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if kind != "json" or len(text) <= _LONGEST else json.dumps(value, ensure_ascii=False, indent=2)


def parameters_of(deployment: Deployment, form: Form) -> dict[str, Any]:
    """The values that were typed, by name. Raises WrongParameterType for what cannot be read; whether they fit, who makes the run says."""
    where = f"deployment {deployment.full_name!r}"
    found: dict[str, Any] = {}
    for field in fields_of(deployment, form):
        schema = deployment.parameter_schema.get("properties", {}).get(field.name, {}) if field.name else {"type": "object"}
        if field.value != field.given:
            value = _read(where, field, schema, deployment.parameter_schema)
            found |= value if not field.name else {field.name: value}
        elif field.must and field.may_be_none and not field.value:
            found[field.name] = None
    return found


def _read(where: str, field: Field, schema: Any, whole: Mapping[str, Any]) -> Any:
    name = field.name or OTHERS
    text = field.value if field.kind in _AS_THEY_STAND else field.value.strip()
    if not text and field.name:
        if field.may_be_none:
            return None
        if field.kind in ("text", "lines") and takes_text(schema, "", whole):
            return ""
    if not text and not field.name:
        return {}
    if field.kind in _AS_THEY_STAND:
        return text
    try:
        value = parsed(text)
    except ValueError as error:
        if text and takes_text(schema, text, whole):
            return text
        given = f"{_cut(text)!r}, which is no JSON ({error})" if text and field.kind == "json" else repr(_cut(text)) if text else "nothing"
        raise WrongParameterType(where=where, name=name, expected=field.takes, given=given) from None
    if is_deeper(value, MOST_NESTED):
        raise WrongParameterType(where=where, name=name, expected=f"nested {MOST_NESTED} levels deep at most", given="deeper")
    if not field.name and not isinstance(value, dict):
        raise WrongParameterType(where=where, name=name, expected=field.takes, given=_cut(text))
    return value if type_names(value) & types_taken(schema, whole) or not takes_text(schema, text, whole) else text


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
