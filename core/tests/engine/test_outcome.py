"""From what a flow returns to its final state."""

from typing import Any

import pytest

from headrace.engine.futures import TaskFuture
from headrace.engine.outcome import of_flow, of_task
from headrace.model.runs import TaskRun
from headrace.model.states import State, StateType
from headrace.testing.clock import START

DONE, FAILED, CANCELLED, RUNNING = State.completed(1), State.failed(ValueError("no")), State.cancelled(), State.running()


def future(state: State) -> TaskFuture[Any]:
    """A future that has ended in a state."""
    run = TaskRun(id="r", name="r", state=State.pending(), created=START, flow_run_id="f", task_name="t", task_key="k", call=0)
    made: TaskFuture[Any] = TaskFuture(run)
    made.ended.set_result(state)
    return made


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (7, StateType.COMPLETED, None),
        ([], StateType.COMPLETED, None),
        (DONE, StateType.COMPLETED, None),
        (FAILED, StateType.FAILED, None),
        (CANCELLED, StateType.CANCELLED, None),
        (RUNNING, StateType.FAILED, "1/1 states are not final."),
        ([DONE, DONE], StateType.COMPLETED, "All states completed."),
        ((DONE, FAILED), StateType.FAILED, "1/2 states failed."),
        ([DONE, State.crashed("gone"), FAILED], StateType.FAILED, "2/3 states failed."),
        ([CANCELLED, DONE], StateType.FAILED, "1/2 states are cancelled."),
        ([RUNNING, FAILED], StateType.FAILED, "1/2 states are not final."),
        ({"a": FAILED}, StateType.COMPLETED, None),
        ([FAILED, "mixed"], StateType.COMPLETED, None),
    ],
)
def test_the_state_follows_from_the_value(value: Any, kind: StateType, message: str | None) -> None:
    """A table of what flows return."""
    state = of_flow(value, (), tasks_completed=0)
    assert (state.type, state.message) == (kind, message)


def test_futures_become_their_values() -> None:
    """Alone, in a list, or deep inside."""
    assert of_flow(future(DONE), (), tasks_completed=1).result() == 1
    assert of_flow([future(DONE), future(DONE)], (), tasks_completed=2).result() == [1, 1]
    assert of_flow({"a": [future(DONE), 2]}, (), tasks_completed=1).result() == {"a": [1, 2]}


def test_a_failed_future_fails_the_flow_wherever_it_lies() -> None:
    """With the task's own exception."""
    for value in (future(FAILED), [future(FAILED)], {"deep": [(future(DONE), future(FAILED))]}):
        with pytest.raises(ValueError, match="no"):
            of_flow(value, (), tasks_completed=0).result()


def test_nothing_returned_fails_by_what_nobody_asked_for() -> None:
    """A failure that was asked for has been seen."""
    unseen, seen = future(FAILED), future(FAILED)
    seen.asked = True
    assert of_flow(None, [future(DONE), unseen], tasks_completed=1).message == "1/2 states failed."
    assert of_flow(None, [future(DONE), seen], tasks_completed=1).is_completed()
    assert of_flow(5, [unseen], tasks_completed=0).is_completed()


def test_nested_states_raise_the_first_failure() -> None:
    """The exception of the first state that failed is raised by result()."""
    with pytest.raises(ValueError, match="no"):
        of_flow([DONE, FAILED], (), tasks_completed=0).result()


def test_states_that_a_task_returns_are_counted() -> None:
    """As those of a flow: one that failed fails it."""
    failed = of_task([State.failed(message="no"), State.completed()])
    assert (failed.type, failed.message) == ("FAILED", "1/2 states failed.")
    assert of_task((State.completed(1), State.completed(2))).is_completed()
    assert of_task([State.completed(1), 2]).result() == [State.completed(1), 2]
    assert of_task([]).result() == []
