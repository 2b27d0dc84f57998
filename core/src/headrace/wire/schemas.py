"""JSON Schema (2020-12) of what a flow takes, from its signature.

The rule: what a schema accepts, coercion takes, so that a run which was accepted does not end on its parameters. A schema asks for the type that
JSON has for a value; where JSON has none (moments, paths, keys of an object, infinity) a text is that type, and `formats` says which texts.
`checking` then takes what coercion takes for a bare number or truth: `"3"`, `"true"`, 1. So coercion takes these and a schema does not:

* a negative number or unnamed bits for a flag;
* for `**kwargs: Unpack[...]`, values under the name `kwargs` where some are required: they are given by their own names;
* what pydantic takes beside what it says it takes.

And a schema cannot say these, so they are left to coercion, which comes again when the run starts:

* a class's own checks, and what pydantic's types check beyond their schemas;
* that items of a set or keys of a dict which differ in JSON become equal once they are read, or have no hash;
* that a number is written as 1 and not as 1.0, where it is an option of a Literal or asked with isinstance; the gaps in a flag's bits.

A schema without a demand (`{}`, or a description alone) accepts everything: the annotation says nothing, nothing that JSON could hold, or is an
enum that finds members by code of its own.
"""

import copy
import enum
import json
import operator
import re
import sys
import types
import warnings
from abc import ABCMeta
from collections import abc
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from inspect import _ParameterKind as Kind
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Final, Literal, NewType, NotRequired, Required, Union, get_args, get_origin
from uuid import UUID

from headrace.model.coercion import coerced, said, says_nothing
from headrace.model.parameters import NO_DEFAULT, Parameter, Signature
from headrace.model.records import field_annotation, is_record, is_typed_dict, record_fields
from headrace.wire.formats import FORMATS

Schema = dict[str, Any]

_MOST_DEPTH = 20
_PATH: Schema = {"type": "string", "format": "path"}
_PLAIN: Mapping[type, Schema] = types.MappingProxyType(
    {
        types.NoneType: {"type": "null"},
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        float: {"anyOf": [{"type": "number", "format": "double"}, {"enum": ["inf", "-inf", "nan"]}]},
        complex: {"type": ["number", "string"], "format": "complex"},
        str: {"type": "string"},
        bytes: {"type": "string", "format": "utf-8"},
        Decimal: {"type": ["number", "string"], "format": "decimal"},
        datetime: {"type": "string", "format": "date-time"},
        date: {"type": "string", "format": "date"},
        time: {"type": "string", "format": "time"},
        timedelta: {"type": ["number", "string"], "format": "duration"},
        Path: _PATH,
        PurePath: _PATH,
        PurePosixPath: _PATH,
        PureWindowsPath: _PATH,
        UUID: {"type": "string", "format": "uuid"},
    }
)
_AS_KEY: Mapping[type, Schema] = types.MappingProxyType(
    {bool: {"format": "boolean"}, int: {"format": "integer"}, float: {"format": "double"}, str: {}}
)
"""Where a key, which is a text in JSON, is not what it would be as a value."""

_JSON_TYPES: Mapping[str, type] = types.MappingProxyType(
    {"null": types.NoneType, "boolean": bool, "integer": int, "number": float, "string": str, "array": list, "object": dict}
)
_WITH_HASH = ["null", "boolean", "number", "string"]


def parameter_schema(signature: Signature, *, validated: bool = True) -> Schema:
    """What a flow takes, as an object by name, in order; where it is not `validated`, names alone are told.

    As in `Signature.filled`, every parameter has its name here, `*args` and `**kwargs` too.
    """
    writer = _Writer()
    properties = {each.name: _parameter(writer, each) if validated else {} for each in signature.parameters}
    required = [each.name for each in signature.parameters if each.required]
    others: Schema | bool = False
    extra = next((each.annotation for each in signature.parameters if each.kind is Kind.VAR_KEYWORD), None)
    if extra is not None and not validated:
        others = {}
    elif isinstance(extra, type) and is_typed_dict(extra):
        fields = {name: field for name, field in record_fields(extra).items() if name not in properties}
        properties |= {name: writer.careful(field.annotation) for name, field in fields.items()}
        required += [name for name, field in fields.items() if field.required]
    elif extra is not None:
        others = writer.careful(_each_of(extra))
    whole = {"title": "Parameters", "type": "object", "properties": properties, "required": required, "additionalProperties": others}
    return {**whole, "$defs": writer.definitions} if writer.definitions else whole


def _each_of(collected: Any) -> Any:
    """What each value of `**kwargs` must be."""
    return get_args(collected)[1] if get_origin(collected) is dict else Any


def _parameter(writer: "_Writer", parameter: Parameter) -> Schema:
    schema, default = writer.careful(parameter.annotation), parameter.default
    if default is NO_DEFAULT:
        return schema
    if (default is None or default is True or default is False) and not _takes(parameter.annotation, default):
        schema = _any_of([schema, {"const": default}])  # the very default is not coerced, and these three are the same object everywhere
    return {**schema, "default": copy.deepcopy(default)} if _is_plain(default) else schema


def _takes(annotation: Any, value: Any) -> bool:
    try:
        coerced(value, annotation, where="", name="")
    except Exception:  # what a class of somebody's raises, beside refusals
        return False
    return True


def _is_plain(value: Any, depth: int = _MOST_DEPTH) -> bool:
    """Whether it is JSON as it stands."""
    kind = type(value)
    if kind is list and depth:
        return all(_is_plain(item, depth - 1) for item in value)
    if kind is dict and depth:
        return all(type(key) is str and _is_plain(item, depth - 1) for key, item in value.items())
    return kind in (str, int, bool, types.NoneType) or (kind is float and value - value == 0)


class _Writer:
    """Writes the schemas of one signature. Records and aliases, which may contain themselves, are written once, as definitions.

    Inside, None is the schema of what no JSON can be, and `{}` of what may be anything.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}

    def careful(self, annotation: Any) -> Schema:
        """The schema, or none that demands anything if the annotation is too odd to have one; nothing is left of the attempt then."""
        definitions, names = dict(self.definitions), dict(self._names)
        try:
            return self._always(annotation)
        except Exception:  # an annotation is whatever somebody wrote, and its classes may have code of their own
            self.definitions, self._names = definitions, names
            return {}

    def _always(self, annotation: Any) -> Schema:
        schema = self._of(annotation)
        return {"description": f"{said(annotation)}, which JSON cannot hold"} if schema is None else schema

    def _of(self, annotation: Any, *, as_key: bool = False) -> Schema | None:
        """The walk of `coercion`, with a schema at its end."""
        origin = get_origin(annotation)
        if annotation is Any or annotation is object:
            return {}
        if origin is Union or origin is types.UnionType:
            members = [self._of(member, as_key=as_key) for member in get_args(annotation)]
            possible = [member for member in members if member is not None]
            return _any_of(possible) if possible else None
        if origin is Literal:
            return _one_of(annotation)
        if origin in (Annotated, Required, NotRequired, Final):
            return self._of(get_args(annotation)[0], as_key=as_key)
        if isinstance(annotation, NewType):
            return self._of(annotation.__supertype__, as_key=as_key)
        if type(annotation).__name__ == "TypeAliasType":
            if as_key:
                return self._of(annotation.__value__, as_key=True)
            return self._defined(annotation, annotation.__name__, lambda _: self._of(annotation.__value__))
        kind = types.NoneType if annotation is None else origin or annotation
        if not isinstance(kind, type):
            return {}
        if as_key and kind in _AS_KEY:
            return dict(_AS_KEY[kind])
        return self._of_class(kind, annotation)

    def _of_class(self, kind: type, annotation: Any) -> Schema | None:
        parts = get_args(annotation)
        if kind in _PLAIN:
            return copy.deepcopy(_PLAIN[kind])
        if kind is re.Pattern:
            return None if parts == (bytes,) else {"type": "string", "format": "regex"}
        if kind in _COLLECTIONS:
            return _COLLECTIONS[kind](self, *parts)
        if is_typed_dict(kind):
            return self._record(kind, annotation)
        if issubclass(kind, enum.Enum):
            return _members(kind)
        if "pydantic" in sys.modules and hasattr(kind, "__get_pydantic_core_schema__"):
            return self._defined(annotation, kind.__name__, lambda name: _by_pydantic(annotation, name))
        return self._record(kind, annotation) if is_record(kind) else _of_instances(kind)

    # Collections

    def list_of(self, item: Any = Any) -> Schema:
        """Any list."""
        return _with_parts({"type": "array"}, items=self._always(item))

    def tuple_of(self, *items: Any) -> Schema:
        """A list, of this many items unless there is an ellipsis."""
        if not items or items[-1] is Ellipsis:
            return self.list_of(*items[:1])
        return {"type": "array", "prefixItems": [self._always(item) for item in items], "minItems": len(items), "maxItems": len(items)}

    def set_of(self, item: Any = Any) -> Schema:
        """A list without doubles; items that may be anything are such as have a hash."""
        return {"type": "array", "items": self._always(item) or {"type": [*_WITH_HASH]}, "uniqueItems": True}

    def object_of(self, key: Any = Any, value: Any = Any) -> Schema:
        """An object; its keys are texts that the type of the keys is written as."""
        return _with_parts({"type": "object"}, propertyNames=self._of(key, as_key=True) or {}, additionalProperties=self._always(value))

    def sequence_of(self, item: Any = Any) -> Schema:
        """A list; a text is a sequence too, as long as it does not matter of what."""
        kinds = ["array", "string"] if says_nothing(item) else "array"
        return _with_parts({"type": kinds}, items=self._always(item))

    def iterable_of(self, item: Any = Any) -> Schema:
        """A list or an object, whose keys nobody looks at; a text as in a sequence."""
        kinds = ["array", "object", "string"] if says_nothing(item) else ["array", "object"]
        return _with_parts({"type": kinds}, items=self._always(item))

    # Definitions

    def _defined(self, annotation: Any, title: str, write: "Callable[[str], Schema | None]") -> Schema | None:
        """A reference to the definition, which is written unless it has been, or is being: then it contains itself."""
        if annotation not in self._names:
            name = self._free(title)
            self._names[annotation], self.definitions[name] = name, {}
            schema = write(name)
            if schema is None:
                del self._names[annotation], self.definitions[name]
                return None
            self.definitions[name] = schema
        return {"$ref": f"#/$defs/{self._names[annotation]}"}

    def _free(self, title: str) -> str:
        """A name for a definition that is none of another's; classes of one name may come from several modules."""
        name = re.sub(r"[^A-Za-z0-9_.]", "_", title)
        taken = [each for each in self.definitions if re.fullmatch(rf"{re.escape(name)}(-\d+)?", each)]
        return f"{name}-{len(taken) + 1}" if taken else name

    def _record(self, kind: type, annotation: Any) -> Schema | None:
        return self._defined(annotation, kind.__name__, lambda _: self._fields(kind, annotation))

    def _fields(self, kind: type, annotation: Any) -> Schema:
        fields = record_fields(kind)
        properties = {name: self._always(field_annotation(annotation, field)) for name, field in fields.items()}
        required = [name for name, field in fields.items() if field.required]
        by_name = {"title": kind.__name__, "type": "object", "properties": properties, "required": required, "additionalProperties": False}
        if is_typed_dict(kind) or not issubclass(kind, tuple):
            return by_name
        by_position = [copy.deepcopy(schema) for schema in properties.values()]
        return {"anyOf": [by_name, {"type": "array", "prefixItems": by_position, "minItems": len(required), "maxItems": len(by_position)}]}


_COLLECTIONS: Mapping[type, Callable[..., Schema]] = types.MappingProxyType(
    {
        list: _Writer.list_of,
        tuple: _Writer.tuple_of,
        set: _Writer.set_of,
        frozenset: _Writer.set_of,
        dict: _Writer.object_of,
        abc.Mapping: _Writer.object_of,
        abc.MutableMapping: _Writer.object_of,
        abc.Sequence: _Writer.sequence_of,
        abc.MutableSequence: _Writer.list_of,
        abc.Set: _Writer.set_of,
        abc.MutableSet: _Writer.set_of,
        abc.Collection: _Writer.iterable_of,
        abc.Iterable: _Writer.iterable_of,
    }
)


def _with_parts(schema: Schema, **parts: Schema) -> Schema:
    """The schema, with those parts that demand something."""
    return {**schema, **{name: part for name, part in parts.items() if part}}


def _any_of(members: list[Schema]) -> Schema:
    """One of them; if one may be anything, so may the whole."""
    flat = [inner for member in members for inner in (member["anyOf"] if member.keys() == {"anyOf"} else [member])]
    different = [member for index, member in enumerate(flat) if member not in flat[:index]]
    if {} in different:
        return {}
    return different[0] if len(different) == 1 else {"anyOf": different}


# Options


def _one_of(annotation: Any) -> Schema | None:
    options: list[Any] = []
    for option in get_args(annotation):
        options += _values(option) if isinstance(option, enum.Enum) else [option]
    return _options(options)


def _values(member: enum.Enum) -> list[Any]:
    """What a member is found by: its value, then its name and the others that it goes by."""
    return [member.value, *(name for name, each in type(member).__members__.items() if each is member)]


def _options(options: list[Any]) -> Schema | None:
    plain = [option for option in options if _is_plain(option)]
    different = [option for index, option in enumerate(plain) if not any(_is_same(option, other) for other in plain[:index])]
    return {"enum": copy.deepcopy(different)} if different else None


def _is_same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _members(kind: type[enum.Enum]) -> Schema | None:
    if issubclass(kind, enum.Flag):
        return _bits(kind)
    if getattr(kind._missing_, "__func__", None) is not enum.Enum._missing_.__func__:  # type: ignore[attr-defined]
        return {"description": said(kind)}  # it finds more by code of its own
    values = [member.value for member in kind]
    return _options([*values, *kind.__members__])


def _bits(kind: type[enum.Flag]) -> Schema | None:
    members = kind.__members__
    if not members:
        return None
    numbers: Schema = {"type": "integer", "minimum": 0, "maximum": reduce(operator.or_, (member.value for member in members.values()))}
    return {"anyOf": [numbers, {"enum": [*members]}]}


# Other classes


def _of_instances(kind: type) -> Schema | None:
    """Those JSON types whose values are instances of the class; a class with a say of its own in what is one may have any."""
    if type(kind).__instancecheck__ not in (type.__instancecheck__, ABCMeta.__instancecheck__):
        return {}
    fitting = [name for name, python in _JSON_TYPES.items() if issubclass(python, kind)]
    if len(fitting) == len(_JSON_TYPES):
        return {}
    return {"type": fitting} if fitting else None


def _by_pydantic(annotation: Any, name: str) -> Schema:
    """As pydantic describes it, with its own definitions inside."""
    describe = getattr(annotation, "model_json_schema", None) or sys.modules["pydantic"].TypeAdapter(annotation).json_schema
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of defaults that JSON cannot hold
        schema = describe(ref_template=f"#/$defs/{name}/$defs/{{model}}")
    plain: Schema = _without_formats(json.loads(json.dumps(schema, allow_nan=False)))
    return plain


def _without_formats(schema: Any) -> Any:
    """Without the formats that coercion judges: pydantic reads by other rules, which take some more."""
    if isinstance(schema, list):
        return [_without_formats(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    data = ("const", "default", "enum", "examples")
    asked = {key: each for key, each in schema.items() if not (key == "format" and isinstance(each, str) and each in FORMATS)}
    return {key: each if key in data else _without_formats(each) for key, each in asked.items()}
