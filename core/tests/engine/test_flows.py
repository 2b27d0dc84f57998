"""Calling flows."""

from typing import Any

import attrs
import pytest

from headrace import State, StateType, flow, get_run_context, get_run_logger, tags, task
from headrace.errors import (
    FlowInsideTask,
    InvalidName,
    InvalidOption,
    NotInRun,
    UnknownParameter,
    WrongParameters,
    WrongParameterType,
)
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.runs import FlowRun


def runs(house: Instance) -> list[FlowRun]:
    """All flow runs, oldest first."""
    return house.client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))


def test_a_flow_returns_what_its_function_returns(house: Instance) -> None:
    """A call gives the value, and is remembered as a completed run."""

    @flow
    def double(number: int) -> int:
        return number * 2

    assert double(21) == 42
    (run,) = runs(house)
    assert (run.flow_name, run.state.type, run.parameters, run.run_count) == ("double", StateType.COMPLETED, {"number": 21}, 1)
    assert run.start_time is not None
    assert run.end_time is not None
    assert [state.name for state in house.client.read_states(run.id)] == ["Pending", "Running", "Completed"]


def test_a_flow_raises_what_its_function_raises(house: Instance) -> None:
    """The exception is the user's own; the run says what it was."""

    @flow
    def broken() -> None:
        raise LookupError("no such star")

    with pytest.raises(LookupError, match="no such star"):
        broken()
    (run,) = runs(house)
    assert run.state.type is StateType.FAILED
    assert run.state.message == "Flow run encountered an exception. LookupError: no such star"


def test_a_state_can_be_asked_for(house: Instance) -> None:
    """With return_state nothing is raised."""

    @flow
    def broken() -> None:
        raise LookupError("no such star")

    state = broken(return_state=True)
    assert state.is_failed()
    assert isinstance(state.result(raise_on_failure=False), LookupError)
    with pytest.raises(LookupError):
        state.result()


def test_names_come_from_functions_and_may_be_given(house: Instance) -> None:
    """Underscores become dashes; a template is filled with parameters; a function gets them all."""

    @flow
    def make_tea() -> None: ...

    @flow(name="Brew", flow_run_name="brew of {leaf}")
    def brew(leaf: str) -> None: ...

    make_tea()
    brew("oolong")
    brew.with_options(flow_run_name=lambda parameters: parameters["leaf"].upper())("sencha")
    first, second, third = runs(house)
    assert (first.flow_name, second.flow_name, second.name, third.name) == ("make-tea", "Brew", "brew of oolong", "SENCHA")
    assert len(first.name.split("-")) == 2


@pytest.mark.parametrize("name", ["", "a/b", "50%", "a&b", "a<b", "a>b", "  "])
def test_some_names_are_refused(name: str) -> None:
    """Names that would break paths and addresses are refused where they are written."""
    with pytest.raises(InvalidName):
        flow(name=name)(lambda: None)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"retries": -1}, "retries"),
        ({"retries": 1.5}, "retries"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"retry_delay_seconds": "soon"}, "retry_delay_seconds"),
        ({"on_failure": ["not a function"]}, "on_failure"),
        ({"retires": 3}, "retires"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    """A wrong option says which it is, at decoration."""
    with pytest.raises(InvalidOption, match=named):
        flow(**options)(lambda: None)


def test_a_parameter_may_not_take_a_name_that_calls_need() -> None:
    """return_state means the same in every call."""
    with pytest.raises(InvalidOption, match="return_state"):

        @flow
        def taken(return_state: bool) -> None: ...


def test_parameters_are_coerced_by_their_annotations(house: Instance) -> None:
    """What loses nothing is converted; the run remembers the outcome."""

    @flow
    def typed(count: int, names: list[str]) -> tuple[int, list[str]]:
        return count, names

    assert typed("3", ("a", "b")) == (3, ["a", "b"])  # type: ignore[arg-type]
    assert runs(house)[0].parameters == {"count": 3, "names": ["a", "b"]}


def test_validation_can_be_left_out(house: Instance) -> None:
    """Then arguments arrive as they were given."""

    @flow(validate_parameters=False)
    def untouched(count: int) -> Any:
        return count

    assert untouched("3") == "3"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "kwargs", "error"),
    [
        ((), {"count": 3.9}, WrongParameterType),
        ((), {"count": 1, "cuont": 2}, UnknownParameter),
        ((1, 2, 3), {}, WrongParameters),
    ],
)
def test_wrong_arguments_fail_the_run(house: Instance, args: tuple[Any, ...], kwargs: dict[str, Any], error: type[Exception]) -> None:
    """The run is there, failed, with the sentence that was raised; the function was not called."""
    called = []

    @flow
    def counted(count: int) -> None:
        called.append(count)

    with pytest.raises(error):
        counted(*args, **kwargs)
    (run,) = runs(house)
    assert (run.state.type, run.start_time, called) == (StateType.FAILED, None, [])
    assert "invalid parameters" in (run.state.message or "")


def test_a_flow_that_fails_is_tried_again(house: Instance) -> None:
    """Each try is one run more of the same flow run."""
    tries = []

    @flow(retries=2)
    def third_time_lucky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return len(tries)

    assert third_time_lucky() == 3
    (run,) = runs(house)
    names = [state.name for state in house.client.read_states(run.id)]
    assert names == ["Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed"]
    assert run.run_count == 3


def test_tries_come_to_an_end(house: Instance) -> None:
    """The last failure is the flow's."""

    @flow(retries=1)
    def hopeless() -> None:
        raise ValueError("never")

    with pytest.raises(ValueError, match="never"):
        hopeless()
    assert runs(house)[0].run_count == 2


def test_tags_gather(house: Instance) -> None:
    """Tags of the surroundings are on flow runs and task runs, and nested ones add up."""

    @task(tags=["db"])
    def step() -> set[str]:
        context = get_run_context()
        return set(context.task_run.tags)  # type: ignore[union-attr]

    @flow
    def tagged() -> set[str]:
        with tags("inner") as known:
            assert known == {"outer", "inner"}
            return step()

    with tags("outer"):
        assert tagged() == {"outer", "inner", "db"}
    assert runs(house)[0].tags == ("outer",)


def test_the_context_says_what_runs(house: Instance) -> None:
    """Flow, run, parameters and the fence for one's own writes."""

    @flow
    def curious(word: str) -> tuple[str, str, dict[str, Any], int]:
        context = get_run_context()
        return context.flow.name, context.flow_run.state.name, dict(context.parameters), context.epoch  # type: ignore[union-attr]

    assert curious("why") == ("curious", "Running", {"word": "why"}, 1)


def test_outside_of_runs_there_is_no_context() -> None:
    """A sentence says where it works."""
    with pytest.raises(NotInRun, match="get_run_context"):
        get_run_context()
    with pytest.raises(NotInRun, match="get_run_logger"):
        get_run_logger()


def test_a_flow_cannot_be_called_in_a_task(house: Instance) -> None:
    """It says so, naming both."""

    @flow
    def inner() -> None: ...

    @task
    def outer() -> None:
        inner()

    @flow
    def whole() -> None:
        outer()

    with pytest.raises(FlowInsideTask, match="'inner'.*'outer'"):
        whole()


def test_hooks_hear_of_the_end(house: Instance) -> None:
    """Each hook gets flow, run and state; one that fails harms nobody."""
    heard: list[tuple[str, str, str]] = []

    def note(flow: Any, run: Any, state: State) -> None:
        heard.append((flow.name, run.state.name, state.name))

    def trouble(flow: Any, run: Any, state: State) -> None:
        raise RuntimeError("a hook fails")

    @flow(on_completion=[trouble, note], on_failure=[note])
    def watched(well: bool) -> None:
        if not well:
            raise ValueError

    watched(True)
    watched(False, return_state=True)
    assert heard == [("watched", "Completed", "Completed"), ("watched", "Failed", "Failed")]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "Execution was aborted by an interrupt signal."),
        (SystemExit(3), "Execution was aborted by Python system exit call."),
    ],
)
def test_an_interruption_is_a_crash(house: Instance, error: BaseException, message: str) -> None:
    """It goes on to the caller, and the run does not stay Running."""
    heard = []

    @flow(on_crash=[lambda flow, run, state: heard.append(state.name)])
    def interrupted() -> None:
        raise error

    with pytest.raises(type(error)):
        interrupted()
    (run,) = runs(house)
    assert (run.state.type, run.state.message, heard) == (StateType.CRASHED, message, ["Crashed"])


def test_a_timeout_ends_a_flow_at_once(house: Instance) -> None:
    """The state is named TimedOut, and says of how many seconds."""
    import threading

    release = threading.Event()

    @flow(timeout_seconds=0.05)
    def endless() -> None:
        while not release.wait(0.001):
            pass

    state = endless(return_state=True)
    release.set()
    assert (state.type, state.name) == (StateType.FAILED, "TimedOut")
    assert "0.05 seconds" in (state.message or "")


def test_with_options_leaves_the_first_as_it_was() -> None:
    """A copy has the new options, falsy ones too; the original its own."""

    @flow(name="one", retries=3, description="first")
    def original() -> None: ...

    copy = original.with_options(name="two", retries=0)
    assert (copy.name, copy.definition.retries, copy.description) == ("two", 0, "first")
    assert (original.name, original.definition.retries) == ("one", 3)


def test_a_flow_looks_like_its_function() -> None:
    """Name, docstring and module are the function's."""

    @flow
    def documented() -> None:
        """What it does."""

    assert (documented.__name__, documented.__doc__, documented.__module__) == ("documented", "What it does.", __name__)
    assert documented.description == "What it does."


def test_the_version_is_made_of_the_file() -> None:
    """The same file gives the same version; a version that is given is kept."""

    @flow
    def unversioned() -> None: ...

    @flow(version="7")
    def versioned() -> None: ...

    assert unversioned.version is not None
    assert len(unversioned.version) == 12
    assert versioned.version == "7"


@pytest.mark.parametrize("of", ["flow", "task", "name", "parameter"])
def test_an_exception_that_cannot_be_written(house: Instance, of: str) -> None:
    """A run whose exception has no text fails as with any other, and does not crash."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("nothing to say")

    @attrs.frozen
    class Order:
        amount: int

        def __attrs_post_init__(self) -> None:
            raise Mute

    def called(_parameters: Any) -> str:
        raise Mute

    @task(task_run_name=called if of == "name" else None)
    def fails() -> None:
        if of == "task":
            raise Mute

    @flow
    def mute(order: Order | None = None) -> None:
        fails()
        raise Mute

    with pytest.raises((Mute, InvalidOption, WrongParameterType)):
        mute({"amount": 3} if of == "parameter" else None)  # type: ignore[arg-type]
    assert all(run.state.is_failed() for run in runs(house))
