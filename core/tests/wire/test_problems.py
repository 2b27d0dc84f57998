"""Errors as they travel, and back again."""

from http import HTTPStatus
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace import errors
from headrace.errors import ApiAway, ApiRefused, HeadraceError, InvalidOption, MayPass, NotFound, StorageAway, StoreBusy, WrongData
from headrace.wire.problems import error_of, problem, problem_of, status_of

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HeadraceError)]
PLAIN = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())
FIELDS: dict[Any, Any] = {
    str: st.text(),
    int: st.integers(),
    float: st.floats(allow_nan=False),
    tuple[str, ...]: st.lists(st.text()).map(tuple),
    object: PLAIN,
}


def assert_refused(error: HeadraceError, status: int, detail: str) -> None:
    assert isinstance(error, ApiRefused)
    assert (error.status, error.detail) == (status, detail)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_error_comes_back(kind: type[HeadraceError], data: st.DataObject) -> None:
    """Its class, its fields and its sentence are the same at the other end."""
    error = kind(**{name: data.draw(FIELDS[field]) for name, field in get_type_hints(kind).items()})
    told = problem_of(error)
    back = error_of(told, status=told["status"])
    assert (type(back), back.fields(), str(back)) == (kind, error.fields(), str(error))
    assert (told["detail"], told["title"]) == (str(error), HTTPStatus(told["status"]).phrase)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (NotFound, 404),
        (WrongData, 422),
        (StoreBusy, 503),
        (StorageAway, 503),
        (ApiAway, 503),
        (MayPass, 503),
        (errors.NotAuthenticated, 401),
    ],
)
def test_what_an_error_is_answered_with(kind: type[HeadraceError], status: int) -> None:
    """A class has the status of the nearest class above it that has one."""
    assert status_of(kind) == status


def test_what_cannot_travel_is_told_as_it_is_shown() -> None:
    """A value in an error that is no plain data comes as its text."""
    error = InvalidOption(where="here", option="way", value=object, why="no")
    back = error_of(problem_of(error), status=422)
    assert isinstance(back, InvalidOption)
    assert back.value == "<class 'object'>"


def test_a_newer_field_is_left_out() -> None:
    """An error of a newer server that says more is the same error, as who catches it goes by its class."""
    told = problem_of(NotFound(what="flow run", name="a", command="flow-run ls"))
    told["fields"]["colour"] = "red"
    assert error_of(told, status=404).fields() == {"what": "flow run", "name": "a", "command": "flow-run ls"}


@pytest.mark.parametrize(
    "answer",
    [
        problem(HTTPStatus.IM_A_TEAPOT, "the sentence"),
        problem(HTTPStatus.IM_A_TEAPOT, "the sentence") | {"error": "Unheard", "fields": {}},
        problem(HTTPStatus.IM_A_TEAPOT, "the sentence") | {"error": "NotFound", "fields": {"what": "flow run"}},
        problem(HTTPStatus.IM_A_TEAPOT, "the sentence") | {"error": "NotFound", "fields": 7},
        problem(HTTPStatus.IM_A_TEAPOT, "the sentence") | {"error": "attrs", "fields": {}},
        problem(HTTPStatus.IM_A_TEAPOT, "the sentence") | {"error": ["NotFound"], "fields": {}},
    ],
)
def test_what_is_not_known_still_has_its_sentence(answer: Any) -> None:
    """A class that is not known here, or has other fields, is a refusal with the words of the other side."""
    assert_refused(error_of(answer, status=418), 418, "the sentence")


@pytest.mark.parametrize("answer", [None, [], "text", 7, {}, {"detail": None}])
def test_what_is_no_problem_is_a_refusal(answer: Any) -> None:
    """Whatever comes with a status of an error is an error."""
    assert_refused(error_of(answer, status=500), 500, "no reason was given")
