"""Coercion, as a table: what each annotation takes and refuses, and what holds for all of them."""

import dataclasses
import json
import math
import os
import re
import subprocess
import sys
import typing
from array import array
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, MutableSequence, MutableSet, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import CONFORM, EJECT, Enum, Flag, IntEnum, IntFlag, StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from types import MappingProxyType
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, Optional, Protocol, TypedDict, TypeVar, Union
from uuid import UUID

import attrs
import pydantic
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import HeadraceError, WrongParameterType
from headrace.model.coercion import coerced, said, shown

T = TypeVar("T")
UserId = NewType("UserId", int)
Point = namedtuple("Point", "x y")


class Color(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Size(StrEnum):
    S = "small"


class Switch(Enum):
    ON = True
    OFF = False


class Rights(Flag):
    READ = 1
    WRITE = 2


class Ejecting(IntFlag, boundary=EJECT):
    READ = 1
    WRITE = 2


class Conforming(Flag, boundary=CONFORM):
    READ = 1
    WRITE = 2


class Keeping(IntFlag):
    READ = 1


class Listed(Flag):
    READ = 1
    WRITE = 2

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls[value[0]] if isinstance(value, list) else super()._missing_(value)


class Picky(Enum):
    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> "Picky":
        raise RuntimeError("no such thing")


class Text(str):
    __slots__ = ()


class Plain:
    pass


class Unaskable(type):
    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("do not ask")


class Secretive(metaclass=Unaskable):
    pass


NumpyBool = type(
    "bool", (), {"__module__": "numpy", "__bool__": lambda self: True, "__eq__": lambda self, other: other == 1, "__hash__": lambda self: 1}
)


class Quacks(Protocol):
    def quack(self) -> str: ...


@dataclasses.dataclass
class Address:
    street: str
    number: int = 1


@dataclasses.dataclass
class Person:
    name: str
    address: Address
    born: date | None = None


@dataclasses.dataclass
class Late:
    date: Optional["date"] = None
    seed: dataclasses.InitVar[int] = 0
    made: int = dataclasses.field(default=0, init=False)

    def __post_init__(self, seed: int) -> None:
        self.made = seed


@dataclasses.dataclass
class Positive:
    amount: int

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError("amount must not be negative")


@dataclasses.dataclass
class Node:
    value: int
    children: list["Node"] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Box(Generic[T]):
    content: T
    more: list[T] = dataclasses.field(default_factory=list)


@attrs.frozen(kw_only=True)
class Item:
    price: Decimal
    _count: int = 1
    tag: str = attrs.field(default="", converter=str)


class Pair(NamedTuple):
    left: int
    right: str = "r"


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Extended(typing_extensions.TypedDict):
    title: str
    year: typing_extensions.NotRequired[int]


class Order(pydantic.BaseModel):
    id: int
    items: list[Address] = []
    note: str | None = None


class Crashing(pydantic.BaseModel):
    id: int

    @pydantic.field_validator("id")
    @classmethod
    def _crash(cls, value: int) -> int:
        raise RuntimeError("validator is broken")


PERSON = {"name": "Ada", "address": {"street": "Main St", "number": "3"}, "born": "1815-12-10"}
ADA = Person("Ada", Address("Main St", 3), date(1815, 12, 10))
GENERATOR = (number for number in (1, 2))
HERE = Path("a/b")
TEXTS = ["a", "b"]
NUMBERS = {"a": 1}
HALF_PAST = timedelta(hours=1, minutes=30)
PLAIN = Plain()
IDENTITY = "12345678-1234-5678-1234-567812345678"

NO = object()  # in the last column: refused

TABLE: list[tuple[Any, Any, Any]] = [
    # annotation, given, expected
    (bool, True, True),
    (bool, "true", True),
    (bool, "False", False),
    (bool, 1, True),
    (bool, 0, False),
    (bool, 2, NO),
    (bool, 1.0, NO),
    (bool, "no", NO),
    (bool, "1", NO),
    (bool, "", NO),
    (bool, None, NO),
    (bool, Level.LOW, NO),
    (bool, NumpyBool(), True),
    (int, 3, 3),
    (int, "3", 3),
    (int, "-3", -3),
    (int, "+007", 7),
    (int, 3.0, 3),
    (int, 3.9, NO),
    (int, float("inf"), NO),
    (int, float("nan"), NO),
    (int, "3.0", NO),
    (int, "1_000", NO),
    (int, " 3", NO),
    (int, "٣", NO),
    (int, "", NO),
    (int, "9" * 5000, NO),
    (int, True, NO),
    (int, None, NO),
    (int, b"3", NO),
    (int, Level.LOW, Level.LOW),
    (int, Decimal(3), NO),
    (float, 1.5, 1.5),
    (float, 3, 3.0),
    (float, 2**53 + 1, NO),
    (float, 10**400, NO),
    (float, "1.5", 1.5),
    (float, "-1e3", -1000.0),
    (float, ".5", 0.5),
    (float, "3", 3.0),
    (float, "inf", float("inf")),
    (float, "-Infinity", float("-inf")),
    (float, "1e999", NO),
    (float, "1e-999", NO),
    (float, "0e-999", 0.0),
    (float, "9007199254740993", NO),
    (float, "1_0.5", NO),
    (float, "abc", NO),
    (float, False, NO),
    (float, None, NO),
    (float, Fraction(1, 2), 0.5),
    (float, Fraction(1, 3), NO),
    (float, 1j, NO),
    (complex, 1j, 1j),
    (complex, 2, 2 + 0j),
    (complex, "1+2j", 1 + 2j),
    (complex, "(1.5-2j)", 1.5 - 2j),
    (complex, "12j", 12j),
    (complex, "12", 12 + 0j),
    (complex, "1+2", NO),
    (complex, "", NO),
    (complex, True, NO),
    (str, "abc", "abc"),
    (str, Text("abc"), Text("abc")),
    (str, Size.S, Size.S),
    (str, 3, NO),
    (str, None, NO),
    (str, b"abc", NO),
    (str, HERE, NO),
    (str, Color.RED, NO),
    (bytes, b"abc", b"abc"),
    (bytes, "aé", b"a\xc3\xa9"),
    (bytes, bytearray(b"abc"), b"abc"),
    (bytes, "\ud800", NO),
    (bytes, [97], NO),
    (bytes, 3, NO),
    (Decimal, Decimal("1.0"), Decimal("1.0")),
    (Decimal, "0.10", Decimal("0.10")),
    (Decimal, 0.1, Decimal("0.1")),
    (Decimal, 3, Decimal(3)),
    (Decimal, "1_0", NO),
    (Decimal, "ten", NO),
    (Decimal, True, NO),
    (Decimal, "1e99999999999999999999999", NO),
    (None, None, None),
    (type(None), None, None),
    (None, "", NO),
    (None, "null", NO),
    (None, 0, NO),
    (datetime, "2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5)),
    (datetime, "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    (datetime, "2026-01-02 03:04:05.5+01:00", datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=timezone(timedelta(hours=1)))),
    (datetime, "2026-01-02", datetime(2026, 1, 2)),
    (datetime, "2026-01-02T03:04:05.123456000", datetime(2026, 1, 2, 3, 4, 5, 123_456)),
    (datetime, "2026-01-02T03:04:05.123456789", NO),
    (datetime, date(2026, 1, 2), datetime(2026, 1, 2)),
    (datetime, "2026-01-02x03:04", NO),
    (datetime, "2026-02-30", NO),
    (datetime, "tomorrow", NO),
    (datetime, 1_700_000_000, NO),
    (date, "2026-01-02", date(2026, 1, 2)),
    (date, datetime(2026, 1, 2, 3), datetime(2026, 1, 2, 3)),
    (date, "2026-01-02T00:00:00", NO),
    (date, 20260102, NO),
    (time, "03:04:05", time(3, 4, 5)),
    (time, "03:04Z", time(3, 4, tzinfo=UTC)),
    (time, "25:00", NO),
    (time, 3, NO),
    (timedelta, 90, timedelta(seconds=90)),
    (timedelta, 0.1, timedelta(microseconds=100_000)),
    (timedelta, "90", timedelta(seconds=90)),
    (timedelta, "1:30:00", HALF_PAST),
    (timedelta, "-0:00:01.5", timedelta(seconds=-1.5)),
    (timedelta, "2 days, 1:30:00", timedelta(days=2) + HALF_PAST),
    (timedelta, "-1 day, 23:59:59", timedelta(seconds=-1)),
    (timedelta, "PT1H30M", HALF_PAST),
    (timedelta, "PT1.5H", HALF_PAST),
    (timedelta, "P1W2DT0,5S", timedelta(days=9, microseconds=500_000)),
    (timedelta, "-PT5S", timedelta(seconds=-5)),
    (timedelta, "P1M", NO),
    (timedelta, "P", NO),
    (timedelta, "PT", NO),
    (timedelta, "1:30", NO),
    (timedelta, 1 / 3, NO),
    (timedelta, "PT0.0000001S", NO),
    (timedelta, float("nan"), NO),
    (timedelta, 1e300, NO),
    (timedelta, True, NO),
    (timedelta, None, NO),
    (Path, "a/b", HERE),
    (Path, PurePosixPath("a/b"), HERE),
    (Path, "", NO),
    (Path, 3, NO),
    (Path, b"a", NO),
    (PurePath, HERE, HERE),
    (PureWindowsPath, "a\\b", PureWindowsPath("a", "b")),
    (UUID, IDENTITY, UUID(IDENTITY)),
    (UUID, IDENTITY.replace("-", "").upper(), UUID(IDENTITY)),
    (UUID, "1234", NO),
    (UUID, f"{{{IDENTITY}}}", NO),
    (UUID, 3, NO),
    (re.Pattern, "a+", re.compile("a+")),
    (re.Pattern[str], re.compile("a+"), re.compile("a+")),
    (re.Pattern[str], b"a", NO),
    (re.Pattern[bytes], re.compile("a"), NO),
    (re.Pattern, "a(", NO),
    (re.Pattern, 3, NO),
    (Color, Color.RED, Color.RED),
    (Color, "red", Color.RED),
    (Color, "RED", Color.RED),
    (Color, "Red", NO),
    (Color, None, NO),
    (Color, Level.LOW, NO),
    (Level, 1, Level.LOW),
    (Level, 2.0, Level.HIGH),
    (Level, "LOW", Level.LOW),
    (Level, "1", NO),
    (Level, True, NO),
    (Level, NumpyBool(), NO),
    (Switch, True, Switch.ON),
    (Switch, NumpyBool(), Switch.ON),
    (Switch, 1, NO),
    (Rights, 3, Rights.READ | Rights.WRITE),
    (Rights, 0, Rights(0)),
    (Rights, 2.0, Rights.WRITE),
    (Rights, "READ", Rights.READ),
    (Rights, Level.HIGH, Rights.WRITE),
    (Rights, True, NO),
    (Rights, False, NO),
    (Rights, NumpyBool(), NO),
    (Rights, 4, NO),
    (Rights, -1, Rights.READ | Rights.WRITE),
    (Rights, -5, NO),
    (Rights, 1.5, NO),
    (Rights, Decimal(1), NO),
    (Rights, "1", NO),
    (Rights, [], NO),
    (Ejecting, 3, Ejecting.READ | Ejecting.WRITE),
    (Ejecting, 8, NO),
    (Ejecting, 9, NO),
    (Ejecting, -9, NO),
    (Ejecting | int, 8, 8),
    (Conforming, 3, Conforming.READ | Conforming.WRITE),
    (Conforming, 9, NO),
    (Keeping, 9, Keeping(9)),
    (Keeping, False, NO),
    (Listed, ["WRITE"], Listed.WRITE),
    (Literal[Rights.READ], 1, Rights.READ),
    (Literal[Rights.READ], True, NO),
    (Literal[Ejecting.READ], 8, NO),
    (Picky, "ONE", Picky.ONE),
    (Picky, 2, NO),
    (Literal["a", "b"], "a", "a"),
    (Literal["a", "b"], "c", NO),
    (Literal[1, 2], 1, 1),
    (Literal[1, 2], "1", NO),
    (Literal[1, 2], True, NO),
    (Literal[1, 2], 1.0, NO),
    (Literal[True], True, True),
    (Literal[True], 1, NO),
    (Literal["a"] | None, None, None),
    (Literal[Color.RED], "red", Color.RED),
    (Literal[Color.RED], "green", NO),
    (Literal["small"], Size.S, Size.S),
    (Optional[int], None, None),  # noqa: UP045  what is written with `|` is of another class
    (int | None, "3", 3),
    (int | None, "x", NO),
    (int | str, "3", "3"),
    (str | int, 3, 3),
    (float | int, 3, 3),
    (int | float, 3.0, 3.0),
    (int | float, "3", 3),
    (int | float, "3.5", 3.5),
    (bool | int, True, True),
    (int | bool, True, True),
    (int | datetime, "2026-01-02", datetime(2026, 1, 2)),
    (Color | str, "red", "red"),
    (Union[int, str], "3", "3"),  # noqa: UP007
    (list[int] | list[str], ["3"], ["3"]),
    (list[int] | dict[str, int], {"a": "1"}, {"a": 1}),
    (Address | int, {"street": "x"}, Address("x")),
    (int | str, None, NO),
    (int | Any, "3", "3"),
    (list, (1, 2), [1, 2]),
    (list[int], ["1", 2.0], [1, 2]),
    (list[int], range(2), [0, 1]),
    (list[int], deque([1]), [1]),
    (list[int], [1.5], NO),
    (list[str], "ab", NO),
    (list[int], b"ab", NO),
    (list[int], {1, 2}, NO),
    (list[int], {"a": 1}, NO),
    (list[int], GENERATOR, NO),
    (list[int], None, NO),
    (typing.List[int], ["1"], [1]),  # noqa: UP006  people still write it
    (list[list[int]], [["1"], []], [[1], []]),
    (list[Any], [1, "a"], [1, "a"]),
    (list["Missing"], [1, "a"], [1, "a"]),  # type: ignore[name-defined]  # noqa: F821
    (tuple, [1, "a"], (1, "a")),
    (tuple[int, str], ["1", "a"], (1, "a")),
    (tuple[int, str], [1], NO),
    (tuple[int, str], [1, "a", 2], NO),
    (tuple[int, ...], [], ()),
    (tuple[int, ...], ["1", "2"], (1, 2)),
    (tuple[int, ...], "12", NO),
    (set[int], ["1", 2], {1, 2}),
    (set[int], frozenset({"1"}), {1}),
    (set[int], [1, 1], NO),
    (set[int], [1, "1"], NO),
    (set[int], {1, "1"}, NO),
    (set[Any], [[]], NO),
    (set, "ab", NO),
    (frozenset[int], ["1"], frozenset({1})),
    (frozenset[int], {1}, frozenset({1})),
    (AbstractSet[int], ["1"], frozenset({1})),
    (AbstractSet[int], {"1"}, {1}),
    (AbstractSet[str], NUMBERS.keys(), NUMBERS.keys()),
    (MutableSet[int], frozenset({1}), {1}),
    (dict, NUMBERS, NUMBERS),
    (dict[str, int], {"a": "1"}, {"a": 1}),
    (dict[int, int], {"1": 1}, {1: 1}),
    (dict[int, int], {"1": 1, 1: 2}, NO),
    (dict[list[int], int], {(1,): 1}, NO),
    (dict[str, int], {"a": "x"}, NO),
    (dict[str, int], {1: 1}, NO),
    (dict[str, int], [["a", 1]], NO),
    (dict[str, int], MappingProxyType({"a": 1}), {"a": 1}),
    (Mapping[str, int], MappingProxyType(NUMBERS), MappingProxyType(NUMBERS)),
    (Mapping[str, float], {"a": 1}, {"a": 1.0}),
    (Mapping[str, int], None, NO),
    (MutableMapping[str, int], MappingProxyType({"a": 1}), {"a": 1}),
    (OrderedDict, {"a": 1}, NO),
    (Sequence[int], ["1"], [1]),
    (Sequence[int], ("1",), (1,)),
    (Sequence[int], range(3), range(3)),
    (Sequence[int], b"ab", b"ab"),
    (Sequence[str], "ab", NO),
    (Sequence[str], TEXTS, TEXTS),
    (Sequence, "ab", "ab"),
    (Sequence[Any], "ab", "ab"),
    (Sequence[Any], "日本", "日本"),
    (Sequence[object], "日本", "日本"),
    (Sequence[T], "日本", "日本"),
    (Iterable[object], "日本", "日本"),
    (Sequence[object], [1, "a"], [1, "a"]),
    (MutableSequence[object], "日本", NO),
    (Sequence[str], "日本", NO),
    (Sequence[Any], {1}, NO),
    (MutableSequence[Any], "日本", NO),
    (Iterable[Any], "日本", "日本"),
    (Collection[Any], "日本", "日本"),
    (AbstractSet[Any], "日本", NO),
    (list[Any], "日本", NO),
    (tuple[Any, ...], "日本", NO),
    (Sequence[Any] | None, "日本", "日本"),
    (Sequence[int], {1}, NO),
    (MutableSequence[int], ("1",), [1]),
    (Iterable[int], ["1"], [1]),
    (Iterable[int], {"1"}, {1}),
    (Iterable[int], GENERATOR, GENERATOR),
    (Iterable[str], "ab", NO),
    (Iterable[int], 3, NO),
    (Collection[int], ("1",), (1,)),
    (Collection[int], GENERATOR, NO),
    (Iterator[int], GENERATOR, GENERATOR),
    (Iterator[int], [1], NO),
    (deque[int], [1], NO),
    (Movie, {"title": "M", "year": "1931"}, {"title": "M", "year": 1931}),
    (Movie, {"title": "M"}, {"title": "M"}),
    (Movie, {"year": 1931}, NO),
    (Movie, {"title": "M", "colour": 1}, NO),
    (Movie, [], NO),
    (Extended, {"title": "M", "year": "1931"}, {"title": "M", "year": 1931}),
    (Extended, {"year": 1}, NO),
    (Pair, Pair(1), Pair(1)),
    (Pair, ["1", "a"], Pair(1, "a")),
    (Pair, {"left": "1"}, Pair(1)),
    (Pair, [], NO),
    (Pair, [1, "a", 2], NO),
    (Pair, "ab", NO),
    (Point, [1, "a"], Point(1, "a")),
    (Address, {"street": "x", "number": "2"}, Address("x", 2)),
    (Address, {"street": "x", "zip": 1}, NO),
    (Address, {"number": 2}, NO),
    (Address, {1: 2}, NO),
    (Address, ["x", 2], NO),
    (Address, "x", NO),
    (Address, None, NO),
    (Person, PERSON, ADA),
    (Late, {"date": "2026-01-02", "seed": "7"}, Late(date(2026, 1, 2), 7)),
    (Late, {"made": 1}, NO),
    (Positive, {"amount": "1"}, Positive(1)),
    (Positive, {"amount": -1}, NO),
    (Node, {"value": 1, "children": [{"value": "2"}]}, Node(1, [Node(2)])),
    (Box[int], {"content": "3", "more": ["4"]}, Box(3, [4])),
    (Box[int], {"content": "x"}, NO),
    (Box, {"content": "3"}, Box("3")),
    (Item, {"price": "0.10", "count": "2", "tag": 3}, Item(price=Decimal("0.10"), count=2, tag=3)),
    (Item, {"price": "dear"}, NO),
    (list[Item], [{"price": 1}], [Item(price=Decimal(1))]),
    (Order, {"id": "1", "items": [], "note": None}, Order(id=1)),
    (Order, {"id": "x"}, NO),
    (Order, [], NO),
    (Crashing, {"id": 1}, NO),
    (list[Order], [{"id": 1}], [Order(id=1)]),
    (pydantic.HttpUrl, "https://example.org/", pydantic.HttpUrl("https://example.org/")),
    (pydantic.HttpUrl, "nowhere", NO),
    (Annotated[int, "a remark"], "3", 3),
    (Annotated[int, "a remark"], "x", NO),
    (UserId, "3", 3),
    (UserId, "x", NO),
    (T, "3", "3"),
    (Any, PLAIN, PLAIN),
    (object, "3", "3"),
    ("Missing", "3", "3"),
    (typing.ForwardRef("Missing"), "3", "3"),
    ("a sentence, no type", "3", "3"),
    (3, "3", "3"),
    (Quacks, 3, 3),
    (Secretive, 3, 3),
    (Enum, Color.RED, Color.RED),
    (Enum, "red", NO),
    (typing.Final[int], "3", 3),
    (typing_extensions.TypeAliasType("Numbers", list[int]), ["3"], [3]),
    (Callable[[int], str], print, print),
    (Callable, 3, NO),
    (type, int, int),
    (type[int], bool, bool),
    (type[int], str, NO),
    (type[int | str], str, str),
    (type[Any], str, str),
    (type[int], 3, NO),
    (type[T], int, int),
    (Plain, PLAIN, PLAIN),
    (Plain, 3, NO),
    (Plain, {}, NO),
    (typing.TextIO, sys.stdout, sys.stdout),
    (typing.TextIO, "a.txt", NO),
    (typing.Hashable, 3, 3),
    (typing.Hashable, [], NO),
]


def _name(thing: Any) -> str:
    """A test's name: the same in every process, so no value stands in it."""
    return re.sub(r"[^\w\[\], .:'{}|-]", "", repr(thing).replace(f"{__name__}.", ""))[:60]


@pytest.mark.parametrize(("annotation", "value", "expected"), TABLE, ids=[f"{number} {_name(row[0])}" for number, row in enumerate(TABLE)])
def test_table(annotation: Any, value: Any, expected: Any) -> None:
    """Each annotation takes what the table says, as what it says, and refuses the rest in one short sentence."""
    if expected is NO:
        with pytest.raises(WrongParameterType) as caught:
            coerced(value, annotation, where="flow 'f'", name="x")
        assert str(caught.value).startswith("flow 'f': parameter ")
        assert len(caught.value.given) <= 80
        assert "\n" not in str(caught.value)
        return
    result = coerced(value, annotation, where="flow 'f'", name="x")
    assert result == expected
    assert type(result) is type(expected)


def test_not_a_number_from_text() -> None:
    """The text nan is a float, though equal to nothing."""
    assert str(coerced("NaN", float, where="f", name="x")) == "nan"


@pytest.mark.parametrize("first", [False, True, 0.0, Level.LOW, 8, -1, -9])
def test_flags_are_asked_without_a_trace(first: Any) -> None:
    """Whatever was asked of a class of flags before, its numbers are found as in a fresh process."""
    kinds = [Flag("Fresh", "READ WRITE"), IntFlag("Fresh", "READ WRITE", boundary=EJECT)]  # made here: no other test has asked them
    for kind in kinds:
        with suppress(WrongParameterType):
            coerced(first, kind, where="f", name="x")
        found = [coerced(number, kind, where="f", name="x") for number in range(4)]
        assert [(type(each), each.value, type(each.value)) for each in found] == [(kind, number, int) for number in range(4)]


# What fits stays


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (list[int], [1, 2]),
        (list[int | None], [1, None]),
        (Sequence[int], (1, 2)),
        (Sequence[int], range(1000, 1002)),
        (Sequence[Any], range(1000, 1002)),
        (Sequence[Any], "日本"),
        (MutableSequence[float], array("d", [0.1])),
        (Mapping[str, str], os.environ),
        (Mapping[Any, Any], os.environ),
        (dict[str, list[int]], {"a": [1]}),
        (dict[str, int], defaultdict(int, a=1)),
        (Mapping[str, int], MappingProxyType({"a": 1})),
        (tuple[int, ...], Pair(1)[:1]),
        (tuple[int, str], Pair(1)),
        (set[int], {1}),
        (Movie, {"title": "M"}),
        (Address, Address("x", 2)),
        (Order, Order(id=1)),
        (Box[int], Box("not looked into")),
        (re.Pattern[str], re.compile("a")),
        (str, Text("a")),
        (float, float("nan")),
        (Callable[..., Any], partial(print)),
        (Iterable[int], (number for number in (1, 2))),
    ],
)
def test_what_fits_is_not_copied(annotation: Any, value: Any) -> None:
    """A value that fits, and an instance of a subclass, stays the very same object."""
    assert coerced(value, annotation, where="f", name="x") is value


def test_what_changes_is_copied() -> None:
    """A collection with an item that had to be converted is a new one; the one that was given is left alone."""
    mine = {"a": ["1"]}
    assert coerced(mine, dict[str, list[int]], where="f", name="x") == {"a": [1]}
    assert mine == {"a": ["1"]}


def test_generator_is_not_read() -> None:
    """A generator reaches the function with all its items."""
    items = (number for number in (1, 2))
    assert list(coerced(items, Iterable[int], where="f", name="x")) == [1, 2]


# Sentences


@pytest.mark.parametrize(
    ("annotation", "value", "sentence"),
    [
        (int, "abc", "parameter 'x' must be a whole number (int), not the text 'abc'"),
        (int, 3.9, "parameter 'x' must be a whole number (int), not 3.9 (float)"),
        (int, True, "parameter 'x' must be a whole number (int), not True (bool)"),
        (str, None, "parameter 'x' must be a text (str), not nothing (None)"),
        (Literal["a", "b"], "c", "parameter 'x' must be one of 'a', 'b', not the text 'c'"),
        (Color, "blue", "parameter 'x' must be one of 'red', 'green' (Color), not the text 'blue'"),
        (int | None, "a", "parameter 'x' must be a whole number (int) or nothing (None), not the text 'a'"),
        (list[int], "12", "parameter 'x' must be a list (list[int]), not the text '12'"),
        (list[int], [1, "a"], "parameter 'x[1]' must be a whole number (int), not the text 'a'"),
        (dict[str, int], {"a": None}, "parameter \"x['a']\" must be a whole number (int), not nothing (None)"),
        (dict[int, int], {"a": 1}, "parameter \"x[key 'a']\" must be a whole number (int), not the text 'a'"),
        (tuple[int, str], [1], "parameter 'x' must be a tuple (tuple[int, str]), not a list with 1 item"),
        (set[int], [1, 1], "parameter 'x' must be a set, or a list without doubles, not a list with 2 items"),
        (Person, {"name": "A", "address": {}}, "parameter 'x.address.street' must be a text (str), not missing"),
        (Person, {**PERSON, "address": {"street": 1}}, "parameter 'x.address.street' must be a text (str), not 1 (int)"),
        (Address | None, {"street": 1}, "parameter 'x.street' must be a text (str), not 1 (int)"),
        (Address, {"stret": "x"}, "parameter 'x' must be an Address with street, number, not a dict with the unknown key 'stret'"),
        (list[Item], [{"price": "a"}], "parameter 'x[0].price' must be a decimal number (Decimal), not the text 'a'"),
        (Positive, {"amount": -1}, "parameter 'x' must be what Positive takes (amount must not be negative), not a dict with 1 item"),
        (Order, {"id": [], "items": []}, "parameter 'x.id' must be a valid integer, not a list with 0 items"),
        (Order, {}, "parameter 'x.id' must be what Order takes (Field required), not missing"),
        (Order, {"id": "a", "note": 1}, "not the text 'a' (and 1 more)"),
        (Plain, PLAIN.__class__, "not the class Plain"),
        (Callable[[int], str], 3, "parameter 'x' must be something that can be called (Callable[[int], str]), not 3 (int)"),
        (Plain, Address("secret"), "parameter 'x' must be a Plain, not an Address"),
        (list[Literal["a.b"]], 3, "parameter 'x' must be a list (list[Literal['a.b']]), not 3 (int)"),
        (int, NumpyBool(), "parameter 'x' must be a whole number (int), not a numpy.bool"),
        (Enum, 3, "parameter 'x' must be an Enum, not 3 (int)"),
        (int, 10**100, None),
        (str, 10**100, "not a whole number of very many digits (int)"),
    ],
)
def test_sentence(annotation: Any, value: Any, sentence: str | None) -> None:
    """An error says in human words where the fault is, what is needed there, and what was given."""
    if sentence is None:
        assert coerced(value, annotation, where="flow 'f'", name="x") == value
        return
    with pytest.raises(WrongParameterType) as caught:
        coerced(value, annotation, where="flow 'f'", name="x")
    assert str(caught.value).startswith("flow 'f': ")
    assert sentence in str(caught.value)


def test_refusal_is_short() -> None:
    """However big what is given, the error fits on a few lines."""
    for huge in ("x" * 10_000_000, ["x"] * 1_000_000, {"k" * 10_000_000: 2}, 10**5000, b"x" * 1_000_000, "\x00" * 1000):
        with pytest.raises(WrongParameterType) as caught:
            coerced(huge, dict[str, bool], where="f", name="x")
        assert len(caught.value.given) <= 80
        assert len(str(caught.value)) < 300


def test_unreadable_repr_is_not_asked() -> None:
    """A value's own repr is never run for an error, so it cannot break it or tell a secret."""

    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    with pytest.raises(WrongParameterType, match="Hostile"):
        coerced(Hostile(), int, where="f", name="x")


def test_value_inside_itself() -> None:
    """A value that contains itself, or is nested without end, is refused where the annotation would follow it for ever."""
    ring: dict[str, Any] = {"value": 1}
    ring["children"] = [ring]
    with pytest.raises(WrongParameterType, match="nested too deep"):
        coerced(ring, Node, where="f", name="x")


def test_cause_is_not_chained() -> None:
    """The error comes alone: no inner exception is shown beneath it."""
    with pytest.raises(WrongParameterType) as caught:
        coerced({"address": {"street": 1}}, dict[str, Address], where="f", name="x")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_known_types_are_not_imported() -> None:
    """Coercion loads none of the modules whose types it knows, until one of them is used."""
    unwanted = {"decimal", "uuid", "pathlib", "dataclasses", "fractions", "numbers", "pydantic"}
    question = f"import sys; import headrace.model.parameters; print({unwanted} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_pydantic_is_asked_only_where_it_is_loaded() -> None:
    """Without pydantic a mapping becomes a dataclass all the same, and pydantic is not imported for it."""
    question = (
        "import sys, dataclasses\nfrom headrace.model.coercion import coerced\n"
        "@dataclasses.dataclass\nclass A:\n    b: int\n"
        "print(coerced({'b': '1'}, A, where='f', name='x'), 'pydantic' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "A(b=1) False"


# What holds for all of them

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
json_like = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12)
field_names = st.sampled_from(
    ["street", "number", "name", "address", "price", "title", "year", "left", "value", "children", "id", "content"]
)
shaped_for_records = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(field_names, inner, max_size=3), max_leaves=12
)
likely_texts = st.from_regex(r"\A[-+]?[0-9PTWDHMSZ:.,eE+ jinfa-]{1,24}\Z") | st.datetimes().map(str) | st.timedeltas().map(str)


@given(value=st.integers() | st.floats() | st.text() | st.booleans() | st.binary() | st.complex_numbers() | st.decimals(allow_nan=False))
def test_own_type_is_identity(value: Any) -> None:
    """A value given where its own type is wanted stays the same object, alone, optional, or in a union with any other."""
    kind = type(value)
    assert coerced(value, kind, where="f", name="x") is value
    assert coerced(value, kind | None, where="f", name="x") is value
    for other in (bool, int, float, str, bytes, complex, Decimal, datetime, Path):
        assert coerced(value, other | kind, where="f", name="x") is value


@given(value=st.integers() | st.floats(allow_nan=False) | st.booleans())
def test_text_comes_back(value: Any) -> None:
    """The text of a number or truth, as Python or JSON writes it, is read as that very value."""
    texts = {str(value)} | ({json.dumps(value)} if isinstance(value, bool) else {repr(value)})
    assert [coerced(text, type(value), where="f", name="x") for text in texts] == [value] * len(texts)


@given(value=st.integers() | st.floats())
def test_numbers_lose_nothing(value: Any) -> None:
    """A number taken as another kind of number is equal to what was given; else it is refused."""
    for kind in (int, float, complex):
        try:
            result = coerced(value, kind, where="f", name="x")
        except WrongParameterType:
            continue
        assert result == value or math.isnan(value)


@given(value=st.timedeltas())
def test_durations_come_back(value: timedelta) -> None:
    """A duration's text, and its microseconds as an ISO duration, are read as that very duration."""
    microseconds = value // timedelta(microseconds=1)
    sign = "-" if microseconds < 0 else ""
    iso = f"{sign}PT{abs(microseconds) // 1_000_000}.{abs(microseconds) % 1_000_000:06}S"
    assert coerced(str(value), timedelta, where="f", name="x") == value
    assert coerced(iso, timedelta, where="f", name="x") == value


@dataclasses.dataclass
class Whole:
    number: int
    share: float
    text: str
    yes: bool
    moment: datetime
    day: date
    hour: time
    duration: timedelta
    place: PurePosixPath
    identity: UUID
    price: Decimal
    color: Color
    level: Literal["low", "high"]
    maybe: int | None
    pair: tuple[int, str]
    numbers: list[float]
    unique: frozenset[str]
    by_number: dict[int, list[date]]
    address: Address
    item: Pair


wholes = st.builds(
    Whole,
    share=st.floats(allow_nan=False, allow_infinity=False),
    moment=st.datetimes(timezones=st.just(UTC) | st.none()),
    place=st.text("abc/.", min_size=1).map(PurePosixPath).filter(lambda path: str(path) != "."),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False)),
    hour=st.times(),
)


def _as_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return sorted(value) if isinstance(value, frozenset) else str(value)


@given(whole=wholes)
def test_dataclass_comes_back_from_json(whole: Whole) -> None:
    """A dataclass written as JSON, in the most natural way, is read back whole."""
    text = json.dumps(dataclasses.asdict(whole), default=_as_json)
    assert coerced(json.loads(text), Whole, where="f", name="x") == whole


ANNOTATIONS = [*{repr(row[0]): row[0] for row in TABLE}.values(), Whole, list[Whole]]


@settings(max_examples=300, deadline=None)
@given(value=json_like | shaped_for_records | likely_texts)
def test_no_other_error(value: Any) -> None:
    """Whatever JSON holds, and whatever is wanted, the answer is a value or an error of headrace, and a second time changes nothing."""
    for annotation in ANNOTATIONS:
        try:
            result = coerced(value, annotation, where="f", name="x")
        except HeadraceError as error:
            str(error)
            continue
        assert coerced(result, annotation, where="f", name="x") is result


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=_name)
def test_every_annotation_has_words(annotation: Any) -> None:
    """Every annotation can be said in one line."""
    assert said(annotation)
    assert "\n" not in said(annotation)


@given(value=json_like | st.binary() | st.decimals() | st.datetimes() | st.uuids())
def test_every_value_has_words(value: Any) -> None:
    """Every value can be told in one line of at most 80 characters."""
    assert 0 < len(shown(value)) <= 80
    assert "\n" not in shown(value)
