"""JSON schemas of values, exactly as they are read from a request, and an example of each."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from headrace.model.states import State
from headrace.wire.plain import to_plain

Schema = dict[str, Any]

LARGEST = (1 << 63) - 1
_PLAIN: Mapping[Any, Schema] = MappingProxyType(
    {
        Any: {},
        object: {},
        NoneType: {"type": "null"},
        None: {"type": "null"},
        str: {"type": "string"},
        bool: {"type": "boolean"},
        int: {"type": "integer", "format": "int64", "minimum": -LARGEST, "maximum": LARGEST},
        float: {"type": "number", "format": "double"},
        datetime: {"type": "string", "format": "date-time"},
    }
)
_HIDDEN = {State: "data"}
"""What never leaves a process."""

_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "flow_name": "greet",
        "task_name": "say",
        "task_key": "flows.say",
        "name": "nightly",
        "entrypoint": "flows:greet",
        "tag": "database",
        "tags": "database",
        "message": "Hello",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "serializer": "json",
        "logger": "headrace.flow_runs",
        "host": "machine-1",
        "version": "0.1.0",
        "flow_version": "1",
        "holder": "agent-1",
        "kinds": "flow-run.moved",
        "kind": "flow-run.moved",
    }
)
_ID = "01990000-0000-7000-8000-000000000001"
_MOMENT = "2026-01-01T06:00:00+00:00"


class Schemas:
    """Schemas by name; a value's class is written once, and referred to everywhere else."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of a type of the model."""
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        origin, parts = get_origin(kind), get_args(kind)
        if origin in (Union, UnionType):
            return self._any_of(parts)
        if origin in (list, tuple):
            return {"type": "array", "items": self.of(parts[0])}
        if origin is Literal:
            return {"enum": list(parts)}
        if isinstance(origin or kind, type) and issubclass(origin or kind, Mapping):
            values = self.of(parts[1]) if parts else {}
            return {"type": "object", **({"additionalProperties": values} if values else {})}
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._named(kind.__name__, lambda: {"type": "string", "enum": [member.value for member in kind], **_description(kind)})
        return self._named(kind.__name__, lambda: self._object(kind, frozenset()))

    def without(self, kind: Any, fields: frozenset[str]) -> Schema:
        """The schema of a value of which some fields are told elsewhere."""
        name = kind.__name__ + "Without" + "".join(part.capitalize() for field in sorted(fields) for part in field.split("_"))
        return self._named(name, lambda: self._object(kind, fields))

    def _any_of(self, parts: tuple[Any, ...]) -> Schema:
        schemas = [self.of(part) for part in parts]
        if all(set(schema) == {"type"} for schema in schemas):
            return {"type": [schema["type"] for schema in schemas]}
        return {"anyOf": schemas}

    def _named(self, name: str, write: Any) -> Schema:
        if name not in self.components:
            self.components[name] = {}  # it may contain itself
            self.components[name] = write()
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any, left_out: frozenset[str]) -> Schema:
        fields = [field for field in fields_of(kind) if field.name not in left_out]
        types = get_type_hints(kind)
        whole: Schema = {
            "type": "object",
            "properties": {field.alias or field.name: self._field(field, types[field.name]) for field in fields},
        }
        required = [field.alias or field.name for field in fields if field.default is attrs.NOTHING]
        return {**whole, **({"required": required} if required else {}), **_description(kind)}

    def _field(self, field: "attrs.Attribute[Any]", kind: Any) -> Schema:
        schema, default = self.of(kind), default_of(field)
        return schema if (default is None and field.default is not None) or "$ref" in schema else {**schema, "default": to_plain(default)}


def fields_of(kind: Any) -> list["attrs.Attribute[Any]"]:
    """The fields of a value that travel."""
    return [field for field in attrs.fields(kind) if field.name != _HIDDEN.get(kind)]


def default_of(field: "attrs.Attribute[Any]") -> Any:
    """What a field is by default, as far as that does not depend on the others; else None."""
    default: Any = field.default
    if default is attrs.NOTHING:
        return None
    if not isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return default
    return None if default.takes_self else default.factory()


def _description(kind: Any) -> Schema:
    return {"description": " ".join(kind.__doc__.split())} if kind.__doc__ else {}


# Examples


def example_of(kind: Any, name: str) -> Any:
    """Plain data that is such a value; `name` is what it is called where it stands. Only what must be told is told."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return example_of(parts[0], name)
    if origin in (list, tuple):
        return [example_of(parts[0], name)]
    if attrs.has(kind):
        types = get_type_hints(kind)
        return {
            field.alias or field.name: example_of(types[field.name], field.name)
            for field in fields_of(kind)
            if field.default is attrs.NOTHING
        }
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    if kind is str:
        return _TEXTS.get(name, _ID if name.rstrip("s").endswith("id") else name.replace("_", " "))
    return {datetime: _MOMENT, bool: False, int: 1, float: 1.0, NoneType: None, None: None}.get(kind, {})
