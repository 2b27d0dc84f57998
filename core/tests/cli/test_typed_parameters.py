"""Parameters as people type them: how a text is read, and what is said where it cannot be."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cli.typed_parameters import typed
from headrace.model.parameters import Parameter, Signature
from headrace.wire.checking import checked_parameters
from headrace.wire.schemas import parameter_schema


class Level(Enum):
    LOW = 1
    HIGH = 2


class Color(Enum):
    RED = "red"


@dataclasses.dataclass
class Config:
    sizes: list[int]
    share: float
    name: str = "x"


@dataclasses.dataclass
class Expression:
    left: "Expression | int"
    right: "Expression | int"


@dataclasses.dataclass
class Chain:
    next: "Chain | None"


class Pair(NamedTuple):
    left: int
    right: bool


def flow(n: int, name: str, tags: list[str], ratio: float = 1.0) -> None: ...


SCHEMA = parameter_schema(Signature.of(flow))


def schema_of(annotation: Any) -> dict[str, Any]:
    """The schema of a flow with one parameter `x`."""
    return parameter_schema(Signature(parameters=(Parameter(name="x", annotation=annotation),)))


def read(annotation: Any, text: str) -> Any:
    """What `--param x=text` is read as."""
    return typed(schema_of(annotation), [f"x={text}"], None)["x"]


READ: list[tuple[Any, str, Any]] = [
    # only a text is taken: as it stands
    (str, "abc", "abc"),
    (str, "3", "3"),
    (str, "", ""),
    (str, "null", "null"),
    (str, '"a"', '"a"'),
    (str, "a=b=c", "a=b=c"),
    (str, " a\n", " a\n"),
    (datetime, "2026-01-02", "2026-01-02"),
    (date, "20260102", "20260102"),
    (Path, "3", "3"),
    (bytes, "true", "true"),
    (Color, "RED", "RED"),
    (Literal["1", "2"], "1", "1"),
    (Literal["1", "2"], "3", "3"),
    # no text is taken: JSON
    (int, "3", 3),
    (int, " -3 ", -3),
    (int, "3.5", 3.5),
    (int, '"3"', "3"),
    (bool, "true", True),
    (None, "null", None),
    (list[str], '["a", 1]', ["a", 1]),
    (dict[str, int], '{"a": 1}', {"a": 1}),
    (tuple[int, bool], "1", 1),
    (Config, '{"sizes": [1]}', {"sizes": [1]}),
    (int | None, "null", None),
    # both are taken: JSON of another type that is taken, or a text in quotation marks; else the text
    (str | int, "3", 3),
    (str | int, "3.0", 3.0),
    (str | int, "3.5", "3.5"),
    (str | int, "three", "three"),
    (str | int, '"3"', "3"),
    (str | int, "true", "true"),
    (str | int, "null", "null"),
    (str | int, "[1]", "[1]"),
    (str | None, "null", None),
    (str | None, '"null"', "null"),
    (str | None, "3", "3"),
    (str | None, "", ""),
    (str | bool, "true", True),
    (str | list[int], "[1]", [1]),
    (str | list[int], "[1", "[1"),
    (str | Config, '{"a": 1}', {"a": 1}),
    (date | None, "2026-01-02", "2026-01-02"),
    (date | None, "2026", "2026"),
    (date | None, "null", None),
    (Any, "3", 3),
    (Any, "abc", "abc"),
    (Any, '"3"', "3"),
    (Any, "[1, 2", "[1, 2"),
    (float, "1.5", 1.5),
    (float, "3", 3),
    (float, "inf", "inf"),
    (float, "-inf", "-inf"),
    (Level, "1", 1),
    (Level, "LOW", "LOW"),
    (Level, "5", 5),
    # a text is the exact form of a number
    (Decimal, "0.10", "0.10"),
    (Decimal, "0.1234567890123456789", "0.1234567890123456789"),
    (timedelta, "90", "90"),
    (timedelta, "1:30:00", "1:30:00"),
    (Decimal | None, "0.10", "0.10"),
    (Decimal | None, "null", None),
]


@pytest.mark.parametrize(("annotation", "text", "value"), READ, ids=[str(number) for number in range(len(READ))])
def test_how_a_text_is_read(annotation: Any, text: str, value: Any) -> None:
    """A text is read as the schema of its parameter asks, which the table tells."""
    result = read(annotation, text)
    assert result == value
    assert type(result) is type(value)


REFUSED: list[tuple[Any, str, str]] = [
    (int, "abc", "--param x=abc: parameter 'x' takes a whole number (int); write a JSON value, e.g. x=3"),
    (int, "", "--param x=: parameter 'x' takes a whole number (int); write a JSON value, e.g. x=3"),
    (int, "NaN", "takes a whole number (int); write a JSON value, e.g. x=3"),
    (bool, "True", "takes true or false (bool); write a JSON value, e.g. x=true"),
    (float, "Infinity", "takes a number (float) or one of 'inf', '-inf', 'nan'; write a JSON value, e.g. x=1.5"),
    (float, "1e999", "e.g. x=1.5"),
    (int | None, "none", "takes a whole number (int) or nothing (None); write a JSON value, e.g. x=3"),
    (None, "nothing", "e.g. x=null"),
    (list[str], "a,b", "takes a list, each item a text (str); write a JSON value, e.g. x='[\"…\"]'"),
    (list[int], "1,2", "e.g. x='[3]'"),
    (tuple[int, bool], "(1, True)", "e.g. x='[3, true]'"),
    (dict[str, float], "a=1", "e.g. x='{\"a\": 1.5}'"),
    (Config, "x", 'takes a Config with sizes, share, name; write a JSON value, e.g. x=\'{"sizes": [3], "share": 1.5}\''),
    (Pair, "x", 'e.g. x=\'{"left": 3, "right": true}\''),
    (Level, "MIDDLE", "takes one of 1, 2, 'LOW', 'HIGH'; write a JSON value, e.g. x=1"),
    (Literal[1, 2], "one", "e.g. x=1"),
    (list[int], "[" * 100_000, "takes a list"),
    (int, "9" * 5000, "e.g. x=3"),
    (Expression, "x", 'e.g. x=\'{"left": 3, "right": 3}\''),
    (list[int] | None, "none", "e.g. x='[3]'"),
    (Chain | None, "x", "e.g. x='{\"next\": null}'"),
    (dict[str, Literal["a" * 300]], "x", "write a JSON value"),
]


@pytest.mark.parametrize(("annotation", "text", "sentence"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_cannot_be_read(annotation: Any, text: str, sentence: str) -> None:
    """Where JSON is needed and the text is none, one sentence says what is taken, and shows how it is written for a shell."""
    with pytest.raises(click.UsageError) as caught:
        read(annotation, text)
    assert sentence in caught.value.format_message()
    assert caught.value.exit_code == 2
    assert len(caught.value.format_message()) < 600


@pytest.mark.parametrize(
    "annotation", [int, bool, float, int | None, tuple[int, bool], Config, Pair, Level, Expression, Chain, dict[str, list[Config]]], ids=str
)
def test_the_example_is_taken(annotation: Any) -> None:
    """The value that the sentence shows is one that the parameter takes."""
    with pytest.raises(click.UsageError) as caught:
        read(annotation, "nonsense")
    shown = caught.value.format_message().rpartition("e.g. x=")[2].removeprefix("'").removesuffix("'")
    checked_parameters("f", schema_of(annotation), {"x": read(annotation, shown)})


# Several of them


def test_several_are_read() -> None:
    """Each `--param` is split at the first `=`; what is not given is not there."""
    assert typed(SCHEMA, ["n=3", "name=a=b", 'tags=["x"]'], None) == {"n": 3, "name": "a=b", "tags": ["x"]}
    assert typed(SCHEMA, [], None) == {}


def test_a_param_goes_over_params() -> None:
    """`--params` is a JSON object, its values as they are; the same name in a `--param` wins."""
    assert typed(SCHEMA, ["n=3"], '{"name": 5, "n": "a", "tags": []}') == {"n": 3, "name": 5, "tags": []}
    assert typed(SCHEMA, [], "{}") == {}


@pytest.mark.parametrize(
    ("pairs", "whole", "sentence"),
    [
        (["n"], None, "Invalid value for --param: 'n' has no =; write NAME=VALUE"),
        ([""], None, "'' has no =; write NAME=VALUE"),
        (["=3"], None, "'=3' has no name; write NAME=VALUE"),
        (["n=3", "n=4"], None, "Invalid value for --param: 'n' is given twice; give it once"),
        ([], "[1]", "Invalid value for --params: it is no object by name; write e.g. --params '{\"n\": 3}'"),
        ([], "null", "it is no object by name"),
        ([], "{", "Invalid value for --params: it is no JSON (Expecting property name"),
        ([], "", "it is no JSON"),
        ([], '{"n": NaN}', "it is no JSON (NaN is no number in JSON)"),
        ([], "[" * 100_000, "it is no JSON (it is nested too deep)"),
        ([], '{"n": 1, "n": 2}', "Invalid value for --params: the key 'n' stands twice in an object; write it once"),
        ([], '{"name": {"a": 1, "a": 2}}', "the key 'a' stands twice in an object"),
        (['tags=[{"a": 1, "a": 2}]'], None, "the key 'a' stands twice in an object; write it once"),
        (["nmae=a"], None, "--param nmae=…: there is no parameter 'nmae'; did you mean 'name'?"),
        (["zzz=a"], None, "--param zzz=…: there is no parameter 'zzz'; there are: n, name, tags, ratio"),
        ([], '{"tag": []}', "--params: there is no parameter 'tag'; did you mean 'tags'?"),
        (["name=\udcff"], None, "parameter 'name' has a text that UTF-8 cannot hold"),
        ([], '{"name": ["\\ud800"]}', "parameter 'name' has a text that UTF-8 cannot hold"),
        (["x" * 1000], None, "has no ="),
    ],
    ids=range(19),
)
def test_what_was_typed_wrong(pairs: list[str], whole: str | None, sentence: str) -> None:
    """What is typed wrong is a mistake of usage, told in one short sentence."""
    with pytest.raises(click.UsageError) as caught:
        typed(SCHEMA, pairs, whole)
    assert sentence in caught.value.format_message()
    assert caught.value.exit_code == 2
    assert len(caught.value.format_message()) < 200


def test_no_parameters_at_all() -> None:
    """A flow that takes nothing says so."""
    with pytest.raises(click.UsageError, match="there is no parameter 'n'; there are: none"):
        typed({"properties": {}, "additionalProperties": False}, ["n=3"], None)


def test_other_names() -> None:
    """Where any name is taken, its value is read by the schema of such values."""

    def open_flow(*numbers: int, **more: int) -> None: ...

    schema = parameter_schema(Signature.of(open_flow))
    assert typed(schema, ["numbers=[1, 2]", "a=3"], '{"more": {"b": 4}}') == {"more": {"b": 4}, "numbers": [1, 2], "a": 3}
    with pytest.raises(click.UsageError, match="parameter 'a' takes a whole number"):
        typed(schema, ["a=b"], None)
    assert typed({}, ["a=b", "c=3"], None) == {"a": "b", "c": 3}
    assert typed(
        {"properties": {"n": {"type": "integer"}}, "patternProperties": {"x": {}}, "additionalProperties": False}, ["x=1", "n=2"], None
    ) == {
        "x": 1,
        "n": 2,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": 3},
        {"properties": {"x": 3}},
        {"properties": {"x": {"type": 3}}},
        {"properties": {"x": {"type": [[]]}}},
        {"properties": {"x": {"enum": 3}}},
        {"properties": {"x": {"anyOf": 3}}},
        {"properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}},
        {"properties": {"x": {"$ref": "nowhere"}}},
        {"properties": {"x": {"anyOf": [{"$ref": "#/properties/x"}]}}},
    ],
    ids=str,
)
def test_a_broken_schema_takes_everything(schema: Mapping[str, Any]) -> None:
    """Where a schema says nothing that can be understood, a text is JSON if it is, else a text."""
    assert typed(schema, ["x=3"], None) == {"x": 3}
    assert typed(schema, ["x=abc"], None) == {"x": "abc"}


def test_a_schema_without_end() -> None:
    """Where every value contains another, the example stops somewhere."""
    ring = {"type": "array", "items": {"$ref": "#/properties/x"}}
    with pytest.raises(click.UsageError, match=r"e.g. x='\[\[\[.*null"):
        typed({"properties": {"x": ring}}, ["x=a"], None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(value=json_values)
def test_json_comes_back(value: Any) -> None:
    """What is written as JSON is read as that, where no type or no text is asked for, and in `--params` always."""
    text = json.dumps(value)
    assert read(Any, text) == value
    assert read(list[int] | bool, text) == value
    assert typed(SCHEMA, [], json.dumps({"name": value})) == {"name": value}


@given(text=st.text())
def test_a_text_comes_back(text: str) -> None:
    """Every text is given as it stands where only a text is taken, and in quotation marks where other types are taken too."""
    assert read(str, text) == text
    assert read(str | int | None, json.dumps(text)) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [(".1", "0.1"), ("-.5", "-0.5"), ("+.5", "0.5"), ("1.", "1.0"), ("+1.5", "1.5"), ("-2.e3", "-2.0e3"), (".5E-3", "0.5E-3")],
)
def test_a_number_that_json_writes_otherwise(text: str, written: str) -> None:
    """It is said how."""
    with pytest.raises(click.UsageError) as caught:
        typed(SCHEMA, [f"ratio={text}"], None)
    assert caught.value.message == f"--param ratio={text}: JSON has no such number; write {written}"
    assert typed(SCHEMA, [f"ratio={written}"], None) == {"ratio": float(text)}


@pytest.mark.parametrize("text", [".", "-.", "+-.5", "1..", "one.", ".1.2"])
def test_what_is_no_number_at_all(text: str) -> None:
    """It is told an example."""
    with pytest.raises(click.UsageError, match="takes a number"):
        typed(SCHEMA, [f"ratio={text}"], None)


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "single"])
def test_what_is_nested_too_deep(whole: bool) -> None:
    """A hundred levels can be kept and read; more are refused, before anybody fails at them."""
    schema = parameter_schema(Signature(parameters=(Parameter(name="x"),)))

    def read(levels: int) -> Any:
        text = "[" * levels + "]" * levels
        return typed(schema, [] if whole else [f"x={text}"], f'{{"x": {text}}}' if whole else None)

    assert json.dumps(read(100)).count("[") == 100
    for levels in (102, 500):
        with pytest.raises(click.UsageError, match="parameter 'x' is nested more than 100 levels deep; put what it holds into a file"):
            read(levels)
