"""What a program of another machine sent, as values: unknown fields are ignored and named, all else is exactly what the types say."""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
from cattrs import Converter, transform_error
from cattrs.cols import homogenous_tuple_structure_factory, list_structure_factory
from cattrs.v import format_exception

from headrace.errors import WrongData
from headrace.wire.plain import made_converter

_TOO_LARGE = 1 << 63
_IN_JSON: Mapping[Any, str] = MappingProxyType({int: "a whole number of 64 bits", float: "a number", str: "a text", bool: "true or false"})


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
    converter.register_structure_hook_factory(_is_row, _row)
    return converter


def _exactly(value: Any, kind: Any) -> Any:
    """`true` is no number, nothing is rounded, and no text is cut into letters."""
    if kind not in _IN_JSON:  # one of a few texts
        return kind(value)
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        raise ValueError
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    raise ValueError


def _is_row(kind: Any) -> bool:
    return get_origin(kind) in (list, tuple)


def _row(kind: Any, converter: Any) -> Any:
    factory = homogenous_tuple_structure_factory if get_origin(kind) is tuple else list_structure_factory
    structure: Any = factory(kind, converter)

    def row(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise TypeError
        return structure(value, kind)

    return row


def _words(error: BaseException, kind: Any) -> str:
    if isinstance(error, (ValueError, TypeError)) and kind in _IN_JSON:
        return f"it must be {_IN_JSON[kind]}"
    if isinstance(error, TypeError) and _is_row(kind):
        return "it must be a list"
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
