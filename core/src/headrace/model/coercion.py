"""Coercion: what is given, as what the annotation says; lossless or refused.

Parameters come from Python, from JSON and from command lines, and the last two have few types. So a value that says the same thing in a
poorer type is taken, and one that would lose or gain anything on the way is refused. The rules:

* What already fits stays the very same object: an instance of a subclass, a list whose items all fit. Nothing is copied, no generator read.
* `_TABLE` says what else is taken for each known type; it is the only such list. An enum is found by value, then by name; flags by a number
  of which they keep every bit. A dataclass, an attrs class, a NamedTuple or a TypedDict is made from a mapping, field by field; an unknown
  key is a fault, as dropping it would lose it.
* In a union a member that the value fits as it is wins, then the first that takes it.
* True is no number and no flag, though Python says so: where one is wanted it is nearly always a mistake. A text is no list of its letters:
  where anything may be in a sequence it stays the text it is. A set has no order, so it makes no list; a list with doubles makes no set.
* Pydantic's own types judge for themselves, by pydantic's rules.
* Any other class is asked with isinstance. What cannot be asked, and what says nothing (Any, a TypeVar), is taken as it is.

Known types are recognised by their written name, so that this module, which every start pays for, need not import those it speaks of.
"""

import builtins
import inspect
import operator
import os
import re
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping, MutableSequence, MutableSet, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from enum import Enum, Flag
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    NewType,
    NoReturn,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from headrace.errors import WrongParameterType
from headrace.model.records import field_annotation, is_record, is_typed_dict, record_fields
from headrace.model.texts import text_of

_LONGEST_GIVEN = 80
_LONGEST_EXPECTED = 240

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NO_NUMBER = r"[+-]?(?:inf|infinity|nan)"
_ISO_MOMENT = r"[0-9TWZ:+\-., ]+"
_UUID = r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ISO_DURATION = r"(?P<sign>[+-]?)P(?=.)(?:(?P<w>N)W)?(?:(?P<d>N)D)?(?:T(?=.)(?:(?P<h>N)H)?(?:(?P<m>N)M)?(?:(?P<s>N)S)?)?".replace(
    "N", r"[0-9]+(?:[.,][0-9]+)?"
)
_CLOCK_DURATION = r"(?:(?P<d>-?[0-9]+) days?, )?(?P<sign>[+-]?)(?P<h>[0-9]+):(?P<m>[0-5][0-9]):(?P<s>[0-5][0-9](?:\.[0-9]+)?)"
_MICROSECONDS = types.MappingProxyType({"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000})


def coerced(value: Any, annotation: Any, *, where: str, name: str) -> Any:
    """The value as the annotation says, itself if it fits already. Raises WrongParameterType, its name the path to what is wrong."""
    if type(value) is annotation:
        return value
    try:
        return _taken(value, annotation)
    except _Refused as refused:
        path, expected, given = refused.path, refused.expected or said(refused.annotation), refused.given or shown(refused.value)
    except RecursionError:
        path, expected, given = "", said(annotation), "something nested too deep, or inside itself"
    raise WrongParameterType(where=where, name=name + path, expected=_cut(expected, _LONGEST_EXPECTED), given=_cut(given, _LONGEST_GIVEN))


def is_taken(value: Any, annotation: Any) -> bool:
    """Whether coercion gives a value for it."""
    try:
        _taken(value, annotation)
    except (_Refused, RecursionError):
        return False
    return True


class _Refused(Exception):
    """A value that an annotation does not take, and where in the whole it lies. Words are found only if it comes to that."""

    def __init__(self, value: Any, annotation: Any, *, path: str = "", expected: str = "", given: str = "") -> None:
        self.value, self.annotation, self.path, self.expected, self.given = value, annotation, path, expected, given

    @property
    def says_more(self) -> bool:
        """Whether it tells more than that this is not the annotated type."""
        return bool(self.path or self.expected or self.given)

    def under(self, step: str) -> "_Refused":
        """The same refusal, seen from one level further out."""
        self.path = step + self.path
        return self


def _taken(value: Any, annotation: Any) -> Any:
    if type(value) is annotation or annotation is Any or annotation is object:
        return value
    origin = get_origin(annotation)
    if origin is Union or origin is types.UnionType:
        return _one_of(value, annotation)
    if origin is Literal:
        return _literal(value, annotation)
    if origin in (Annotated, Required, NotRequired, Final):
        return _taken(value, get_args(annotation)[0])
    if isinstance(annotation, NewType):
        return _taken(value, annotation.__supertype__)
    if type(annotation).__name__ == "TypeAliasType":
        return _taken(value, _behind(annotation))
    kind = type(None) if annotation is None else origin or annotation
    return _as_class(value, kind, annotation) if isinstance(kind, type) else value


def says_nothing(annotation: Any) -> bool:
    """Whether anything is taken as it is."""
    return annotation is Any or annotation is object or isinstance(annotation, TypeVar)


def _as_class(value: Any, kind: type, annotation: Any) -> Any:
    parts = get_args(annotation)
    row = _TABLE.get(_written_name(kind))
    if row is not None and (parts or not _is_a(value, kind)):
        try:
            return row.take(value, *parts)
        except (ValueError, TypeError, ArithmeticError):
            raise _Refused(value, annotation) from None
    if is_typed_dict(kind):
        return _typed_dict(value, kind, annotation)
    if _is_a(value, kind):
        return value
    if issubclass(kind, Enum):
        return _member(value, kind)
    if "pydantic" in sys.modules and hasattr(kind, "__get_pydantic_core_schema__"):
        return _by_pydantic(value, annotation)
    if is_record(kind):
        return _record(value, kind, annotation)
    raise _Refused(value, annotation)


def _is_a(value: Any, kind: type) -> bool:
    """isinstance, but True is no int, and a class that cannot be asked has every value for an instance."""
    if kind is int and isinstance(value, bool):
        return False
    try:
        return isinstance(value, kind)
    except Exception:  # a Protocol raises TypeError, a class with a check of its own anything
        return True


def _written_name(kind: type) -> str:
    return f"{kind.__module__.removesuffix('._local')}.{kind.__qualname__}"  # Python 3.13 writes pathlib._local.Path


def _behind(alias: Any) -> Any:
    try:
        return alias.__value__
    except Exception:  # evaluated only now, and it is whatever somebody wrote
        return Any


# Unions, literals, enums


def _one_of(value: Any, annotation: Any) -> Any:
    members = get_args(annotation)
    if any(type(value) is member for member in members):
        return value
    converted: list[Any] = []
    telling: list[_Refused] = []
    for member in members:
        try:
            result = _taken(value, member)
        except _Refused as refused:
            telling += [refused] if refused.says_more else []
            continue
        if result is value:
            return value
        converted.append(result)
    if converted:
        return converted[0]
    if len(telling) == 1:  # one member has the right shape: the fault inside says more than the list of members
        raise telling[0]
    raise _Refused(value, annotation)


def _literal(value: Any, annotation: Any) -> Any:
    options = get_args(annotation)
    for option in options:
        if isinstance(value, type(option)) and isinstance(value, bool) == isinstance(option, bool) and value == option:
            return value
    for kind in dict.fromkeys(type(option) for option in options if isinstance(option, Enum)):
        with suppress(_Refused):
            if (member := _member(value, kind)) in options:
                return member
    raise _Refused(value, annotation)


def _member(value: Any, kind: type[Enum]) -> Any:
    if issubclass(kind, Flag) and (_is_truth(value) or _is_number(value)):
        return _flags(value, kind)
    try:
        found = kind(value)
    except Exception:  # an enum may look its members up with code of its own
        found = None
    if found is not None and _is_truth(found.value) == _is_truth(value):
        return found
    if isinstance(value, str) and value in kind.__members__:
        return kind[value]
    raise _Refused(value, kind)


def _flags(value: Any, kind: type[Flag]) -> Any:
    try:
        number = int(_int(value))  # a class of flags remembers what it was asked for, so it is asked for plain numbers only
        found = kind(number)
    except Exception:
        raise _Refused(value, kind) from None
    # by its boundary a class may give the bare number back, or drop bits; a negative number says which bits are left out, as ~ does
    if isinstance(found, kind) and (found.value == number or number < 0):
        return found
    raise _Refused(value, kind)


# Plain values: each function says what else is taken; ValueError, TypeError or ArithmeticError is a refusal


def _none(value: Any) -> Any:
    raise ValueError


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        return {"true": True, "false": False}[_matching("(?i:true|false)", value).lower()]
    if (type(value) is int and value in (0, 1)) or _is_truth(value):
        return bool(value)
    raise ValueError


def _is_truth(value: Any) -> bool:
    kind = type(value)
    return kind is bool or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"))


def _int(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, str):
        return int(_matching("[+-]?[0-9]+", value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return operator.index(value)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, str):
        return _float_of_text(value)
    if not isinstance(value, int) and not _is_real(value):
        raise ValueError
    number = float(value)
    return number if number == value else _no()


def _float_of_text(text: str) -> float:
    if re.fullmatch("[+-]?[0-9]+", text):
        return float(text) if float(text) == int(text) else _no()  # a whole number beyond 2**53 may have no float
    if re.fullmatch(_NO_NUMBER, text, re.IGNORECASE):
        return float(text)
    number = float(_matching(_NUMBER, text))
    overflowed = number in (float("inf"), float("-inf"))
    underflowed = number == 0 and re.search("[1-9]", text.lower().partition("e")[0])
    return _no() if overflowed or underflowed else number


def _is_real(value: Any) -> bool:
    from numbers import Real

    return isinstance(value, Real)


def _is_number(value: Any) -> bool:
    from numbers import Number

    return isinstance(value, Number)


def _complex(value: Any) -> complex:
    if not isinstance(value, str):
        return complex(_float(value))
    text = value[1:-1] if value.startswith("(") and value.endswith(")") else value
    parts = re.fullmatch(rf"(?:(?P<real>{_NUMBER})(?=[+-]|$))?(?:(?P<imaginary>{_NUMBER})j)?", text)
    if parts is None or not (parts["real"] or parts["imaginary"]):
        raise ValueError
    return complex(_float_of_text(parts["real"] or "0"), _float_of_text(parts["imaginary"] or "0"))


def _decimal(value: Any) -> Any:
    from decimal import Decimal

    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, str):
        return Decimal(_matching(f"(?i:{_NUMBER}|{_NO_NUMBER})", value))
    if isinstance(value, float):
        return Decimal(repr(float(value)))  # what was written, 0.1, not its binary neighbour
    return Decimal(operator.index(value))


def _str(value: Any) -> str:
    raise ValueError


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise ValueError


def _datetime(value: Any) -> datetime:
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    return datetime.fromisoformat(_iso(value))


def _date(value: Any) -> date:
    return date.fromisoformat(_iso(value))


def _time(value: Any) -> time:
    return time.fromisoformat(_iso(value))


def _timedelta(value: Any) -> timedelta:
    from fractions import Fraction

    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, (int, float)):
        microseconds = Fraction(repr(float(value)) if isinstance(value, float) else value) * 1_000_000
    elif re.fullmatch(r"[+-]?[0-9]+(?:\.[0-9]+)?", _text(value)):
        microseconds = Fraction(value) * 1_000_000
    else:
        parts = re.fullmatch(_ISO_DURATION, value) or re.fullmatch(_CLOCK_DURATION, value)
        if parts is None:
            raise ValueError
        sizes = ((unit, size.replace(",", ".")) for unit, size in parts.groupdict().items() if unit != "sign" and size)
        microseconds = sum((Fraction(size) * _MICROSECONDS[unit] for unit, size in sizes), Fraction(0))
        microseconds *= -1 if parts["sign"] == "-" else 1
    return timedelta(microseconds=int(microseconds)) if microseconds.denominator == 1 else _no()


def _path_like(kind: str) -> Callable[[Any], Any]:
    def path(value: Any) -> Any:
        import pathlib

        text = os.fspath(value)
        return getattr(pathlib, kind)(text) if isinstance(text, str) and text else _no()

    return path


def _uuid(value: Any) -> Any:
    from uuid import UUID

    return UUID(_matching(_UUID, value))


def _pattern(value: Any, text: Any = Any) -> Any:
    written = value.pattern if isinstance(value, re.Pattern) else value
    if not isinstance(written, (str, bytes)) or (text in (str, bytes) and not isinstance(written, text)):
        raise ValueError
    try:
        return re.compile(value)  # itself, if it is compiled already
    except re.error:
        raise ValueError from None


def _callable(value: Any, *_: Any) -> Any:
    return value if callable(value) else _no()


def _class(value: Any, wanted: Any = Any) -> Any:
    if not isinstance(value, type):
        raise ValueError
    choices = get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)
    return value if any(_is_under(value, get_origin(choice) or choice) for choice in choices) else _no()


def _is_under(value: type, kind: Any) -> bool:
    try:
        return kind is Any or not isinstance(kind, type) or issubclass(value, kind)
    except Exception:  # a class that cannot be asked
        return True


def _file(value: Any, *_: Any) -> Any:
    return value if hasattr(value, "read") or hasattr(value, "write") else _no()  # no real file is an instance of typing.IO


def _no() -> NoReturn:
    """Refuse, where an expression is needed."""
    raise ValueError


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _no()


def _matching(pattern: str, value: Any) -> str:
    text = _text(value)
    return text if re.fullmatch(pattern, text) else _no()


def _iso(value: Any) -> str:
    """The text, if ISO 8601 is all it holds and it says nothing finer than a microsecond, which would be dropped."""
    text = _matching(_ISO_MOMENT, value)
    return _no() if re.search(r"[.,][0-9]{6}[0-9]*[1-9]", text) else text


# Collections: items one by one; the collection itself stays if each of its items did


def _list(value: Any, item: Any = Any) -> Any:
    items = _each(_ordered(value), item)
    return value if isinstance(value, list) and _same(items, value) else items


def _tuple(value: Any, *items: Any) -> Any:
    given = _ordered(value)
    if not items:
        taken = list(given)
    elif items[-1] is Ellipsis:
        taken = _each(given, items[0])
    elif len(items) == len(given):
        taken = [_inside(f"[{index}]", each, item) for index, (each, item) in enumerate(zip(given, items, strict=True))]
    else:
        raise ValueError
    return value if isinstance(value, tuple) and _same(taken, value) else tuple(taken)


def _sequence(value: Any, item: Any = Any) -> Any:
    if not isinstance(value, Sequence):
        raise ValueError
    if says_nothing(item):
        return value
    if isinstance(value, str):
        raise ValueError
    given = list(value)  # read once: a range, for one, makes its items anew each time
    items = _each(given, item)
    return value if _same(items, given) else tuple(items) if isinstance(value, tuple) else items


def _mutable_sequence(value: Any, item: Any = Any) -> Any:
    return _sequence(value, item) if isinstance(value, MutableSequence) else _list(value, item)


def _iterable(value: Any, item: Any = Any) -> Any:
    """Only a sequence or a set is looked into: a generator would be used up."""
    if isinstance(value, Sequence):
        return _sequence(value, item)
    if isinstance(value, (set, frozenset)):
        return _abstract_set(value, item)
    return value if isinstance(value, Iterable) else _no()


def _collection(value: Any, item: Any = Any) -> Any:
    return _iterable(value, item) if isinstance(value, Collection) else _no()


def _set(value: Any, item: Any = Any) -> Any:
    return _set_like(value, item, fits=set, made=set)


def _frozenset(value: Any, item: Any = Any) -> Any:
    return _set_like(value, item, fits=frozenset, made=frozenset)


def _abstract_set(value: Any, item: Any = Any) -> Any:
    return _set_like(value, item, fits=AbstractSet, made=set if isinstance(value, set) else frozenset)


def _mutable_set(value: Any, item: Any = Any) -> Any:
    return _set_like(value, item, fits=MutableSet, made=set)


def _set_like(value: Any, item: Any, *, fits: Any, made: Callable[[list[Any]], Any]) -> Any:
    given = list(value) if isinstance(value, AbstractSet) else _ordered(value)
    items = _each(given, item)
    if isinstance(value, fits) and _same(items, given):
        return value
    result = made(items)
    if len(result) != len(items):
        raise _Refused(value, Any, expected="a set, or a list without doubles")
    return result


def _dict(value: Any, key: Any = Any, of: Any = Any) -> Any:
    return _mapping(value, key, of, dict)


def _any_mapping(value: Any, key: Any = Any, of: Any = Any) -> Any:
    return _mapping(value, key, of, Mapping)


def _mapping(value: Any, key: Any, of: Any, kind: type) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError
    names = list(value)  # read once: os.environ, for one, makes its items anew each time
    given = [value[name] for name in names]
    keys = [_inside(f"[key {_brief(name)}]", name, key) for name in names]
    items = [_inside(f"[{_brief(name)}]", each, of) for name, each in zip(names, given, strict=True)]
    if isinstance(value, kind) and _same(keys, names) and _same(items, given):
        return value
    made = dict(zip(keys, items, strict=True))
    if len(made) != len(keys):
        raise _Refused(value, Any, expected="a dict whose keys stay different")
    return made


def _ordered(value: Any) -> Sequence[Any]:
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        return value
    raise ValueError


def _each(items: Iterable[Any], annotation: Any) -> list[Any]:
    if annotation is Any:
        return list(items)
    taken: list[Any] = []
    try:
        taken.extend(item if type(item) is annotation else _taken(item, annotation) for item in items)
    except _Refused as refused:
        raise refused.under(f"[{len(taken)}]") from None  # those before it are in the list
    return taken


def _inside(step: str, value: Any, annotation: Any) -> Any:
    try:
        return _taken(value, annotation)
    except _Refused as refused:
        raise refused.under(step) from None


def _same(new: Iterable[Any], old: Iterable[Any]) -> bool:
    return all(map(operator.is_, new, old))


class _Row(NamedTuple):
    words: str
    take: Callable[..., Any]


_TABLE: Mapping[str, _Row] = types.MappingProxyType(
    {
        # type: what errors call it                                                        what is taken for it, beside its own instances
        "builtins.NoneType": _Row("nothing (None)", _none),  #                            nothing else
        "builtins.bool": _Row("true or false (bool)", _bool),  #                          1, 0; text: true, false in any case; numpy's own
        "builtins.int": _Row("a whole number (int)", _int),  #                            3.0; text of digits; not True
        "builtins.float": _Row("a number (float)", _float),  #                            a number with an exact float; text: 1.5, 1e3, inf
        "builtins.complex": _Row("a complex number (complex)", _complex),  #              what float takes; text: 1+2j
        "builtins.str": _Row("a text (str)", _str),  #                                    nothing else
        "builtins.bytes": _Row("bytes", _bytes),  #                                       text, as UTF-8; bytearray, memoryview
        "decimal.Decimal": _Row("a decimal number (Decimal)", _decimal),  #               int; float as it is written; text
        "datetime.datetime": _Row("an ISO 8601 moment (datetime)", _datetime),  #         ISO 8601 text; a date, as its midnight
        "datetime.date": _Row("a day as YYYY-MM-DD (date)", _date),  #                    ISO 8601 text
        "datetime.time": _Row("a time of day as HH:MM:SS (time)", _time),  #              ISO 8601 text
        "datetime.timedelta": _Row("a duration: seconds, H:MM:SS or ISO 8601 (timedelta)", _timedelta),  # those, to the microsecond
        "pathlib.Path": _Row("a path (Path)", _path_like("Path")),  #                     text, but the empty one; other paths
        "pathlib.PurePath": _Row("a path (PurePath)", _path_like("PurePath")),  #         the same
        "pathlib.PurePosixPath": _Row("a path (PurePosixPath)", _path_like("PurePosixPath")),
        "pathlib.PureWindowsPath": _Row("a path (PureWindowsPath)", _path_like("PureWindowsPath")),
        "uuid.UUID": _Row("a UUID", _uuid),  #                                            text of 32 hex digits, with or without hyphens
        "re.Pattern": _Row("a regular expression (Pattern)", _pattern),  #                text or bytes that compile
        "builtins.list": _Row("a list", _list),  #                                        any sequence but text and bytes
        "builtins.tuple": _Row("a tuple", _tuple),  #                                     the same
        "builtins.set": _Row("a set", _set),  #                                           other sets; sequences without doubles
        "builtins.frozenset": _Row("a frozenset", _frozenset),  #                         the same
        "builtins.dict": _Row("a dict", _dict),  #                                        any mapping
        "collections.abc.Mapping": _Row("a mapping", _any_mapping),
        "collections.abc.MutableMapping": _Row("a dict", _dict),
        "collections.abc.Sequence": _Row("a sequence", _sequence),
        "collections.abc.MutableSequence": _Row("a list", _mutable_sequence),  #          any sequence but text and bytes
        "collections.abc.Set": _Row("a set", _abstract_set),  #                           sequences without doubles
        "collections.abc.MutableSet": _Row("a set", _mutable_set),  #                     the same
        "collections.abc.Collection": _Row("a collection", _collection),
        "collections.abc.Iterable": _Row("something to iterate over", _iterable),
        "collections.abc.Callable": _Row("something that can be called", _callable),
        "builtins.type": _Row("a class", _class),
        "typing.IO": _Row("an open file", _file),
        "typing.TextIO": _Row("an open file", _file),
        "typing.BinaryIO": _Row("an open file", _file),
    }
)


# Records: classes made of named fields


def _typed_dict(value: Any, kind: type, annotation: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _Refused(value, annotation)
    taken = _field_values(value, kind, annotation)
    return value if isinstance(value, dict) and _same(taken.values(), value.values()) else taken


def _record(value: Any, kind: type, annotation: Any) -> Any:
    if not isinstance(value, Mapping):
        value = _by_position(value, kind, annotation)
    taken = _field_values(value, kind, annotation)
    try:
        return kind(**taken)
    except Exception as error:  # a class may have checks of its own, and they may raise anything
        why = _cut(text_of(error).partition("\n")[0] or type(error).__name__, 120)
        raise _Refused(value, annotation, expected=f"what {kind.__name__} takes ({why})") from None


def _by_position(value: Any, kind: type, annotation: Any) -> Mapping[str, Any]:
    """A NamedTuple's fields from a sequence, which is how JSON writes one."""
    is_sequence = isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview))
    if not issubclass(kind, tuple) or not is_sequence or len(value) > len(record_fields(kind)):
        raise _Refused(value, annotation)
    return dict(zip(record_fields(kind), value, strict=False))


def _field_values(value: Mapping[Any, Any], kind: type, annotation: Any) -> dict[str, Any]:
    fields = record_fields(kind)
    unknown = [key for key in value if key not in fields]
    if unknown:
        raise _Refused(value, annotation, given=f"a dict with the unknown key {_brief(unknown[0])}")
    missing = next((name for name, field in fields.items() if field.required and name not in value), None)
    if missing is not None:
        raise _Refused(value, field_annotation(annotation, fields[missing]), path=f".{missing}", given="missing")
    return {name: _inside(f".{name}", each, field_annotation(annotation, fields[name])) for name, each in value.items()}


def _by_pydantic(value: Any, annotation: Any) -> Any:
    pydantic = sys.modules["pydantic"]
    validate = getattr(annotation, "model_validate", None) or pydantic.TypeAdapter(annotation).validate_python
    try:
        return validate(value)
    except pydantic.ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        first = faults[0]
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
        wanted = first["msg"].removeprefix("Input should be ")
        expected = wanted if wanted != first["msg"] else f"what {_name_of(annotation)} takes ({wanted})"
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        given = "missing" if first["type"] == "missing" else shown(first["input"])
        raise _Refused(value, annotation, path=path, expected=expected, given=_cut(given, _LONGEST_GIVEN - len(more)) + more) from None
    except Exception as error:  # a validator may raise anything
        raise _Refused(value, annotation, expected=f"what {_name_of(annotation)} takes ({_cut(text_of(error), 120)})") from None


# Words


def said(annotation: Any) -> str:
    """An annotation in words, as errors say it: "a whole number (int)", "one of 'a', 'b'"."""
    origin = get_origin(annotation)
    if origin is Union or origin is types.UnionType:
        return " or ".join(dict.fromkeys(said(member) for member in get_args(annotation)))
    if origin is Literal:
        return f"one of {', '.join(_option(option) for option in get_args(annotation))}"
    if origin in (Annotated, Required, NotRequired, Final):
        return said(get_args(annotation)[0])
    if isinstance(annotation, NewType):
        return said(annotation.__supertype__)
    kind = type(None) if annotation is None else origin or annotation
    if not isinstance(kind, type):
        return _name_of(annotation)
    if issubclass(kind, Enum) and len(kind):
        return f"one of {', '.join(_option(member) for member in kind)} ({kind.__name__})"
    row = _TABLE.get(_written_name(kind))
    if row is not None:
        return f"{row.words} ({_name_of(annotation)})" if get_args(annotation) else row.words
    if is_record(kind):
        return f"{_a(kind.__name__)} with {', '.join(record_fields(kind)) or 'no fields'}"
    return _a(_name_of(annotation))


def _option(option: Any) -> str:
    value = option.value if isinstance(option, Enum) else option
    if isinstance(value, (str, bytes, int, float, type(None))):
        return repr(value)
    return option.name if isinstance(option, Enum) else repr(option)


def _name_of(annotation: Any) -> str:
    """As it was written, without the modules: they stand before dots, unless it is in quotes."""
    written = inspect.formatannotation(annotation)
    return _cut(re.sub(r"('[^']*'|\"[^\"]*\")|(?:(?:\w+|<locals>)\.)+", lambda found: found[1] or "", written), 100)


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def shown(value: Any) -> str:
    """A value as errors tell it, never longer than a line; a big collection is not gone through, and no user's code is run for it."""
    return _cut(_described(value), _LONGEST_GIVEN)


def _described(value: Any) -> str:
    kind = type(value)
    if value is None:
        return "nothing (None)"
    if isinstance(value, Enum):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if isinstance(value, str):
        return f"the text {_brief(value)}"
    if isinstance(value, (bytes, bytearray)):
        return f"{len(value)} bytes ({kind.__name__})"
    if kind is int and value.bit_length() > 256:
        return "a whole number of very many digits (int)"
    if kind in (list, tuple, set, frozenset, dict):
        return f"{_a(kind.__name__)} with {len(value)} {'item' if len(value) == 1 else 'items'}"
    if kind in (bool, int, float, complex) or kind.__module__.partition(".")[0] in ("datetime", "decimal", "uuid", "pathlib"):
        return f"{value} ({kind.__name__})"
    name = kind.__qualname__
    return _a(f"{kind.__module__}.{name}" if hasattr(builtins, name) else name)  # numpy.bool is not bool


def _brief(value: Any) -> str:
    if not isinstance(value, str):
        return shown(value)
    text = str.__str__(value)
    return _cut(repr(text) if len(text) <= 60 else repr(text[:60]), 60)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
