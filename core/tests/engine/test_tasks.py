"""Calling tasks."""

from datetime import timedelta
from typing import Any

import pytest

from headrace import StateType, exponential_backoff, flow, task, task_input_hash, unmapped
from headrace.errors import InvalidOption, NotInRun, NotSerializable, RunFailed, TimedOut, UpstreamFailed, WrongParameters
from headrace.instance import Instance
from headrace.model.filters import Page, TaskRunFilter
from headrace.model.runs import TaskRun


def task_runs(house: Instance) -> list[TaskRun]:
    """All task runs, oldest first."""
    return house.client.read_task_runs(TaskRunFilter(), Page(newest_first=False))


def states(house: Instance, run: TaskRun) -> list[str]:
    """The names of the states a run had."""
    return [state.name for state in house.client.read_states(run.id)]


@task
def add(left: int, right: int = 1) -> int:
    return left + right


@task
def fail(word: str = "no") -> None:
    raise ValueError(word)


def test_a_task_called_in_a_flow_gives_its_value(house: Instance) -> None:
    """Its run is remembered when the flow has ended, with all its states."""

    @flow
    def whole() -> int:
        return add(1) + add(2, right=3)

    assert whole() == 7
    first, second = task_runs(house)
    assert (first.task_name, first.call, second.call) == ("add", 0, 1)
    assert first.name == f"add-{first.task_key}-0"
    assert states(house, first) == ["Pending", "Running", "Completed"]


def test_a_task_outside_of_a_flow_is_its_function(house: Instance) -> None:
    """Also inside another task: a plain call, that nobody remembers."""

    @task
    def nested() -> int:
        return add(1)

    @flow
    def whole() -> int:
        return nested()

    assert (add(1), whole()) == (2, 2)
    assert [run.task_name for run in task_runs(house)] == ["nested"]


def test_a_failure_is_raised_and_can_be_handled(house: Instance) -> None:
    """A flow that handles a task's failure has completed."""

    @flow
    def careful() -> str:
        try:
            fail("ouch")
        except ValueError as error:
            return f"handled {error}"
        return "not reached"

    assert careful() == "handled ouch"
    (run,) = task_runs(house)
    assert (run.state.type, run.state.message) == (StateType.FAILED, "Task run encountered an exception. ValueError: ouch")


def test_a_failure_that_is_not_handled_fails_the_flow(house: Instance) -> None:
    """As any exception does."""

    @flow
    def careless() -> None:
        fail("ouch")

    with pytest.raises(ValueError, match="ouch"):
        careless()


def test_calls_of_copies_are_different_calls(house: Instance) -> None:
    """Copies made by with_options count on together, so no call gets another's result."""

    @flow
    def whole() -> list[int]:
        return [add.with_options(retries=1)(1), add.with_options(retries=2)(2), add(3)]

    assert whole() == [2, 3, 4]
    assert sorted(run.call for run in task_runs(house)) == [0, 1, 2]


def test_a_submitted_task_gives_a_future(house: Instance) -> None:
    """The future has the result, and goes into other tasks as it is."""

    @flow
    def whole() -> int:
        first = add.submit(1)
        second = add.submit(first, first)
        assert second.result() == 4
        return add(second)

    assert whole() == 5
    first, second, third = task_runs(house)
    assert (first.inputs, second.inputs, third.inputs) == ({}, {"left": (first.id,), "right": (first.id,)}, {"left": (second.id,)})


def test_futures_are_found_wherever_they_lie(house: Instance) -> None:
    """In lists, tuples, sets, dicts, and values with fields; what holds none is passed on as the same object."""
    plain = {"untouched": [1, 2, 3]}

    @task
    def look(value: Any, other: Any) -> Any:
        assert other is plain
        return value

    @flow
    def whole() -> Any:
        future = add.submit(1)
        return look([future, (future, {future.result()}), {"key": future, "deep": [{"er": future}]}], plain)

    assert whole() == [2, (2, {2}), {"key": 2, "deep": [{"er": 2}]}]


def test_a_task_does_not_run_after_a_failure_upstream(house: Instance) -> None:
    """It ends, saying which task run it waited for; a flow that asked has handled it."""

    @flow
    def whole() -> Any:
        return add.submit(fail.submit()).wait()

    state = whole.fn and whole(return_state=True)
    assert state.is_failed()
    upstream, downstream = task_runs(house)
    assert (downstream.state.type, downstream.state.name) == (StateType.FAILED, "UpstreamFailed")
    assert upstream.name in (downstream.state.message or "")
    assert states(house, downstream) == ["Pending", "UpstreamFailed"]
    with pytest.raises(UpstreamFailed) as raised:
        state.result()
    assert isinstance(raised.value.__cause__, ValueError)


def test_wait_for_orders_without_data(house: Instance) -> None:
    """A task waits for what it is told to, and that is written down."""

    @flow
    def whole() -> int:
        first = add.submit(1)
        return add(5, wait_for=[first])

    assert whole() == 6
    first, second = task_runs(house)
    assert second.inputs == {"wait_for": (first.id,)}


def test_a_flow_fails_by_a_submitted_failure_that_nobody_asked_for(house: Instance) -> None:
    """Otherwise it would be lost; one that was asked for is the flow's own affair."""

    @flow
    def unaware() -> None:
        fail.submit("lost")

    @flow
    def aware() -> None:
        fail.submit("seen").wait()

    with pytest.raises(ValueError, match="lost"):
        unaware()
    assert aware() is None


def test_map_calls_once_for_each_item(house: Instance) -> None:
    """Side by side; texts and unmapped values go whole to each; a future is waited for."""

    @task
    def numbers() -> list[int]:
        return [10, 20]

    @task
    def label(number: int, other: int, text: str, extra: list[int]) -> str:
        return f"{number}/{other}/{text}/{len(extra)}"

    @flow
    def whole() -> list[str]:
        return label.map(numbers.submit(), [1, 2], "ab", extra=unmapped([1, 2, 3])).result()

    assert whole() == ["10/1/ab/3", "20/2/ab/3"]


@pytest.mark.parametrize(("args", "why"), [(([1, 2], [1]), "lengths differ: 'left' has 2, 'right' has 1"), ((1, 2), "at least one")])
def test_map_refuses_what_it_cannot_iterate(house: Instance, args: tuple[Any, ...], why: str) -> None:
    """It says what is wrong, with the lengths."""

    @flow
    def whole() -> None:
        add.map(*args)

    with pytest.raises(WrongParameters, match=why):
        whole()


def test_submit_needs_a_flow() -> None:
    """A sentence says so."""
    with pytest.raises(NotInRun, match="add.submit"):
        add.submit(1)


def test_a_task_is_tried_again(house: Instance) -> None:
    """As often as it says, with every state remembered."""
    tries: list[int] = []

    @task(retries=3)
    def second_time() -> int:
        tries.append(1)
        if len(tries) < 2:
            raise ValueError
        return len(tries)

    @flow
    def whole() -> int:
        return second_time()

    assert whole() == 2
    (run,) = task_runs(house)
    assert states(house, run) == ["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]


def test_a_retry_condition_decides(house: Instance) -> None:
    """It gets the task, its run and the failed state; if it fails itself, there is no retry."""
    tries: list[str] = []

    def worth_it(task: Any, run: Any, state: Any) -> bool:
        return "again" in str(state.result(raise_on_failure=False))

    @task(retries=2, retry_condition=worth_it)
    def moody(word: str) -> None:
        tries.append(word)
        raise ValueError(word)

    @flow
    def whole() -> None:
        moody("again", return_state=True)
        moody("enough", return_state=True)
        moody.with_options(retry_condition=lambda *_: 1 / 0)("broken", return_state=True)

    whole()
    assert tries == ["again"] * 3 + ["enough", "broken"]


def test_delays_are_numbers_lists_or_made(house: Instance) -> None:
    """The last of a list is repeated; jitter lengthens by up to its share; nonsense is refused."""
    assert task(retry_delay_seconds=[1, 5])(lambda: None).definition.retry_delays == (1.0, 5.0)
    backoff = task(retries=3, retry_delay_seconds=exponential_backoff(2), retry_jitter_factor=0.5)(lambda: None).definition
    assert backoff.retry_delays == (2.0, 4.0, 8.0)
    assert [backoff.retry_delay(failure, 0.0) for failure in (1, 2, 3, 4)] == [2.0, 4.0, 8.0, 8.0]
    assert backoff.retry_delay(1, 0.5) == 2.5
    with pytest.raises(InvalidOption, match="retry_delay_seconds"):
        task(retry_delay_seconds="soon")(lambda: None)


def test_a_timeout_ends_a_task(house: Instance) -> None:
    """At once, for the flow; the state is named TimedOut."""
    import threading

    release = threading.Event()

    @task(timeout_seconds=0.05)
    def endless() -> None:
        while not release.wait(0.001):
            pass

    @flow
    def whole() -> None:
        endless()

    with pytest.raises(TimedOut):
        whole()
    release.set()
    assert task_runs(house)[0].state.name == "TimedOut"


def test_a_cached_result_is_taken_over(house: Instance) -> None:
    """The same key gives the first result, named Cached, also in another flow run; another task has keys of its own."""
    calls: list[int] = []

    @task(cache_key_fn=task_input_hash)
    def slow(number: int) -> int:
        calls.append(number)
        return number * 2

    @task(cache_key_fn=task_input_hash)
    def other(number: int) -> int:
        return -number

    @flow
    def whole() -> tuple[int, int, int]:
        return slow(1), slow(1), other(1)

    assert (whole(), whole()) == ((2, 2, -1), (2, 2, -1))
    assert calls == [1]
    assert [run.state.name for run in task_runs(house)[:2]] == ["Completed", "Cached"]


def test_tasks_share_a_cache_if_they_say_so(house: Instance) -> None:
    """Two tasks with one namespace and one key share results."""
    shared = {"cache_key_fn": lambda context, parameters: "key", "cache_namespace": "ours"}
    first = task(**shared)(lambda: "first")
    second = task(**shared, name="second")(lambda: "second")

    @flow
    def whole() -> tuple[str, str]:
        return first(), second()

    assert whole() == ("first", "first")


def test_a_cache_expires(house: Instance) -> None:
    """A result that has expired when it is asked for is computed again; failures are never cached."""
    calls: list[str] = []

    @task(cache_key_fn=lambda context, parameters: "key", cache_expiration=timedelta(0))
    def short() -> None:
        calls.append("short")

    @task(cache_key_fn=lambda context, parameters: "key")
    def failing() -> None:
        calls.append("failing")
        raise ValueError

    @flow
    def whole() -> None:
        for each in (short, short, failing, failing):
            each(return_state=True)

    whole()
    assert calls == ["short", "short", "failing", "failing"]


def test_a_cache_key_function_that_fails_fails_the_task(house: Instance) -> None:
    """The state says that it was the key function."""

    @task(cache_key_fn=lambda context, parameters: 1 / 0)
    def keyed() -> None: ...

    @flow
    def whole() -> None:
        keyed()

    with pytest.raises(ZeroDivisionError):
        whole()
    assert "cache_key_fn" in (task_runs(house)[0].state.message or "")


def test_a_limit_of_nothing_refuses_the_task(house: Instance) -> None:
    """A task run whose tag has the limit 0 ends, and says so, instead of waiting for ever."""
    house.client.set_limit("db", 0)

    @flow
    def whole() -> None:
        add.with_options(tags=["db"])(1)

    with pytest.raises(RunFailed, match="'db' is 0"):
        whole()


def test_a_limited_task_that_is_retried_is_not_in_its_own_way(house: Instance) -> None:
    """With one slot, a failing and retried task ends; its slot is free afterwards."""
    house.client.set_limit("db", 1)
    tries: list[int] = []

    @task(tags=["db"], retries=2)
    def stubborn() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError
        (limit,) = house.client.read_limits()
        return len(limit.holders)

    @flow
    def whole() -> int:
        return stubborn()

    assert whole() == 1
    assert [limit.holders for limit in house.client.read_limits()] == [()]


def test_finished_tasks_are_not_computed_again(house: Instance) -> None:
    """A flow that is tried again takes over what finished with the same inputs, and computes the rest."""
    calls: list[str] = []

    @task
    def step(name: str) -> str:
        calls.append(name)
        return name

    @task
    def shaky() -> None:
        calls.append("shaky")
        if calls.count("shaky") < 2:
            raise ValueError

    @flow(retries=1)
    def whole() -> list[str]:
        done = [step("a"), step("b")]
        done.append(step(f"try {calls.count('shaky')}"))
        shaky()
        return done

    assert whole() == ["a", "b", "try 1"]
    assert calls == ["a", "b", "try 0", "shaky", "try 1", "shaky"]


def test_a_result_that_cannot_be_kept_fails_only_if_it_must_be_kept(house: Instance) -> None:
    """persist_result=True makes it a failure; keeping for a possible retry makes it a line in the log."""

    @task
    def thing() -> object:
        return {object()}

    @flow(retries=1)
    def may_retry() -> None:
        thing()

    @flow
    def must_keep() -> None:
        thing.with_options(persist_result=True)()

    assert may_retry(return_state=True).is_completed()
    if not house.registry.has("serializer", "pickle"):
        with pytest.raises(NotSerializable, match="headrace-pickle"):
            must_keep()


def test_a_kept_result_is_read_back(house: Instance) -> None:
    """Small plain data lies inline in the state."""

    @flow
    def whole() -> dict[str, int]:
        return add.with_options(persist_result=True)(1) and {"a": 1}

    whole()
    (run,) = task_runs(house)
    assert run.state.reference is not None
    assert run.state.reference.inline == "2"
    assert house.results.read(run.state.reference) == 2
