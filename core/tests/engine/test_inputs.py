"""Futures inside arguments."""

import dataclasses
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import attrs
import pydantic
import pytest

from headrace import TaskFutures, flow, task
from headrace.engine.futures import TaskFuture
from headrace.engine.inputs import filled, futures_in
from headrace.errors import WrongParameters
from headrace.instance import Instance
from headrace.model.filters import Page, TaskRunFilter
from headrace.model.runs import TaskRun
from headrace.model.states import State, StateType
from headrace.testing.clock import START


def future(state: State | None = None) -> TaskFuture[Any]:
    run = TaskRun(id="r", name="r", state=State.pending(), created=START, flow_run_id="f", task_name="t", task_key="k", call=0)
    made: TaskFuture[Any] = TaskFuture(run)
    if state is not None:
        made.ended.set_result(state)
    return made


Pair = namedtuple("Pair", "left right")


class Items(list[Any]):
    """A list with something else to it."""

    label = "plain"


class Words(frozenset[Any]):
    """A frozenset of a kind."""


@dataclasses.dataclass
class Data:
    value: Any
    other: int = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    value: Any
    given: dataclasses.InitVar[int]
    late: Any = dataclasses.field(init=False)

    def __post_init__(self, given: int) -> None:
        object.__setattr__(self, "late", [self.value, given])


@attrs.frozen
class Frozen:
    value: Any
    _private: int = 3
    late: Any = attrs.field(init=False, default=attrs.Factory(lambda self: (self.value,), takes_self=True))


@attrs.define
class Unset:
    value: Any
    never: int = attrs.field(init=False)


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    value: Any
    other: int = 2


def counted(value: Any) -> Counter[str]:
    made: Counter[str] = Counter()
    made["a"] = value
    return made


def labelled(value: Any) -> Items:
    made = Items([value])
    made.label = "special"
    return made


SHAPES: list[tuple[Any, Any]] = [
    (lambda f: f, 7),
    (lambda f: [1, f], [1, 7]),
    (lambda f: (f,), (7,)),
    (lambda f: {f, 8}, {7, 8}),
    (lambda f: frozenset({f}), frozenset({7})),
    (lambda f: {f: f}, {7: 7}),
    (lambda f: Pair(f, 1), Pair(7, 1)),
    (lambda f: Data(f), Data(7)),
    (lambda f: Frozen(f), Frozen(7)),
    (lambda f: [{"deep": Data([Frozen((f,))])}], [{"deep": Data([Frozen((7,))])}]),
    (lambda f: OrderedDict([("b", f), ("a", 1)]), OrderedDict([("b", 7), ("a", 1)])),
    (lambda f: OrderedDict([(f, 2), ("a", 1)]), OrderedDict([(7, 2), ("a", 1)])),
    (lambda f: defaultdict(list, a=f), defaultdict(list, a=7)),
    (counted, counted(7)),
    (lambda f: deque([1, f], maxlen=2), deque([1, 7], maxlen=2)),
    (lambda f: MappingProxyType({"a": f}), MappingProxyType({"a": 7})),
    (lambda f: Words([f]), Words([7])),
    (lambda f: Sealed(f, 1), Sealed(7, 1)),
    (lambda f: Model(value=f), Model(value=7)),
    (lambda f: Model(value=1, more=[f]), Model(value=1, more=[7])),
    (lambda f: {"a": f}.keys() | {f}, {"a", 7}),
]


@pytest.mark.parametrize(("shape", "expected"), SHAPES)
def test_a_future_is_found_and_filled_in_any_container(shape: Any, expected: Any) -> None:
    """The container is of the same kind, with the value in the future's place; the one that was given stays as it was."""
    made = future(State.completed(7))
    value = shape(made)
    assert futures_in(value) == [made]
    assert filled(value) == expected
    assert type(filled(value)) is type(expected)
    assert futures_in(value) == [made]


def test_a_container_keeps_what_belongs_to_it() -> None:
    """Its attributes, what it makes by default, its longest length."""
    made = future(State.completed(7))
    assert filled(labelled(made)).label == "special"
    assert filled(defaultdict(list, a=made))["b"] == []
    assert filled(deque([made], maxlen=1)).maxlen == 1
    assert filled(Model(value=made)).model_fields_set == {"value"}
    assert type(filled(TaskFutures([made]))) is list


@pytest.mark.parametrize("view", ["keys", "values", "items"])
def test_views_of_dicts_are_looked_into(view: str) -> None:
    """They stay views."""
    made = future(State.completed(7))
    given, expected = getattr({"a": 1, made: made}, view)(), getattr({"a": 1, 7: 7}, view)()
    assert futures_in(given) == [made]
    assert list(filled(given)) == list(expected)
    assert type(filled(given)) is type(expected)


def test_what_holds_no_future_stays_the_same_object() -> None:
    """Nothing is copied, and a container that holds itself is no trouble."""
    circle: list[Any] = [1]
    circle.append(circle)
    inside = State.completed([future(State.completed(7))])
    for value in ([1, 2], {"a": (1, 2)}, Data(1), circle, object(), int, Unset(1), Model(value=[1]), inside, (n for n in [1])):
        assert filled(value) is value
        assert futures_in(value) == []


def test_pydantic_is_not_imported_for_it() -> None:
    """Who does not use it does not pay for it."""
    script = "from headrace.engine.inputs import filled; filled([{1: object()}]); import sys; print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"


# Generators


@task
def add(left: int, right: int = 0) -> int:
    return left + right


@task
def total(numbers: Any) -> int:
    return sum(numbers)


def inputs(house: Instance, name: str) -> dict[str, int]:
    """How many task runs each argument of a task waited for."""
    (run,) = [run for run in house.client.read_task_runs(TaskRunFilter(), Page()) if run.task_name == name]
    return {argument: len(ids) for argument, ids in run.inputs.items()}


@pytest.mark.parametrize(
    "given",
    [
        lambda: (add.submit(number) for number in range(3)),
        lambda: map(add.submit, range(3)),
        lambda: filter(None, add.map(range(3))),
        lambda: iter(add.map(range(3))),
        lambda: (future for _, future in zip("abc", add.map(range(3)), strict=True)),
    ],
)
def test_a_generator_of_futures_is_read_when_the_call_is_made(house: Instance, given: Any) -> None:
    """The task gets an iterator over their values, and waits for all of them."""

    @flow
    def whole() -> int:
        return total.submit(given()).result()

    assert whole() == 3
    assert inputs(house, "total") == {"numbers": 3}


def test_futures_beside_others_in_a_generator(house: Instance) -> None:
    """What a generator gives is looked into as anything else is."""

    @task
    def joined(pairs: Any) -> list[Any]:
        return [(name, number) for name, number in pairs]

    @flow
    def whole() -> list[Any]:
        return joined(zip("ab", add.map([1, 2]), strict=True))

    assert whole() == [("a", 1), ("b", 2)]


def test_another_generator_is_left_to_the_task(house: Instance) -> None:
    """No more than its first item is read before; so it may be endless, and nothing of it is lost."""
    read = []

    def endless() -> Iterator[int]:
        number = 0
        while True:
            read.append(number)
            yield number
            number += 1

    @task
    def first_three(numbers: Iterator[int]) -> list[int]:
        return [next(numbers) for _ in range(3)]

    @flow
    def whole() -> list[int]:
        return first_three(numbers=endless())

    assert (whole(), read) == ([0, 1, 2], [0, 1, 2])


def test_an_empty_generator_is_empty(house: Instance) -> None:
    """As it was."""

    @flow
    def whole() -> int:
        return total(number for number in ())  # type: ignore[var-annotated]

    assert whole() == 0


@pytest.mark.parametrize("items", [[1, 2, 3], [future(State.completed(number)) for number in (1, 2, 3)]])
def test_every_try_reads_a_generator_from_its_first_item_on(house: Instance, items: list[Any]) -> None:
    """What one try has read is there for the next."""
    tries: list[list[int]] = []

    @task(retries=2)
    def stubborn(numbers: Any, nested: Any) -> None:
        tries.append([next(numbers), next(nested[0])])
        tries[-1] += [*numbers, *nested[0]] if len(tries) > 1 else []
        raise ValueError

    @flow
    def whole() -> None:
        stubborn((item for item in items), [(item for item in items)], return_state=True)  # type: ignore[call-arg]

    whole()
    assert tries == [[1, 1], [1, 1, 2, 3, 2, 3], [1, 1, 2, 3, 2, 3]]


def test_every_try_of_a_flow_reads_a_generator_from_its_first_item_on(house: Instance) -> None:
    """As a task's does."""
    tries: list[list[int]] = []

    @flow(retries=1)
    def stubborn(numbers: Any) -> None:
        tries.append(list(numbers))
        raise ValueError

    stubborn((number for number in (1, 2)), return_state=True)  # type: ignore[call-arg]
    assert tries == [[1, 2], [1, 2]]


def test_a_place_that_cannot_hold_the_value(house: Instance) -> None:
    """Fails the task, or the flow that returns it, with a sentence."""

    @task
    def numbers() -> list[int]:
        return [1]

    @flow
    def given() -> None:
        total({numbers.submit()})

    @flow
    def returned() -> Any:
        return {"a": {numbers.submit()}}

    for each in (given, returned):
        state: State = each(return_state=True)  # type: ignore[assignment,call-arg]
        assert state.type is StateType.FAILED
        with pytest.raises(TypeError, match="unhashable"):
            state.result()
    assert "cannot hold what the futures in" in (state.message or "")


# wait_for


def test_one_future_alone_is_waited_for(house: Instance) -> None:
    """Without a list around it."""

    @flow
    def whole() -> int:
        return add(1, wait_for=add.submit(1))  # type: ignore[call-arg]

    assert whole() == 1
    assert next(iter(house.client.read_task_runs(TaskRunFilter(), Page()))).inputs.keys() == {"wait_for"}


@pytest.mark.parametrize("given", [5, "first"])
def test_what_cannot_be_waited_for_is_refused(house: Instance, given: Any) -> None:
    """With a sentence, by calls, submit and map alike."""

    @flow
    def whole() -> None:
        for call in (add, add.submit):
            with pytest.raises(WrongParameters, match="wait_for takes a list of futures"):
                call(1, wait_for=given)  # type: ignore[operator]
        with pytest.raises(WrongParameters, match="wait_for takes a list of futures"):
            add.map([1], wait_for=given)

    whole()
