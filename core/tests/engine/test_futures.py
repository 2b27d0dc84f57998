"""Futures, and futures inside arguments."""

import asyncio
import dataclasses
from collections import namedtuple
from typing import Any

import attrs
import pytest

from headrace.engine.futures import TaskFuture
from headrace.engine.inputs import filled, futures_in
from headrace.model.runs import TaskRun
from headrace.model.states import State
from headrace.testing.clock import START


def future(state: State | None = None) -> TaskFuture[Any]:
    run = TaskRun(id="r", name="r", state=State.pending(), created=START, flow_run_id="f", task_name="t", task_key="k", call=0)
    made: TaskFuture[Any] = TaskFuture(run)
    if state is not None:
        made.ended.set_result(state)
    return made


Pair = namedtuple("Pair", "left right")


@dataclasses.dataclass
class Data:
    value: Any
    other: int = 2


@attrs.frozen
class Frozen:
    value: Any
    _private: int = 3


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
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
    ],
)
def test_a_future_is_found_and_filled_in_any_container(shape: Any, expected: Any) -> None:
    """The container is of the same kind, with the value in the future's place."""
    made = future(State.completed(7))
    value = shape(made)
    assert futures_in(value) == [made]
    assert filled(value) == expected


def test_what_holds_no_future_stays_the_same_object() -> None:
    """Nothing is copied, and a container that holds itself is no trouble."""
    circle: list[Any] = [1]
    circle.append(circle)
    for value in ([1, 2], {"a": (1, 2)}, Data(1), circle, object(), int):
        assert filled(value) is value
        assert futures_in(value) == []


def test_a_future_that_has_not_ended_can_be_waited_for_a_while() -> None:
    """wait answers None, result raises TimeoutError."""
    pending = future()
    assert pending.wait(0) is None
    assert pending.state is None
    with pytest.raises(TimeoutError):
        pending.result(0)


def test_who_stops_waiting_cancels_nothing() -> None:
    """A future that one waiter gave up still ends for the others."""
    pending = future()

    async def impatient() -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_awaited(pending), 0.001)
        pending.ended.set_result(State.completed(5))
        return await pending

    assert asyncio.run(impatient()) == 5


async def _awaited(pending: TaskFuture[Any]) -> Any:
    return await pending


def test_a_failure_is_raised_or_returned() -> None:
    """As with states."""
    failed = future(State.failed(ValueError("no")))
    assert isinstance(failed.result(raise_on_failure=False), ValueError)
    with pytest.raises(ValueError, match="no"):
        failed.result()
