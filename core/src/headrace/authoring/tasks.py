"""Tasks, as users write them."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import timedelta
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from headrace.authoring.options import defined, function_name, kept, tags_of, written_in
from headrace.authoring.retrying import delays_of
from headrace.model.definitions import Hook, TaskDefinition

if TYPE_CHECKING:
    from headrace.engine.futures import TaskFuture, TaskFutures

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

RESERVED = frozenset({"return_state", "wait_for"})


class Task(Generic[P, R]):
    """A task: in a flow, call it for its value, `submit` it for a future, `map` it over many. Elsewhere a call is a plain call.

    Calls also take `wait_for=[futures]`, and `return_state=True` for the final State instead of the value.
    """

    def __init__(self, definition: TaskDefinition, options: Mapping[str, Any]) -> None:
        self.definition = definition
        self._options = options
        update_wrapper(self, definition.function)

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def description(self) -> str | None:
        return self.definition.description

    @property
    def fn(self) -> Callable[P, R]:
        """The function itself; calling it runs no task."""
        return self.definition.function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        from headrace.engine.calls import call_task

        wait_for = cast(Iterable[Any], kwargs.pop("wait_for", None) or ())
        return_state = bool(kwargs.pop("return_state", False))
        return cast(R, call_task(self.definition, args, kwargs, wait_for=wait_for, return_state=return_state))

    @overload
    def submit(self: "Task[P, Coroutine[Any, Any, T]]", *args: P.args, **kwargs: P.kwargs) -> "TaskFuture[T]": ...

    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> "TaskFuture[R]": ...

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Gives the call to the flow's task runner; the answer is its future. Raises NotInRun outside of a flow."""
        from headrace.engine.calls import submit_task

        return submit_task(self.definition, args, kwargs, wait_for=kwargs.pop("wait_for", None) or ())

    @overload
    def map(self: "Task[P, Coroutine[Any, Any, T]]", *args: Any, **kwargs: Any) -> "TaskFutures[T]": ...

    @overload
    def map(self, *args: Any, **kwargs: Any) -> "TaskFutures[R]": ...

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """Submits one call for each item of the arguments, iterated side by side; wrap in `unmapped(...)` what every call gets whole."""
        from headrace.engine.calls import map_task

        return map_task(self.definition, args, kwargs, wait_for=kwargs.pop("wait_for", None) or ())

    def with_options(self, **options: Any) -> "Task[P, R]":
        """The same task with other options; takes what `@task` takes, and None for what holds where an option is not given."""
        return task_of(self.definition.function, {**self._options, **options})

    def __repr__(self) -> str:
        return f"<task {self.name!r}>"


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
    version: str | None = None,
    retries: int = 0,
    retry_delay_seconds: float | list[float] | Callable[[int], list[float]] = 0,
    retry_jitter_factor: float = 0,
    retry_condition: Callable[..., bool] | None = None,
    timeout_seconds: float | None = None,
    cache_key_fn: Callable[..., str | None] | None = None,
    cache_expiration: timedelta | None = None,
    cache_namespace: str | None = None,
    persist_result: bool | None = None,
    task_run_name: str | Callable[..., str] | None = None,
    log_prints: bool = False,
    on_completion: Iterable[Hook] = (),
    on_failure: Iterable[Hook] = (),
    on_crash: Iterable[Hook] = (),
    on_cancellation: Iterable[Hook] = (),
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(function: Any = None, /, **options: Any) -> Any:
    """Makes a function a task; use it bare or with options.

    `name` (the function's), `description` (the docstring), `tags`, `version`, `retries`, `retry_delay_seconds` (a number, a list with one for each retry,
    or a function that makes such a list from the number of retries, as `exponential_backoff(2)`), `retry_jitter_factor` (lengthens each delay by up to
    that share), `retry_condition` (called with the task, the task run and its failed state), `timeout_seconds`, `cache_key_fn` (called with the run's
    context and its parameters; None: no caching), `cache_expiration`, `cache_namespace` (the task itself; give two tasks the same to share results),
    `persist_result` (None: where something may be retried or cached), `task_run_name`, `log_prints`, and the hooks `on_completion`, `on_failure`,
    `on_crash` and `on_cancellation`: each called with the task, the task run and its state.
    Raises InvalidName and InvalidOption.
    """
    if function is None:
        return lambda given: task_of(given, options)
    return task_of(function, options)


def task_of(function: Callable[..., Any], options: Mapping[str, Any]) -> Task[Any, Any]:
    """A task from a function and options as `@task` takes them."""
    name, given = function_name(function), kept(options)
    where, delays = written_in("task", name, given), given.get("retry_delay_seconds")
    if given.get("tags") is not None:
        given["tags"] = tags_of(where, given["tags"])
    made = delays_of(where, delays, _retries(given)) if delays is not None else None
    return Task(defined(TaskDefinition, function, given, name=name, reserved=RESERVED, retry_delays=made), given)


def _retries(options: Mapping[str, Any]) -> int:
    """The number that delays are made for; one that is wrong is refused later."""
    retries = options.get("retries")
    return retries if isinstance(retries, int) else 0
