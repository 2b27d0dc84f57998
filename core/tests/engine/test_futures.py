"""Futures."""

import asyncio
from typing import Any

import pytest

from headrace.engine.futures import TaskFuture
from headrace.model.runs import TaskRun
from headrace.model.states import State
from headrace.testing.clock import START


def future(state: State | None = None) -> TaskFuture[Any]:
    run = TaskRun(id="r", name="r", state=State.pending(), created=START, flow_run_id="f", task_name="t", task_key="k", call=0)
    made: TaskFuture[Any] = TaskFuture(run)
    if state is not None:
        made.ended.set_result(state)
    return made


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
