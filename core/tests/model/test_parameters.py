"""Signatures: names and values from a call, and the way back. Every annotation in this file is text, as the next line makes it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
from datetime import date
from typing import TYPE_CHECKING, Any, TypedDict
from typing import Unpack as StandardUnpack

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Unpack

from headrace.errors import HeadraceError, MissingParameter, UnknownParameter, WrongParameters, WrongParameterType
from headrace.model.parameters import NO_DEFAULT, Parameter, Signature

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]

WHERE = "flow 'f'"


class Options(TypedDict, total=False):
    size: int
    color: str


def plain(a: int, b: str = "b") -> None: ...


def plain_turned(b: int, a: int) -> None: ...


def everything(first: int, /, second: str, *rest: int, third: date, fourth: float = 4.0, **extra: bool) -> None: ...


def unresolvable(known: int, unknown: Unknown, nested: list[Unknown], sentence: "how many there are" = 1) -> None: ...  # type: ignore[valid-type]  # noqa: F722


def unpacked(*pair: StandardUnpack[tuple[int, str]], **options: Unpack[Options]) -> None: ...  # noqa: UP044  both spellings are met


def starred(*pair: *tuple[int, str]) -> None: ...


def nothing() -> None: ...


def unannotated(a, b=None):  # type: ignore[no-untyped-def]
    ...


def defaults(a: int = None, b: list[int] = ["1"], c: str = 3) -> None:  # type: ignore[assignment, list-item]  # noqa: B006, RUF013
    ...


class Callables:
    def __init__(self, a: int) -> None: ...

    def method(self, a: int) -> None: ...

    @classmethod
    def of(cls, a: int) -> None: ...

    @staticmethod
    def static(a: int) -> None: ...

    def __call__(self, a: int) -> None: ...


@functools.wraps(plain)
def wrapper(*args: Any, **kwargs: Any) -> None: ...


async def coroutine(a: int) -> None: ...


# Analysing


def test_parameters_are_told_in_order() -> None:
    """A signature tells each parameter's name, annotation, default and kind; a variadic one's annotation is that of the whole."""
    assert Signature.of(everything).parameters == (
        Parameter(name="first", annotation=int, kind=inspect.Parameter.POSITIONAL_ONLY),
        Parameter(name="second", annotation=str),
        Parameter(name="rest", annotation=tuple[int, ...], kind=inspect.Parameter.VAR_POSITIONAL),
        Parameter(name="third", annotation=date, kind=inspect.Parameter.KEYWORD_ONLY),
        Parameter(name="fourth", annotation=float, default=4.0, kind=inspect.Parameter.KEYWORD_ONLY),
        Parameter(name="extra", annotation=dict[str, bool], kind=inspect.Parameter.VAR_KEYWORD),
    )
    assert [each.name for each in Signature.of(everything).parameters if each.required] == ["first", "second", "third"]
    assert Signature.of(everything).names == ("first", "second", "third", "fourth")


def test_unresolvable_annotation_is_anything() -> None:
    """An annotation that cannot be resolved leaves its own parameter unchecked and the others checked."""
    annotations = {each.name: each.annotation for each in Signature.of(unresolvable).parameters}
    assert annotations == {"known": int, "unknown": Any, "nested": Any, "sentence": Any}
    given = {"known": "1", "unknown": "2", "nested": 3, "sentence": 4}
    assert Signature.of(unresolvable).validated(WHERE, given) == {**given, "known": 1}


def test_unpacked_annotation_speaks_of_all() -> None:
    """`*args: *tuple[...]` and `**kwargs: Unpack[...]` say what all of them are together."""
    assert [each.annotation for each in Signature.of(unpacked).parameters] == [tuple[int, str], Options]
    assert [each.annotation for each in Signature.of(starred).parameters] == [tuple[int, str]]
    given = {"pair": ["1", "a"], "options": {"size": "3"}}
    assert Signature.of(unpacked).validated(WHERE, given) == {"pair": (1, "a"), "options": {"size": 3}}
    with pytest.raises(WrongParameterType, match="unknown key 'weight'"):
        Signature.of(unpacked).validated(WHERE, {"options": {"weight": 1}})


def test_names_of_an_enclosing_function() -> None:
    """A text annotation finds the names of the function around it where the inner function uses them; else it is anything."""

    class Local:
        pass

    def uses(a: Local) -> type[Local]:
        return Local

    def ignores(a: Local) -> None: ...

    assert Signature.of(uses).parameters[0].annotation is Local
    assert Signature.of(ignores).parameters[0].annotation is Any


@pytest.mark.parametrize(
    "function",
    [
        Callables(1).method,
        Callables.of,
        Callables.static,
        Callables(1),
        Callables,
        coroutine,
        functools.partial(plain_turned, 1),
        functools.partial(Callables(1).method),
        functools.partial(functools.partial(Callables.method, Callables(1))),
    ],
    ids=["method", "classmethod", "staticmethod", "object", "class", "coroutine", "partial", "partial method", "partial of partial"],
)
def test_anything_that_can_be_called(function: Any) -> None:
    """Methods, classes, callable objects, coroutines and partials tell what a caller must give."""
    signature = Signature.of(function)
    assert signature.names == ("a",)
    assert signature.bind(WHERE, ("1",), {}) == {"a": "1"}
    assert signature.validated(WHERE, {"a": "1"}) == {"a": 1}


def test_partial_by_name() -> None:
    """What a partial gives by name is a default that a call may still override."""
    signature = Signature.of(functools.partial(plain, a=7))
    assert signature.bind(WHERE, (), {}) == {"a": 7, "b": "b"}
    assert signature.call_arguments(signature.bind(WHERE, (), {"b": "c"})) == ((), {"a": 7, "b": "c"})


def test_wrapper_tells_what_it_wraps() -> None:
    """A function made with functools.wraps has the signature of the one inside."""
    assert Signature.of(wrapper) == Signature.of(plain)


@pytest.mark.parametrize("function", [dict, min, type])
def test_function_that_does_not_tell(function: Any) -> None:
    """A function that tells no signature takes everything and is called back alike."""
    signature = Signature.of(function)
    parameters = signature.bind(WHERE, (1, 2), {"a": 3})
    assert parameters == {"args": (1, 2), "kwargs": {"a": 3}}
    assert signature.call_arguments(parameters) == ((1, 2), {"a": 3})


def test_signature_is_a_value() -> None:
    """A signature is equal to another of the same parameters, cannot be changed, and survives pickling with all it can do."""
    signature = Signature.of(everything)
    assert signature == Signature.of(everything)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        signature.parameters = ()  # type: ignore[misc]
    copy = pickle.loads(pickle.dumps(signature))
    assert copy == signature
    assert copy.bind(WHERE, (1, 2), {"third": 3}) == signature.bind(WHERE, (1, 2), {"third": 3})
    assert copy.parameters[0].default is NO_DEFAULT


# Binding


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (plain, (1,), {}, {"a": 1, "b": "b"}),
        (plain, (1, 2), {}, {"a": 1, "b": 2}),
        (plain, (), {"b": 2, "a": 1}, {"a": 1, "b": 2}),
        (nothing, (), {}, {}),
        (unannotated, (1,), {}, {"a": 1, "b": None}),
        (everything, (1, "s"), {"third": 3}, {"first": 1, "second": "s", "rest": (), "third": 3, "fourth": 4.0, "extra": {}}),
        (
            everything,
            (1, "s", 5, 6),
            {"third": 3, "fourth": 4, "x": True, "first": False, "rest": 1},
            {"first": 1, "second": "s", "rest": (5, 6), "third": 3, "fourth": 4, "extra": {"x": True, "first": False, "rest": 1}},
        ),
    ],
)
def test_bind(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], expected: dict[str, Any]) -> None:
    """A call is told by name, in the order of the signature, with defaults; and back again it is the same call."""
    signature = Signature.of(function)
    bound = signature.bind(WHERE, args, kwargs)
    assert bound == expected
    assert list(bound) == list(expected)
    back_args, back_kwargs = signature.call_arguments(bound)
    assert signature.bind(WHERE, back_args, back_kwargs) == bound
    function(*back_args, **back_kwargs)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "error", "sentence"),
    [
        (plain, (1,), {"c": 1}, UnknownParameter, "flow 'f' has no parameter 'c'; it takes: a, b"),
        (nothing, (), {"c": 1}, UnknownParameter, "flow 'f' has no parameter 'c'; it takes: none"),
        (plain, (), {"b": 1}, MissingParameter, "flow 'f' needs a value for parameter 'a', and none was given"),
        (plain, (), {}, MissingParameter, "flow 'f' needs a value for parameter 'a', and none was given"),
        (everything, (1, 2), {}, MissingParameter, "flow 'f' needs a value for parameter 'third', and none was given"),
        (plain, (1,), {"a": 1}, WrongParameters, "like this: parameter 'a' was given twice, by position and by name"),
        (plain, (1, 2, 3), {}, WrongParameters, "flow 'f' cannot be called like this: it takes 2 positional values at most (a, b), not 3"),
        (nothing, (1,), {}, WrongParameters, "flow 'f' cannot be called like this: it takes no positional values, and 1 was given"),
        (lambda a, *, b: None, (1, 2), {}, WrongParameters, "like this: it takes 1 positional value at most (a), not 2"),
        (lambda a, /: None, (), {"a": 1}, WrongParameters, "like this: parameter 'a' is given by position only, not by name"),
        (lambda *a: None, (), {"a": 1}, UnknownParameter, "flow 'f' has no parameter 'a'; it takes: none"),
    ],
)
def test_wrong_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: type[HeadraceError], sentence: str) -> None:
    """A call that Python would refuse is refused, in one sentence that names the parameter."""
    with pytest.raises(error) as caught:
        Signature.of(function).bind(WHERE, args, kwargs)
    assert sentence in str(caught.value)
    with pytest.raises(TypeError):
        function(*args, **kwargs)


SHAPES = (
    lambda a, b=2: (a, b),
    lambda a, /, b, *, c=3: (a, b, c),
    lambda a=1, *b, c, **d: (a, b, c, d),
    lambda a, b=2, /, **c: (a, b, c),
    lambda *a, **b: (a, b),
    lambda: (),
)


@given(
    function=st.sampled_from(SHAPES),
    args=st.lists(st.integers(), max_size=4).map(tuple),
    kwargs=st.dictionaries(st.sampled_from("abcdxy"), st.integers()),
)
def test_binding_is_pythons(function: Any, args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    """A call binds exactly where Python accepts it, and called by what came of it the function sees the same."""
    signature = Signature.of(function)
    try:
        expected = function(*args, **kwargs)
    except TypeError:
        with pytest.raises((UnknownParameter, MissingParameter, WrongParameters)):
            signature.bind(WHERE, args, kwargs)
        return
    bound = signature.bind(WHERE, args, kwargs)
    back_args, back_kwargs = signature.call_arguments(bound)
    assert function(*back_args, **back_kwargs) == expected
    assert signature.filled(WHERE, bound) == bound
    assert signature.validated(WHERE, bound) == bound


# By name alone, as deployments and runs keep them


def test_filled() -> None:
    """Parameters kept by name get defaults, variadic ones by their own name, and what has no name goes to `**kwargs`."""
    signature = Signature.of(everything)
    whole = {"first": 1, "second": "s", "rest": (), "third": 3, "fourth": 4.0, "extra": {}}
    assert signature.filled(WHERE, {"third": 3, "second": "s", "first": 1}) == whole
    given = {"first": 1, "second": "s", "third": 3, "rest": [5], "extra": {"x": True}, "y": False}
    assert signature.filled(WHERE, given) == {**whole, "rest": [5], "extra": {"x": True, "y": False}}
    assert list(signature.filled(WHERE, given)) == list(whole)


def test_filled_refuses() -> None:
    """A name that is unknown and a parameter that is missing are refused by name."""
    with pytest.raises(UnknownParameter, match="no parameter 'c'; it takes: a, b"):
        Signature.of(plain).filled(WHERE, {"a": 1, "c": 2})
    with pytest.raises(MissingParameter, match="'a'"):
        Signature.of(plain).filled(WHERE, {"b": "x"})
    with pytest.raises(WrongParameterType, match="'extra' must be a dict"):
        Signature.of(everything).filled(WHERE, {"extra": 3, "y": 1})


# Coercing


def test_validated() -> None:
    """Each parameter is coerced to its annotation; `*args` and `**kwargs` value by value."""
    bound = Signature.of(everything).bind(WHERE, ("1", "s", "2", 3.0), {"third": "2026-01-02", "fourth": 1, "yes": "true"})
    assert Signature.of(everything).validated(WHERE, bound) == {
        "first": 1,
        "second": "s",
        "rest": (2, 3),
        "third": date(2026, 1, 2),
        "fourth": 1.0,
        "extra": {"yes": True},
    }


def test_validated_in_part() -> None:
    """A deployment's few parameters are checked alone: a wrong name or type is refused, a missing one is not."""
    signature = Signature.of(everything)
    assert signature.validated(WHERE, {"second": "s"}) == {"second": "s"}
    assert signature.validated(WHERE, {"yes": "true"}) == {"extra": {"yes": True}}
    with pytest.raises(UnknownParameter, match="'c'"):
        Signature.of(plain).validated(WHERE, {"c": 1})


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"first": "x"}, "flow 'f': parameter 'first' must be a whole number (int), not the text 'x'"),
        ({"rest": (1, "x")}, "flow 'f': parameter 'rest[1]' must be a whole number (int), not the text 'x'"),
        ({"extra": {"yes": 3}}, "flow 'f': parameter \"extra['yes']\" must be true or false (bool), not 3 (int)"),
        ({"rest": "12"}, "flow 'f': parameter 'rest' must be a tuple (tuple[int, ...]), not the text '12'"),
    ],
)
def test_validated_refuses(parameters: dict[str, Any], sentence: str) -> None:
    """What cannot be taken is refused with the path to it."""
    with pytest.raises(WrongParameterType) as caught:
        Signature.of(everything).validated(WHERE, parameters)
    assert str(caught.value) == sentence


def test_default_is_the_authors() -> None:
    """A default is never coerced, whether it was filled in or given: it is what the author wrote."""
    signature = Signature.of(defaults)
    bound = signature.bind(WHERE, (), {})
    validated = signature.validated(WHERE, bound)
    assert validated == {"a": None, "b": ["1"], "c": 3}
    assert validated["b"] is bound["b"]
    assert signature.validated(WHERE, {"a": None}) == {"a": None}
    with pytest.raises(WrongParameterType):
        Signature.of(plain).validated(WHERE, {"a": None})


def test_unannotated_is_anything() -> None:
    """A parameter without an annotation takes any value as it is."""
    thing = object()
    assert Signature.of(unannotated).validated(WHERE, {"a": thing, "b": "1"}) == {"a": thing, "b": "1"}


def test_bound_coroutine_is_called_back() -> None:
    """What was bound calls an async function as well."""

    async def doubled(number: int, /, *, times: int = 2) -> int:
        return number * times

    signature = Signature.of(doubled)
    args, kwargs = signature.call_arguments(signature.validated(WHERE, signature.bind(WHERE, ("4",), {})))
    assert asyncio.run(doubled(*args, **kwargs)) == 8
