"""What holds of all parameters: from what is given over what is kept to what the flow takes, nothing is lost, and nothing else is raised."""

import dataclasses
import json
import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import attrs
import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.cli.typed_parameters import typed
from headrace.errors import MissingParameter, UnknownParameter, WrongParameters, WrongParameterType
from headrace.model.parameters import Parameter, Signature
from headrace.wire.checking import checked_parameters
from headrace.wire.parameters import is_whole, plain_parameters
from headrace.wire.schemas import parameter_schema


class Color(Enum):
    RED = "red"
    GREEN = "green"


@dataclasses.dataclass
class Box:
    size: int
    label: str = "x"


@attrs.frozen
class Crate:
    boxes: list[Box]


class Pair(NamedTuple):
    left: int
    right: float


HINTS: list[Any] = [
    Any,
    None,
    bool,
    int,
    float,
    str,
    bytes,
    Decimal,
    date,
    datetime,
    timedelta,
    Path,
    UUID,
    Color,
    Literal["a", 1, True],
    int | None,
    str | int,
    int | float | None,
    list,
    list[int],
    list[list[float]],
    tuple[int, str],
    tuple[float, ...],
    set[str],
    dict,
    dict[str, int],
    dict[str, list[date]],
    Box,
    Crate,
    Pair,
    list[Box] | dict[str, Box],
    object,
    "what nobody knows",
]
REFUSALS = (WrongParameterType, UnknownParameter, MissingParameter, WrongParameters)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["size", "label", "boxes", "left"]) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
telling_texts = st.sampled_from(
    [
        *("3", "-0", "1e3", "0.1", "true", "null", "red", "RED", "a", "nan", "inf", "/tmp/x", "[1]", '{"size": 1}'),
        *("2026-01-02", "2026-01-02T03:04:05+01:00", "1 day, 0:00:01", "P1DT1S", "12345678-1234-5678-1234-567812345678"),
    ]
)
telling = telling_texts | st.sampled_from(
    [
        *({"size": 1}, {"size": "2", "label": "y"}, {"boxes": [{"size": 1}]}, {"left": 1, "right": 2}),
        *([1, "a"], [1, 2.0], 1.0, 2**63, 10**400),
    ]
)
given_values = json_values | telling | st.lists(telling, max_size=2)
many = settings(max_examples=200)


def signature_of(hint: Any) -> Signature:
    return Signature(parameters=(Parameter(name="x", annotation=hint),))


def check_sentence(said: str) -> None:
    assert "\n" not in said
    assert said.startswith("flow 'f': parameter ")


def same(left: Any, right: Any) -> bool:
    """Whether plain values are equal, NaN with itself, and 1 not with True."""
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@many
@given(value=given_values)
def test_what_is_taken_is_kept_and_taken_again(value: Any) -> None:
    """A deployment keeps what was coerced as plain data; its run takes that once more, and what it would keep then is the same."""
    for hint in HINTS:
        signature = signature_of(hint)
        try:
            taken = signature.validated("flow 'f'", {"x": value})
        except REFUSALS as refused:
            check_sentence(str(refused))
            continue
        assert signature.validated("flow 'f'", taken)["x"] is taken["x"], hint
        kept = plain_parameters(taken)
        if not is_whole(kept):
            continue
        kept = json.loads(json.dumps(kept))
        again = plain_parameters(signature.validated("flow 'f'", kept))
        assert same(again["x"], kept["x"]), hint


@many
@given(value=json_values)
def test_what_takes_anything_loses_nothing(value: Any) -> None:
    """Without an annotation it is kept as it was given."""
    for hint in (Any, object):
        assert plain_parameters(signature_of(hint).validated("flow 'f'", {"x": value})) == {"x": value}


@many
@given(value=given_values)
def test_whoever_makes_a_run_says_no_other_error(value: Any) -> None:
    """The schema that a deployment keeps judges every value by a sentence, or takes it; and what it refuses, the flow would not take."""
    for hint in HINTS:
        schema = parameter_schema(signature_of(hint))
        try:
            checked_parameters("deployment 'd'", schema, {"x": value})
        except REFUSALS:
            try:
                signature_of(hint).validated("flow 'f'", {"x": value})
            except REFUSALS:
                continue
            raise AssertionError(f"{hint} takes {value!r}, but its schema does not") from None


@many
@given(text=st.text(max_size=20) | telling_texts | json_values.map(json.dumps))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    """As a parameter of any type; there is a value, or a sentence that names the option."""
    for hint in HINTS:
        schema = parameter_schema(signature_of(hint))
        for pairs, whole in (([f"x={text}"], None), ([], text), ([text], None)):
            try:
                given = typed(schema, pairs, whole)
            except click.UsageError as refused:
                given = {}
                check_option(refused.format_message())
            assert set(given) <= {"x"}


def check_option(said: str) -> None:
    assert "param" in said


@many
@given(names=st.lists(st.text(max_size=5), max_size=3), given_names=st.lists(st.text(max_size=5), max_size=3))
def test_names_are_known_or_refused(names: list[str], given_names: list[str]) -> None:
    """Whatever parameters are called: those that are not there are named, and those that there are."""
    signature = Signature(parameters=tuple(Parameter(name=name, default=None) for name in dict.fromkeys(names)))
    given = dict.fromkeys(given_names, 1)
    unknown = [name for name in given if name not in names]
    if not unknown:
        assert signature.validated("flow 'f'", given) == given
        return
    with pytest.raises(UnknownParameter) as caught:
        signature.validated("flow 'f'", given)
    assert (caught.value.name, caught.value.known) == (unknown[0], signature.names)
