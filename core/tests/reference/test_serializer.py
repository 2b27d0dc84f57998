"""The reference serializer is a serializer, and what is special about it."""

import io
from typing import Any

import pytest

from headrace.errors import NotSerializable, WrongData
from headrace.ports.serializer import Serializer
from headrace.reference.serializer import DEEPEST, JsonSerializer
from headrace.testing.conformance.serializer import SerializerConformance, Text, dumped


class TestJsonSerializer(SerializerConformance):
    @pytest.fixture
    def serializer(self) -> Serializer:
        return JsonSerializer()


def refusal(value: Any) -> str:
    """The sentence with which the value is refused."""
    with pytest.raises(NotSerializable) as raised:
        dumped(JsonSerializer(), value)
    return str(raised.value)


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_json_is_compact_text() -> None:
    """What is written is compact JSON in UTF-8, which people and other programs can read."""
    assert dumped(JsonSerializer(), {"a": [1, "ü", None]}) == '{"a":[1,"ü",null]}'.encode()


@pytest.mark.parametrize(
    ("value", "place", "why"),
    [
        ((1,), "$", "type tuple"),
        ({"rows": [1, 2, {3}]}, "$.rows[2]", "type set"),
        ({"a": {"two words": [[b""]]}}, "$.a['two words'][0][0]", "type bytes"),
        ([1, {"n": float("nan")}], "$[1].n", "it is nan"),
        ({"a": {1: 2}}, "$.a", "a key of type int"),
        ([Text("x")], "$[0]", "headrace.testing.conformance.serializer.Text"),
        (["\ud800"], "$[0]", "surrogate"),
        ([1 << 20_000], "$[0]", "integer too long"),
    ],
)
def test_a_refusal_names_the_place(value: Any, place: str, why: str) -> None:
    """What JSON would change is refused with its place, what it is, and what to do."""
    sentence = refusal(value)
    assert f"the value at {place} cannot be written by serializer 'json': " in sentence
    assert why in sentence
    assert "pip install headrace-pickle" in sentence


def test_depth_is_bounded() -> None:
    """A value nested deeper than anybody could read again is refused with a short sentence; so is one that contains itself."""
    assert JsonSerializer().load(io.BytesIO(dumped(JsonSerializer(), nested(DEEPEST)))) == nested(DEEPEST)
    circle: list[Any] = []
    circle.append(circle)
    for value in (nested(DEEPEST + 1), nested(100_000), circle):
        sentence = refusal(value)
        assert "nested more than" in sentence
        assert len(sentence) < 400


def test_a_refused_value_leaves_no_bytes() -> None:
    """Nothing is written before the whole value was found good."""
    file = io.BytesIO()
    with pytest.raises(NotSerializable):
        JsonSerializer().dump([1, 2, {3}], file)
    assert file.getvalue() == b""


@pytest.mark.parametrize("content", [b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b"{'a': 1}", b"1 2"])
def test_what_is_not_json_is_wrong_data(content: bytes) -> None:
    """Reading is as strict as writing."""
    with pytest.raises(WrongData):
        JsonSerializer().load(io.BytesIO(content))
