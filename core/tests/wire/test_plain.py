"""Values as plain data, and back."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import WrongData
from headrace.model.choices import Choice
from headrace.model.moves import Move
from headrace.model.results import ResultReference
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import MISSING, State, StateType
from headrace.rules.verdicts import Verdict, accepted, refused, replaced, wait
from headrace.testing.clock import START
from headrace.wire.parameters import plain_parameters
from headrace.wire.plain import from_plain, from_text, from_typed, to_plain, to_text

moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
texts = st.text(max_size=20)
references = st.builds(
    ResultReference,
    serializer=texts,
    size=st.integers(0, 2**40),
    sha256=texts,
    storage=st.builds(Choice, texts, st.dictionaries(texts, st.integers() | texts)),
    key=st.none() | texts,
    inline=st.none() | texts,
)
states = st.builds(
    State,
    type=st.sampled_from(StateType),
    name=texts,
    message=st.none() | texts,
    timestamp=st.none() | moments,
    scheduled_time=st.none() | moments,
    cache_key=st.none() | texts,
    reference=st.none() | references,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=5
)
odd_values = st.floats() | st.binary(max_size=5) | st.dates() | st.sets(st.integers(), max_size=3)
flow_runs = st.builds(
    FlowRun,
    id=texts,
    name=texts,
    state=states,
    created=moments,
    tags=st.lists(texts).map(tuple),
    flow_name=texts,
    root_id=texts,
    parameters=st.dictionaries(texts, json_values),
    total_run_time=st.floats(0, 1e9),
)
task_runs = st.builds(
    TaskRun,
    id=texts,
    name=texts,
    state=states,
    created=moments,
    flow_run_id=texts,
    task_name=texts,
    task_key=texts,
    call=st.integers(0),
    inputs=st.dictionaries(texts, st.lists(texts).map(tuple)),
)


@given(value=states | flow_runs | task_runs | st.builds(Move, id=texts, run_id=texts, state=states))
def test_every_value_comes_back_equal(value: object) -> None:
    """Through plain data and through text."""
    assert from_plain(type(value), json.loads(json.dumps(to_plain(value)))) == value
    assert from_text(type(value), to_text(value)) == value


@pytest.mark.parametrize(
    "verdict", [accepted(State.running()), replaced(State.cancelled(), "why"), wait(START, "later"), refused("no", stop=True)]
)
def test_verdicts_come_back_equal(verdict: Verdict) -> None:
    """All four answers."""
    assert from_text(Verdict, to_text(verdict)) == verdict


def test_live_data_stays_in_the_process() -> None:
    """It is not written, and is missing when the state comes back."""
    state = State.completed({"secret": object()})
    assert "secret" not in to_text(state)
    assert from_text(State, to_text(state)).data is MISSING


def test_programs_are_read_leniently() -> None:
    """A field that is not known is ignored: it comes from a newer version."""
    assert from_plain(State, {"type": "RUNNING", "colour": "red"}) == State.running()


def test_people_are_read_strictly() -> None:
    """Each fault is named with its place."""
    with pytest.raises(WrongData, match=r"my file: .*type.*colour"):
        from_typed(State, {"type": "WALKING", "colour": "red"}, where="my file")


def test_moments_are_in_utc() -> None:
    """Whatever zone they came in."""
    moment = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert to_plain(State.scheduled(moment))["scheduled_time"] == "2026-03-01T07:00:00+00:00"


@given(parameters=st.dictionaries(texts, json_values | odd_values | st.lists(odd_values, max_size=3), max_size=4))
def test_parameters_can_always_be_remembered(parameters: dict[str, object]) -> None:
    """As JSON; what it cannot hold is there by its type."""
    json.dumps(plain_parameters(parameters), allow_nan=False)


def test_parameters_read_as_a_person_would_write_them() -> None:
    """Moments as text, containers as lists, objects by their type, nothing endless."""
    circle: list[object] = []
    circle.append(circle)
    plain = plain_parameters({"at": START, "tags": {"b", "a"}, "thing": object(), "state": StateType.RUNNING, "circle": circle})
    assert plain.pop("circle")
    assert plain == {"at": "2026-01-01T00:00:00+00:00", "tags": ["a", "b"], "thing": "<object>", "state": "RUNNING"}
