"""What a program of another machine sent, as values: unknown fields are ignored and named, all else is exactly what the types say."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter, transform_error
from cattrs.cols import homogenous_tuple_structure_factory, list_structure_factory
from cattrs.v import format_exception

from headrace.errors import WrongData
from headrace.model.states import State
from headrace.wire.plain import made_converter, structured_state

_TOO_LARGE = 1 << 63
_LARGEST_FLOAT = int(sys.float_info.max)
_IN_JSON: Mapping[Any, str] = MappingProxyType({int: "a whole number of 64 bits", float: "a number", str: "a text", bool: "true or false"})


class _Fault(ValueError):
    """What a value must be that it is not."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"it must be {wanted}")


def received(kind: Any, data: Any, *, where: str) -> tuple[Any, list[str]]:
    """The value, and the fields in it that are not known here. Raises WrongData, naming each fault and its place."""
    try:
        return _converter(strict=True).structure(data, kind), []
    except Exception:  # unknown fields are looked for only now, since there are hardly ever any
        unknown = list(_unknown(kind, data, where))
    try:
        return _converter(strict=False).structure(data, kind), unknown
    except Exception as error:
        faults = (fault.rpartition(" @ ") for fault in transform_error(error, where, _words))
        raise WrongData(where="what was sent", why="; ".join(f"{place}: {words}" for words, _, place in faults)) from error


@cache
def _converter(*, strict: bool) -> Converter:
    converter = made_converter(strict=strict, detailed=True)
    for kind in _IN_JSON:
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook(datetime, _moment)
    converter.register_structure_hook_factory(_is_row, _row)
    converter.register_structure_hook_factory(attrs.has, lambda kind: _of_object(converter.gen_structure_attrs_fromdict(kind)))
    converter.register_structure_hook(State, _of_object(structured_state(converter, strict=strict)))
    return converter


def _exactly(value: Any, kind: Any) -> Any:
    """`true` is no number, nothing is rounded, and no text is cut into letters."""
    if kind not in _IN_JSON:  # one of a few texts
        return kind(value)
    if kind is int and type(value) is float and value.is_integer():
        value = int(value)  # JSON has one kind of number: 1.0 is 1
    if kind is float and type(value) is int and abs(value) < _LARGEST_FLOAT:
        return float(value)
    if type(value) is not kind or (kind is int and abs(value) >= _TOO_LARGE) or (kind is float and not math.isfinite(value)):
        raise _Fault(_IN_JSON[kind])
    return value


def _moment(value: Any, _: object) -> datetime:
    """A moment in UTC, which is there too at the ends of the calendar."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise _Fault("a moment, as 2026-01-01T06:00:00Z") from None


def _of_object(structure: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def value(data: Any, kind: Any) -> Any:
        if not isinstance(data, dict):
            raise _Fault("an object")
        return structure(data, kind)

    return value


def _is_row(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple)


def _row(kind: Any, converter: Any) -> Any:
    factory = homogenous_tuple_structure_factory if get_origin(kind) is tuple else list_structure_factory
    structure: Any = factory(kind, converter)

    def row(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise _Fault("a list")
        return structure(value, kind)

    return row


def _words(error: BaseException, kind: Any) -> str:
    if isinstance(error, _Fault):
        return str(error)
    if isinstance(error, AttributeError):  # it has no fields
        return "it must be an object"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"it must be one of {', '.join(str(member.value) for member in kind)}"
    return format_exception(error, kind)


def _unknown(kind: Any, data: Any, where: str) -> Iterator[str]:
    parts, origin = get_args(kind), get_origin(kind)
    if attrs.has(kind) and isinstance(data, Mapping):
        types = get_type_hints(kind)
        known = {field.alias or field.name: types[field.name] for field in attrs.fields(kind)}
        yield from (f"{where}.{name}" for name in data if name not in known)
        for name in known.keys() & data.keys():
            yield from _unknown(known[name], data[name], f"{where}.{name}")
    elif origin in (list, tuple) and isinstance(data, list):
        for index, item in enumerate(data):
            yield from _unknown(parts[0], item, f"{where}[{index}]")
    elif origin in (Union, UnionType):
        wanted = [part for part in parts if part is not NoneType]
        if len(wanted) == 1:
            yield from _unknown(wanted[0], data, where)
