"""The final state of a run, from what its function returned."""

from collections.abc import Iterable
from typing import Any

import attrs

from headrace.engine.futures import TaskFuture
from headrace.engine.inputs import filled, futures_in
from headrace.model.states import State, StateType
from headrace.model.texts import said_by


def of_task(value: Any) -> State:
    """A task completed with what it returned; a state it returned is its state, and states in a list, tuple or set are counted as a flow's are."""
    if isinstance(value, State):
        return _own(value)
    if isinstance(value, (list, tuple, set, frozenset)) and value and all(isinstance(item, State) for item in value):
        return _counted(value)
    return State.completed(value)


def of_flow(value: Any, submitted: Iterable[TaskFuture[Any]], *, tasks_completed: int) -> State:
    """A flow's state. All futures have ended.

    A state is taken as it is; a list, tuple or set of nothing but states and futures is counted; futures anywhere else become their values, and the
    first that failed fails the flow. A flow that returned nothing fails only if a submitted task failed and nobody asked for it.
    """
    if value is None:
        return _of_nothing(tuple(submitted), tasks_completed)
    if isinstance(value, State):
        return _own(value)
    if isinstance(value, (list, tuple, set, frozenset)) and value and all(isinstance(item, (State, TaskFuture)) for item in value):
        return _counted(value)
    futures = futures_in(value)
    failed = [future for future in futures if not _state(future).is_completed()]
    if failed:
        return State.failed(_state(failed[0]).result(raise_on_failure=False), message=_share(len(failed), len(futures), "failed"))
    try:
        return State.completed(filled(value) if futures else value)
    except Exception as error:  # a container may refuse what it is to hold, as a set does a list
        return State.failed(error, message=f"What was returned cannot hold what the futures in it gave. {said_by(error)}")


def _of_nothing(submitted: tuple[TaskFuture[Any], ...], tasks_completed: int) -> State:
    failed = [future for future in submitted if not future.asked and not _state(future).is_completed()]
    if failed:
        return State.failed(_state(failed[0]).result(raise_on_failure=False), message=_share(len(failed), len(submitted), "failed"))
    return State.completed(None, message="All states completed." if tasks_completed else None)


def _own(state: State) -> State:
    if not state.is_terminal():
        return State.failed([state], message=_share(1, 1, "not final"))
    return attrs.evolve(state, timestamp=None, reference=None, cache_key=None, cache_expiration=None)


def _counted(items: Any) -> State:
    states = [item if isinstance(item, State) else _state(item) for item in items]
    not_final = sum(not state.is_terminal() for state in states)
    cancelled = sum(state.type is StateType.CANCELLED for state in states)
    failed = sum(state.is_terminal() and not state.is_completed() for state in states) - cancelled
    for count, said in ((not_final, "not final"), (failed, "failed"), (cancelled, "cancelled")):
        if count:
            return State.failed(states, message=_share(count, len(states), said))
    values = [item if isinstance(item, State) else _state(item).result() for item in items]
    return State.completed(type(items)(values) if type(items) in (list, tuple, set, frozenset) else values, message="All states completed.")


def _share(count: int, total: int, said: str) -> str:
    return f"{count}/{total} states {said}." if said == "failed" else f"{count}/{total} states are {said}."


def _state(future: TaskFuture[Any]) -> State:
    return future.ended.result()
