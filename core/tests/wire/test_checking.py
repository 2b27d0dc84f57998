"""Checking parameters against a schema: what is said, in which order, and what a broken schema does."""

import dataclasses
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Literal, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import HeadraceError, MissingParameter, UnknownParameter, WrongParameterType
from headrace.model.parameters import Signature
from headrace.wire.checking import checked_parameters
from headrace.wire.schemas import parameter_schema

WHERE = "deployment 'f/d'"


@attrs.frozen
class Config:
    sizes: list[int]
    at: datetime
    mode: Literal["fast", "slow"] = "fast"


@dataclasses.dataclass
class Expression:
    left: "Expression | int"
    right: "Expression | int"


class Point(NamedTuple):
    x: int
    y: int = 0


def flow(
    n: int,
    name: str,
    config: Config | None = None,
    ratio: float = 1.0,
    pair: tuple[int, str] = (1, "a"),
    tags: frozenset[str] = frozenset(),
    by_day: dict[int, bool] | None = None,
    point: Point = Point(0),  # noqa: B008
    either: list[int] | list[str] | None = None,
    term: Expression | int = 0,
    texts: dict[str, str] | None = None,
) -> None: ...


SCHEMA = parameter_schema(Signature.of(flow))
OPEN = {
    "properties": {"more": {"additionalProperties": {"items": {"type": "integer"}}}},
    "additionalProperties": {"items": {"type": "integer"}},
}
FINE = {"n": 1, "name": "a", "config": {"sizes": [1], "at": "2026-01-02T03:04:05"}, "by_day": {"1": True}, "either": ["a"]}


def refused(schema: dict[str, Any], parameters: dict[str, Any]) -> str:
    """The sentence that refuses the parameters; nothing, if they are accepted."""
    try:
        checked_parameters(WHERE, schema, parameters)
    except HeadraceError as error:
        return str(error)
    return ""


def test_what_fits_passes() -> None:
    """Parameters that fit are let through, and nothing is changed."""
    given_ones = {**FINE, "point": [1], "ratio": 2, "pair": [1, "b"], "tags": ["a"], "term": {"left": 1, "right": {"left": 2, "right": 3}}}
    kept = repr(given_ones)
    checked_parameters(WHERE, SCHEMA, given_ones)
    assert repr(given_ones) == kept


def test_order_of_faults() -> None:
    """An unknown name is told first, then a wrong type, then a missing one; of several types, that of the first parameter."""
    with pytest.raises(UnknownParameter) as unknown:
        checked_parameters(WHERE, SCHEMA, {"n": "x", "nmae": 1})
    assert (unknown.value.where, unknown.value.name) == (WHERE, "nmae")
    assert unknown.value.known == tuple(SCHEMA["properties"])
    with pytest.raises(WrongParameterType) as wrong:
        checked_parameters(WHERE, SCHEMA, {"ratio": "x", "n": "x"})
    assert wrong.value.name == "n"
    with pytest.raises(MissingParameter) as missing:
        checked_parameters(WHERE, SCHEMA, {"n": 1})
    assert missing.value.name == "name"


def test_they_need_not_be_complete() -> None:
    """Where parameters need not be complete, a missing one is no fault, and the others are checked."""
    checked_parameters(WHERE, SCHEMA, {}, complete=False)
    checked_parameters(WHERE, SCHEMA, {"name": "a"}, complete=False)
    with pytest.raises(WrongParameterType):
        checked_parameters(WHERE, SCHEMA, {"name": 1}, complete=False)
    with pytest.raises(UnknownParameter):
        checked_parameters(WHERE, SCHEMA, {"other": 1}, complete=False)


AT = "2026-01-02"

WRONG: list[tuple[dict[str, Any], str, str, str]] = [
    # parameters, where the fault is, what is needed there, what was given
    ({"n": "3.5"}, "n", "a whole number (int)", "the text '3.5'"),
    ({"n": True}, "n", "a whole number (int)", "True (bool)"),
    ({"name": None}, "name", "a text (str)", "nothing (None)"),
    ({"ratio": "fast"}, "ratio", "a number (float) or one of 'inf', '-inf', 'nan'", "the text 'fast'"),
    ({"ratio": 2**53 + 1}, "ratio", "a number (float) or one of 'inf', '-inf', 'nan'", "9007199254740993 (int)"),
    ({"config": 3}, "config", "a Config with sizes, at, mode or nothing (None)", "3 (int)"),
    ({"config": {"sizes": [1, 2, "x"], "at": AT}}, "config.sizes[2]", "a whole number (int)", "the text 'x'"),
    ({"config": {"sizes": [], "at": "soon"}}, "config.at", "an ISO 8601 moment (datetime)", "the text 'soon'"),
    ({"config": {"sizes": []}}, "config.at", "an ISO 8601 moment (datetime)", "missing"),
    ({"config": {"sizes": ["x"], "typo": 1}}, "config", "a Config with sizes, at, mode", "a dict with the unknown key 'typo'"),
    ({"config": {"sizes": [], "at": AT, "mode": "no"}}, "config.mode", "one of 'fast', 'slow'", "the text 'no'"),
    ({"pair": [1]}, "pair", "a list of 2 items", "a list with 1 item"),
    ({"pair": [1, 2]}, "pair[1]", "a text (str)", "2 (int)"),
    ({"tags": ["a", "a"]}, "tags", "a list without doubles, each item a text (str)", "a list with 2 items"),
    ({"by_day": {"soon": True}}, "by_day[key 'soon']", "a whole number (int)", "the text 'soon'"),
    ({"by_day": {"1": 2}}, "by_day['1']", "true or false (bool)", "2 (int)"),
    ({"by_day": []}, "by_day", "a dict, each value true or false (bool) or nothing (None)", "a list with 0 items"),
    ({"point": "x"}, "point", "a Point with x, y or a list of 1 to 2 items", "the text 'x'"),
    ({"point": {"y": 1}}, "point.x", "a whole number (int)", "missing"),
    ({"point": ["x"]}, "point[0]", "a whole number (int)", "the text 'x'"),
    (
        {"either": [None]},
        "either",
        "a list, each item a whole number (int) or a list, each item a text (str) or nothing (None)",
        "a list with 1 item",
    ),
    ({"term": {"left": {"left": 1}, "right": 1}}, "term.left.right", "an Expression with left, right or a whole number (int)", "missing"),
    ({"texts": {"a b": 1}}, "texts['a b']", "a text (str)", "1 (int)"),
    ({"more": {"a": [1, "x"]}}, "more.a[1]", "a whole number (int)", "the text 'x'"),
    ({"other": ["x"]}, "other[0]", "a whole number (int)", "the text 'x'"),
]


@pytest.mark.parametrize(("parameters", "name", "expected", "shown"), WRONG, ids=[f"{number} {row[1]}" for number, row in enumerate(WRONG)])
def test_what_is_wrong(parameters: dict[str, Any], name: str, expected: str, shown: str) -> None:
    """An error says where the fault is, what is needed there, and what was given, in the words of coercion."""
    with pytest.raises(WrongParameterType) as caught:
        checked_parameters(WHERE, OPEN if parameters.keys() & {"more", "other"} else SCHEMA, parameters, complete=False)
    assert (caught.value.where, caught.value.name, caught.value.expected, caught.value.given) == (WHERE, name, expected, shown)


def test_errors_are_short() -> None:
    """However big what is given or what is wanted, the error fits on a few lines."""
    many = {"properties": {"x": {"enum": [f"option {number}" for number in range(1000)]}, "n": {"items": {"maximum": 1}}}}
    long = "k" * 10_000
    for name, huge in (("x", "x" * 1_000_000), ("x", {long: 1}), ("n", [0] * 1000 + [10**4000]), ("n", [2] * 100_000)):
        with pytest.raises(WrongParameterType) as caught:
            checked_parameters(WHERE, many, {name: huge})
        assert len(str(caught.value)) < 600
    with pytest.raises(WrongParameterType) as caught:
        checked_parameters(WHERE, SCHEMA, {"texts": {long: 1}}, complete=False)
    assert len(caught.value.name) <= 120


def test_every_demand_has_words() -> None:
    """What a foreign schema demands beyond the words of coercion, is told by what does not hold."""
    schema = {"properties": {"n": {"type": "integer", "minimum": 1}, "never": False, "only": {"const": None}}}
    with pytest.raises(WrongParameterType, match=r"must be what its schema takes \(0 is less than the minimum of 1\), not 0 \(int\)"):
        checked_parameters(WHERE, schema, {"n": 0})
    with pytest.raises(WrongParameterType, match="must be nothing at all, not 0"):
        checked_parameters(WHERE, schema, {"never": 0})
    with pytest.raises(WrongParameterType, match=r"must be nothing \(None\), not 0"):
        checked_parameters(WHERE, schema, {"only": 0})


JSON = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/J"}}, {"additionalProperties": {"$ref": "#/$defs/J"}, "type": "object"}]}

FOREIGN: list[tuple[dict[str, Any], str]] = [
    ({"anyOf": [{"type": "integer"}, {"type": "integer"}]}, "a whole number (int)"),
    ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "a whole number (int) or nothing (None)"),
    ({"type": "array", "items": {"$ref": "#/$defs/a~1b"}}, "a list, each item a whole number (int)"),
    ({"type": "array", "items": {"$ref": "#/$defs/ring"}}, "a list"),
    ({"type": "array", "items": {"$ref": "elsewhere"}}, "a list"),
    ({"type": "array", "minItems": 1}, "a list of 1 item or more"),
    ({"type": "object", "title": "None", "properties": {}}, "a None with no fields"),
    ({"type": "object", "properties": {"a": {}}}, "a dict"),
    ({"$ref": "#/$defs/J"}, "a list, each item … or a dict, each value …"),
]


@pytest.mark.parametrize(("schema", "expected"), FOREIGN, ids=[str(number) for number in range(len(FOREIGN))])
def test_words_of_foreign_schemas(schema: dict[str, Any], expected: str) -> None:
    """Schemas that headrace did not write are said as well, though they contain themselves or lead nowhere."""
    definitions = {"a/b": {"type": "integer"}, "ring": {"$ref": "#/$defs/ring"}, "J": JSON}
    with pytest.raises(WrongParameterType) as caught:
        checked_parameters(WHERE, {"properties": {"x": schema}, "$defs": definitions}, {"x": "text"})
    assert caught.value.expected == expected


def test_field_that_is_called_like_a_keyword() -> None:
    """A field may be called `propertyNames`."""
    schema = {"properties": {"x": {"properties": {"propertyNames": {"type": "integer"}}}}}
    assert "'x.propertyNames' must be" in refused(schema, {"x": {"propertyNames": "a"}})


# Schemas that say little, or nothing that can be used


def test_an_empty_schema_accepts_everything() -> None:
    """Without a schema everything is accepted."""
    checked_parameters(WHERE, {}, {"n": object(), "": None})
    checked_parameters(WHERE, {"properties": {"n": {"description": "a Plain"}}, "additionalProperties": {}}, {"n": object(), "m": 1})


def test_what_demands_nothing_costs_nothing() -> None:
    """The library is imported only where something is to be checked with it; names are checked without."""
    question = (
        "import sys\nfrom headrace.wire.checking import checked_parameters\nfrom headrace.errors import HeadraceError\n"
        "checked_parameters('f', {}, {'a': 1})\n"
        "schema = {'properties': {'a': {}, 'b': {'type': 'integer'}}, 'required': ['a'], 'additionalProperties': False}\n"
        "checked_parameters('f', schema, {'a': 1})\n"
        "for wrong in ({}, {'c': 1}):\n"
        "    try:\n        checked_parameters('f', schema, wrong)\n    except HeadraceError as error:\n        print(type(error).__name__)\n"
        "print('jsonschema' in sys.modules)\n"
        "checked_parameters('f', schema, {'a': 1, 'b': 2})\nprint('jsonschema' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["MissingParameter", "UnknownParameter", "False", "True"]


BROKEN: list[Any] = [
    {"type": 5},
    {"type": "whole"},
    {"$ref": "#/$defs/nowhere"},
    {"$ref": "#"},
    {"$ref": 3},
    {"$ref": "#/$defs/ring"},
    {"$ref": "other.json"},
    {"pattern": "("},
    {"anyOf": 3},
    {"anyOf": [5]},
    {"enum": 5},
    {"minimum": "a"},
    {"properties": [], "type": "object"},
    {"required": 5},
    {"items": 3},
    "text",
    7,
    None,
]


@pytest.mark.parametrize("schema", BROKEN, ids=repr)
@pytest.mark.parametrize("value", ["text", 3, [1], {"a": 1}], ids=repr)
def test_a_broken_schema_checks_nothing(schema: Any, value: Any) -> None:
    """A schema that cannot be used leaves its parameter to the run, and the others are checked all the same."""
    ring = {"$ref": "#/$defs/ring"}
    whole = {"properties": {"x": schema, "n": {"type": "integer"}}, "$defs": {"ring": ring}}
    with suppress(WrongParameterType):  # what is understood of it may be refused, in a sentence
        checked_parameters(WHERE, whole, {"x": value})
    with pytest.raises(WrongParameterType) as caught:
        checked_parameters(WHERE, {**whole, "properties": {"n": {"type": "integer"}, "x": schema}}, {"x": value, "n": "a"})
    assert caught.value.name == "n"


@pytest.mark.parametrize(
    "whole",
    [
        {"properties": 3},
        {"properties": {"n": {"type": "integer"}}, "$id": 5},
        {"properties": {"n": {"$ref": "#/$defs/a"}}, "$defs": 3},
        {"required": 3},
        {"required": [["n"], 3, None]},
        {"additionalProperties": 3},
        {"patternProperties": {"^n": {"type": "string"}}, "additionalProperties": False},
    ],
    ids=repr,
)
def test_a_wholly_broken_schema_accepts(whole: dict[str, Any]) -> None:
    """Where not even the outermost part can be used, the parameters are left to the run."""
    checked_parameters(WHERE, whole, {"n": "text"})


@given(
    whole=st.dictionaries(
        st.sampled_from("properties required additionalProperties $defs $id $ref patternProperties".split()),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["object", "integer", "#", "#/properties"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from("n type items anyOf $ref enum const format properties required $schema".split()), inner, max_size=3
                )
            ),
            max_leaves=8,
        ),
    ),
    value=st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()),
)
def test_no_schema_crashes(whole: dict[str, Any], value: Any) -> None:
    """Whatever stands where a schema should, the answer is none, or an error of headrace with a sentence."""
    sentence = refused(whole, {"n": value})
    assert not sentence or sentence.startswith(WHERE)


def test_too_deep_is_left_to_the_run() -> None:
    """What is nested too deep to be looked into is accepted here, and refused by coercion."""
    deep: Any = 1
    for _ in range(100_000):
        deep = {"left": deep, "right": 1}
    checked_parameters(WHERE, SCHEMA, {"term": deep}, complete=False)
    with pytest.raises(WrongParameterType, match="nested too deep"):
        Signature.of(flow).validated(WHERE, {"term": deep})
    while isinstance(deep, dict):  # so that it is not freed in one go
        deep = deep.pop("left")


@pytest.fixture
def visits() -> Iterator[tuple[str, list[str]]]:
    """An address that serves a schema, and who came."""
    seen: list[str] = []

    class Serve(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "integer"}')

        def log_message(self, format: str, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Serve) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_nothing_is_fetched(visits: tuple[str, list[str]]) -> None:
    """A reference to another place is not followed, however it is written: what it asks for is not checked."""
    address, seen = visits
    far = {"$ref": f"{address}/a.json"}
    asked = [
        far,
        {"$dynamicRef": f"{address}/b.json"},
        {"anyOf": [far]},
        {"items": far},
        {"$id": f"{address}/c/", "$ref": "d.json"},
        {"$schema": f"{address}/e.json", "type": "string"},
        {"$schema": "http://json-schema.org/draft-04/schema#", "id": f"{address}/f/", "$ref": "g.json"},
    ]
    for schema in asked:
        for value in ("text", ["text"], 3):
            for more in ({}, {"$id": f"{address}/h/"}, {"$schema": f"{address}/i.json"}):
                with suppress(WrongParameterType):
                    checked_parameters(WHERE, {"properties": {"x": schema}, **more}, {"x": value})
    assert seen == []


def test_numbers_that_json_does_not_have() -> None:
    """Infinity as a number, which only Python's JSON knows, is a number."""
    checked_parameters(WHERE, SCHEMA, {"ratio": math.inf}, complete=False)
