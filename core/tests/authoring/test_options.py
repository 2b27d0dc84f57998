"""Options of `@flow` and `@task`: what is wrong is said where it is written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from headrace import flow, task, task_input_hash
from headrace.errors import InvalidName, InvalidOption
from headrace.model.definitions import LONGEST


def hook(definition: Any, run: Any, state: Any) -> None: ...


def of_two(first: Any, second: Any) -> None: ...


async def later(first: Any, second: Any = None, third: Any = None) -> Any: ...


class OwnTaskRunner:
    in_process = True
    in_order = True

    def open(self) -> Any: ...


FOR_BOTH: list[tuple[dict[str, Any], str]] = [
    ({"name": 3}, "name=3 cannot be used: it must be text"),
    ({"description": 3}, "description=3 cannot be used: it must be text"),
    ({"version": 3}, "version=3 cannot be used: it must be text"),
    ({"retries": "3"}, "retries='3' cannot be used: it must be a whole number"),
    ({"retries": True}, "retries=True"),
    ({"retries": -1}, "retries=-1"),
    ({"retry_delay_seconds": "x"}, "retry_delay_seconds='x'"),
    ({"retry_delay_seconds": -1}, "retry_delay_seconds=-1"),
    ({"retry_delay_seconds": float("inf")}, "retry_delay_seconds=inf"),
    ({"retry_delay_seconds": LONGEST + 1}, "retry_delay_seconds="),
    ({"timeout_seconds": -1}, "timeout_seconds=-1 cannot be used: it must be a number of seconds greater than 0"),
    ({"timeout_seconds": "1"}, "timeout_seconds='1'"),
    ({"timeout_seconds": float("nan")}, "timeout_seconds=nan"),
    ({"timeout_seconds": LONGEST + 1}, "no longer than a hundred years"),
    ({"persist_result": "x"}, "persist_result='x' cannot be used: it must be True, False or None"),
    ({"log_prints": "x"}, "log_prints='x' cannot be used: it must be True or False"),
    ({"log_prints": 1}, "log_prints=1"),
    ({"on_completion": ["x"]}, "on_completion='x' cannot be used: every hook must be a function of three values"),
    ({"on_failure": "log"}, "on_failure='log'"),
    ({"on_crash": [hook, 3]}, "on_crash=3"),
    ({"on_cancellation": of_two}, "on_cancellation=<function of_two"),
    ({"colour": "red"}, "colour='red' cannot be used: there is no such option; there are: "),
    ({"run_name": "x"}, "run_name='x' cannot be used: there is no such option"),
    ({"signature": 1}, "no such option"),
]
FOR_FLOWS: list[tuple[dict[str, Any], str]] = [
    ({"task_runner": 3}, "task_runner=3 cannot be used: it must be a name"),
    ({"task_runner": int}, "task_runner=<class 'int'>"),
    ({"task_runner": ""}, "task_runner=''"),
    ({"retry_delay_seconds": [1, 2]}, "retry_delay_seconds="),
    ({"validate_parameters": "no"}, "validate_parameters='no'"),
    ({"flow_run_name": 3}, "flow_run_name=3 cannot be used: it must be a function of one value"),
    ({"flow_run_name": "brew of {leef}"}, "there is no parameter 'leef'; there are: leaf"),
    ({"flow_run_name": "brew of {}"}, "there is no parameter ''"),
    ({"flow_run_name": "brew of {leaf"}, "it is no template"),
    ({"flow_run_name": lambda: "x"}, "it must be a function of one value"),
    ({"flow_run_name": later}, "a plain function"),
    ({"tags": ["a"]}, "no such option"),
]
FOR_TASKS: list[tuple[dict[str, Any], str]] = [
    ({"tags": "abc"}, "tags='abc' cannot be used: a list of texts is needed"),
    ({"tags": 3}, "tags=3 cannot be used: it must be a list of texts"),
    ({"tags": ["a", 3]}, "every tag is a text"),
    ({"retry_delay_seconds": [1, "x"]}, "retry_delay_seconds="),
    ({"retry_delay_seconds": []}, "retry_delay_seconds="),
    ({"retry_delay_seconds": lambda: [1]}, "as a function of the number of retries (0) it failed: TypeError"),
    ({"retry_delay_seconds": lambda retries: "soon"}, "retry_delay_seconds='soon'"),
    ({"retry_jitter_factor": -0.5}, "retry_jitter_factor=-0.5"),
    ({"retry_condition": 3}, "retry_condition=3"),
    ({"retry_condition": of_two}, "it must be a function of three values"),
    ({"retry_condition": later}, "it must be a plain function, not an async one"),
    ({"cache_key_fn": "key"}, "cache_key_fn='key'"),
    ({"cache_key_fn": lambda context: "key"}, "it must be a function of two values"),
    ({"cache_key_fn": task_input_hash, "persist_result": False}, "persist_result is False; leave one of them out"),
    ({"cache_expiration": 3}, "cache_expiration=3 cannot be used: it must be a timedelta"),
    ({"cache_expiration": timedelta(seconds=-1)}, "it must be a timedelta that is not negative"),
    ({"cache_expiration": timedelta.max}, "None is for good"),
    ({"cache_namespace": 3}, "cache_namespace=3"),
    ({"cache_namespace": ""}, "cache_namespace=''"),
    ({"task_run_name": "of {nothing}"}, "there is no parameter 'nothing'; there are: leaf"),
]
WRONG = [
    *((flow, options, said) for options, said in FOR_BOTH + FOR_FLOWS),
    *((task, options, said) for options, said in FOR_BOTH + FOR_TASKS),
]


@pytest.mark.parametrize(("decorator", "options", "said"), WRONG)
def test_a_wrong_option_is_refused_where_it_is_written(decorator: Callable[..., Any], options: dict[str, Any], said: str) -> None:
    """At decoration and in with_options, with one sentence that names it."""

    def brew(leaf: str = "") -> None: ...

    for refused in (lambda: decorator(**options)(brew), lambda: decorator(brew).with_options(**options)):
        with pytest.raises(InvalidOption) as raised:
            refused()
        assert said in str(raised.value)
        assert str(raised.value).startswith(f"{decorator.__name__} 'brew': ")


@pytest.mark.parametrize("decorator", [flow, task])
def test_an_error_names_what_was_named(decorator: Callable[..., Any]) -> None:
    """Not the function, if the options give a name; a name that cannot be one is an error of its own."""
    with pytest.raises(InvalidOption, match="'tea'"):
        decorator(name="tea", colour="red")(hook)
    with pytest.raises(InvalidName, match="'a/b'"):
        decorator(name="a/b")(hook)


RIGHT: list[dict[str, Any]] = [
    {"timeout_seconds": 0.5, "retries": 0, "persist_result": False, "log_prints": True},
    {"on_completion": hook, "on_failure": [hook], "on_crash": (hook, later), "on_cancellation": [print]},
]


@pytest.mark.parametrize("options", [*RIGHT, {"task_runner": "later"}, {"task_runner": OwnTaskRunner}, {"task_runner": OwnTaskRunner()}])
def test_what_flows_take(options: dict[str, Any]) -> None:
    """Names of task runners are looked up later; classes and values of anybody's are taken."""
    flow(**options)(hook)


@pytest.mark.parametrize("template", ["{leaf}", "{leaf.name!r:>10}", "{leaf[0]}", "{{leaf}}", "{more} {rest}"])
def test_what_templates_take(template: str) -> None:
    """Parameters, what belongs to them, and braces that are written twice."""

    def brew(leaf: str, *more: str, **rest: str) -> None: ...

    assert flow(flow_run_name=template)(brew).definition.run_name == template
    assert task(task_run_name=template)(brew).definition.run_name == template


@pytest.mark.parametrize("decorator", [flow, task])
@pytest.mark.parametrize("value", [3, "name", None.__class__ and [], classmethod(hook)])
def test_only_functions_are_decorated(decorator: Callable[..., Any], value: Any) -> None:
    """A value in the function's place is most likely an option without its name."""
    with pytest.raises(InvalidOption, match="it decorates functions"):
        decorator(value)


@pytest.mark.parametrize("decorator", [flow, task])
def test_what_yields_is_refused(decorator: Callable[..., Any]) -> None:
    """Calling it would run none of its body, and say that it completed."""

    def one_by_one() -> Any:
        yield 1

    async def side_by_side() -> Any:
        yield 1

    for function in (one_by_one, side_by_side):
        with pytest.raises(InvalidOption, match="it yields"):
            decorator(function)


@pytest.mark.parametrize("decorator", [flow, task])
def test_none_stands_for_what_holds_otherwise(decorator: Callable[..., Any]) -> None:
    """At decoration and in with_options: the function's name, no limit, no retries."""

    def make_tea() -> None:
        """Tea."""

    named = decorator(name="tea", description="of herbs", version="1", timeout_seconds=3, retries=2, log_prints=True)(make_tea)
    options = dict.fromkeys(("name", "description", "version", "timeout_seconds", "retries", "log_prints"))
    plain, again = decorator(make_tea), named.with_options(**options)
    assert again.definition == plain.definition
    assert (again.name, again.description) == (make_tea.__name__.replace("_", "-") if decorator is flow else "make_tea", "Tea.")


@pytest.mark.parametrize("decorator", [flow, task])
def test_options_are_taken_as_they_are_now(decorator: Callable[..., Any]) -> None:
    """What becomes of the list that they were given in changes neither the first nor its copies."""
    hooks = [hook]
    first = decorator(on_failure=hooks)(hook)
    hooks.append(later)
    assert first.definition.on_failure == first.with_options(retries=1).definition.on_failure == (hook,)


@pytest.mark.parametrize("decorator", [flow, task])
def test_a_copy_may_have_less(decorator: Callable[..., Any]) -> None:
    """What counts as false is given as anything else is."""
    first = decorator(retries=3, retry_delay_seconds=2, log_prints=True, persist_result=True, on_failure=[hook])(hook)
    options: dict[str, Any] = {"retries": 0, "retry_delay_seconds": 0, "log_prints": False, "persist_result": False, "on_failure": []}
    assert first.with_options(**options).definition == decorator(**options)(hook).definition
