"""Operations as they travel: arguments in paths, queries and bodies."""

import json
import types
from collections.abc import Mapping
from datetime import UTC
from enum import Enum
from typing import Any, Protocol, Union, get_args, get_origin, get_type_hints
from urllib.parse import unquote

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import WrongData
from headrace.model.states import State
from headrace.ports.client import OpenClient, Scope, operation
from headrace.wire.endpoints import Endpoint, endpoints


class Mine(Protocol):
    """Operations that a server declares beside the port."""

    @operation("GET", "/colours/{name}", scope=Scope.VIEWER)
    def read_colour(self, name: str, shade: int = 1, strength: float = 1.0) -> str:
        """A colour."""
        ...


def test_a_server_may_declare_its_own() -> None:
    """A class of one's own is read as the port is, and has no part in it."""
    [(name, endpoint)] = endpoints(Mine).items()
    assert (name, endpoint.path, endpoint.meaning) == ("read_colour", "/colours/{name}", "A colour.")
    assert name not in endpoints(OpenClient)
    assert endpoint.call({"name": "a/b", "shade": 2}).path == "/colours/a%2Fb"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"shade": "x"}, "shade"),
        ({"shade": str(1 << 63)}, "shade: it must be a whole number of 64 bits"),
        ({"strength": "nan"}, "strength: it must be a number"),
        ({"strength": "inf"}, "strength: it must be a number"),
    ],
)
def test_numbers_in_a_query_are_those_of_a_body(query: dict[str, str], says: str) -> None:
    """A text in a query is a number within the same bounds as one in JSON."""
    endpoint = endpoints(Mine)["read_colour"]
    assert endpoint.arguments_of({"name": "a"}, {"shade": "3"}, None)[0] == {"name": "a", "shade": 3, "strength": 1.0}
    with pytest.raises(WrongData) as caught:
        endpoint.arguments_of({"name": "a"}, query, None)
    assert says in str(caught.value)


def test_what_the_path_says_need_not_be_said_again() -> None:
    """A field that stands in the path may be left out of the object, and must not be another there."""
    endpoint = endpoints()["move_flow_run"]
    move: dict[str, Any] = {"id": "m", "state": {"type": "RUNNING"}}
    arguments, _ = endpoint.arguments_of({"run_id": "a"}, {}, {"move": move})
    assert arguments["move"].run_id == "a"
    with pytest.raises(WrongData, match="it is not what the path says"):
        endpoint.arguments_of({"run_id": "a"}, {}, {"move": {**move, "run_id": "b"}})


# Everything that the table has, whatever is asked

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63) + 1, (1 << 63) - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
SIMPLE: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(min_size=1),
    int: st.integers(-(1 << 63) + 1, (1 << 63) - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    Any: PLAIN,
    object: PLAIN,
    type(None): st.none(),
}

each_endpoint = pytest.mark.parametrize("endpoint", list(endpoints().values()), ids=list(endpoints()))


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type of the port."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind in SIMPLE:
        return SIMPLE[kind]
    if origin in (Union, types.UnionType):
        return st.one_of([values(part) for part in parts])
    if origin in (list, tuple):
        return st.lists(values(parts[0]), max_size=2).map(origin)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(values(parts[0]), values(parts[1]), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    if attrs.has(kind):
        hints = get_type_hints(kind)
        live = {"data"} if kind is State else set()
        fields = {field.alias or field.name: field.name for field in attrs.fields(kind) if field.init and field.name not in live}
        return st.builds(kind, **{alias: values(hints[name]) for alias, name in fields.items()})
    return st.datetimes(timezones=st.just(UTC))


def sent(endpoint: Endpoint, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments at the other end, by way of a path, a query and JSON."""
    call = endpoint.call(arguments)
    pairs = zip(endpoint.path.split("/"), call.path.split("/"), strict=True)
    in_path = {place[1:-1]: unquote(text, errors="strict") for place, text in pairs if place.startswith("{")}
    assert (call.body is None) == (call.method in ("GET", "DELETE"))
    return endpoint.arguments_of(in_path, call.query, json.loads(json.dumps(call.body, allow_nan=False)) if call.body is not None else {})


@each_endpoint
@settings(max_examples=20)
@given(data=st.data())
def test_every_call_arrives_as_it_was_made(endpoint: Endpoint, data: st.DataObject) -> None:
    """Whatever is asked with, in the path, the query or the body, is the same value at the other end, and nothing in it is unknown there."""
    arguments = {name: data.draw(values(kind), label=name) for name, kind in endpoint.arguments.items()}
    assert sent(endpoint, arguments) == (arguments, [])


@each_endpoint
@settings(max_examples=20)
@given(data=st.data())
def test_every_answer_arrives_as_it_was_given(endpoint: Endpoint, data: st.DataObject) -> None:
    """So is what is answered; what was not known of the call stands beside it."""
    (kind,) = get_args(endpoint.result) if endpoint.operation.kind == "stream" else (endpoint.result,)
    result = data.draw(values(kind))
    answer = json.loads(json.dumps(endpoint.answer(result, ["run.colour"]), allow_nan=False))
    assert answer["warnings"] == ["run.colour is not known here and was ignored"]
    if endpoint.operation.kind != "stream":  # whose pieces travel one by one
        assert endpoint.result_of(answer) == result


@each_endpoint
def test_every_fault_of_a_call_has_its_place(endpoint: Endpoint) -> None:
    """An argument that is missing, or of another type, is told by its name, and one that is none is named and ignored."""
    outside = [name for name in endpoint.outside_path if name not in endpoint.defaults]
    in_path = {place.name: "a" for place in endpoint.places}
    for name in outside:
        with pytest.raises(WrongData) as caught:
            endpoint.arguments_of(in_path, {}, {other: ["wrong"] for other in outside if other != name})
        assert any(place in str(caught.value) for place in outside)
    if not outside:
        _, unknown = endpoint.arguments_of(in_path, {"colour": "red"}, {"colour": "red"})
        assert unknown == ["colour"]


@pytest.mark.parametrize(("text", "path"), [("..", "%2E%2E"), (".", "%2E"), ("a/../b", "a%2F..%2Fb"), ("a?b#c%", "a%3Fb%23c%25")])
def test_what_stands_in_a_path_leads_nowhere_else(text: str, path: str) -> None:
    """It is one part of the path, whatever is in it."""
    assert endpoints()["read_flow_run"].call({"run_id": text}).path == f"/flow-runs/{path}"


@pytest.mark.parametrize(("text", "says"), [("", "run_id: it must not be empty"), ("\ud800", "run_id: '\\ud800' is no text")])
def test_what_cannot_stand_in_a_path_is_refused(text: str, says: str) -> None:
    """Before anything is asked."""
    with pytest.raises(WrongData, match=says.replace("\\", "\\\\")):
        endpoints()["read_flow_run"].call({"run_id": text})


@pytest.mark.parametrize("answer", [None, [], {}, {"detail": "no"}])
def test_an_answer_without_a_result_is_none(answer: Any) -> None:
    """It says which operation it was to answer."""
    with pytest.raises(WrongData, match="the answer to read_flow_run: it has no result"):
        endpoints()["read_flow_run"].result_of(answer)
