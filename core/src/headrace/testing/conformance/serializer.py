"""What every serializer does."""

import io
import math
import socket
import threading
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from typing import Any

import pytest

from headrace.errors import NotSerializable, WrongData
from headrace.ports.serializer import Serializer
from headrace.testing.conformance.facts import Facts


class Colour(Enum):
    """A plain enumeration."""

    RED = "red"


class Word(StrEnum):
    """Members are text, and equal to it."""

    YES = "yes"


class Number(IntEnum):
    """Members are integers, and equal to them."""

    ONE = 1


class Text(str):
    """Text of a class of its own."""


Point = namedtuple("Point", "x y")

PLAIN: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**53 + 1,
    -(10**30),
    0.0,
    -0.0,
    0.1,
    1e-300,
    1.7976931348623157e308,
    "",
    "text",
    'two\nlines, "quotes", \\, \0, ümläut, 漢字, 😀, \u2028',
    [],
    {},
    [1, 1.0, True, None, "1", [[]]],
    {"": 0, "a": {"b": [1, {"c": None}]}, "two words": "x", "1": 1, "b": 2, "a ": 3},
    list(range(10_000)),
    {str(number): number / 7 for number in range(1000)},
    "x" * 1_000_000,
]
"""Values that any serializer of Python data keeps."""

DELICATE: list[Any] = [
    math.nan,
    math.inf,
    -math.inf,
    (1, 2),
    [(1, 2)],
    {"a": (1,)},
    {1, 2},
    frozenset({1}),
    {1: "a"},
    {True: "a"},
    {None: "a"},
    {(1, 2): "a"},
    {1: "a", "1": "b"},
    b"bytes",
    bytearray(b"bytes"),
    1j,
    Decimal("1.10"),
    datetime(2026, 1, 1, tzinfo=UTC),
    date(2026, 1, 1),
    timedelta(seconds=1),
    PurePosixPath("a/b"),
    Colour.RED,
    Word.YES,
    Number.ONE,
    {Word.YES: 1},
    [Number.ONE],
    Text("text"),
    {Text("key"): 1},
    Point(1, 2),
    OrderedDict(a=1),
    range(3),
    "half a surrogate pair: \ud83d",
    "two halves, not one whole: \ud83d\ude00",
    {"\udc80": 1},
    2**20_000,
    ValueError("no"),
    int,
    len,
]
"""Values that a careless serializer gives back as something else."""


def same(one: Any, other: Any) -> bool:
    """Whether both are equal, and of the same types all the way down (1 == True == 1.0, and nan != nan)."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(same(a, b) and same(one[a], other[b]) for a, b in zip(one, other, strict=True))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (float, BaseException)):
        return repr(one) == repr(other)
    return bool(one == other)


def dumped(serializer: Serializer, value: Any) -> bytes:
    """The value's bytes."""
    file = io.BytesIO()
    serializer.dump(value, file)
    return file.getvalue()


class SerializerConformance(Facts):
    """Facts about serializers. Override the fixture `serializer`, and `kept` if it is made for values of another kind than plain data."""

    @pytest.fixture
    def serializer(self) -> Serializer:
        raise NotImplementedError("override the fixture `serializer`; it gives the serializer to try")

    @pytest.fixture
    def kept(self) -> list[Any]:
        """Values that this serializer must be able to write."""
        return PLAIN

    def test_values_come_back(self, serializer: Serializer, kept: list[Any]) -> None:
        """What it is made for comes back equal, of the same types and in the same order."""
        for value in kept:
            assert same(serializer.load(io.BytesIO(dumped(serializer, value))), value), repr(value)[:200]

    @pytest.mark.parametrize("value", DELICATE, ids=lambda value: type(value).__name__)
    def test_nothing_is_changed_silently(self, serializer: Serializer, value: Any) -> None:
        """A delicate value comes back as it was, or is refused; it never comes back as something else, also deep inside another."""
        for whole in (value, {"deep": [0, {"in": value}]}):
            try:
                content = dumped(serializer, whole)
            except NotSerializable:
                continue
            assert same(serializer.load(io.BytesIO(content)), whole)

    @pytest.mark.parametrize("make", [threading.Lock, lambda: (str(number) for number in range(3)), socket.socket])
    def test_what_no_bytes_can_hold_is_refused(self, serializer: Serializer, make: Any) -> None:
        """A lock, a generator or a connection is refused with NotSerializable, whose sentence says what and why."""
        value = make()
        for whole in (value, [value], {"deep": [value]}):
            with pytest.raises(NotSerializable) as raised:
                dumped(serializer, whole)
            assert raised.value.what
            assert raised.value.why
        getattr(value, "close", dict)()

    def test_the_same_value_gives_the_same_bytes(self, serializer: Serializer, kept: list[Any]) -> None:
        """Writing a value twice gives the same bytes, so that equal results are recognised by their hash."""
        for value in kept:
            assert dumped(serializer, value) == dumped(serializer, value)

    def test_what_is_damaged_is_told(self, serializer: Serializer, kept: list[Any]) -> None:
        """Bytes that are cut, empty or not its own raise WrongData, not whatever the reader stumbled over."""
        whole = dumped(serializer, max(kept, key=lambda value: len(dumped(serializer, value))))
        for content in (b"", whole[:-1], whole[: len(whole) // 2], b"\xfe\xfd\xfc this was never written by it"):
            with pytest.raises(WrongData):
                serializer.load(io.BytesIO(content))
