"""Flows, as users write them."""

from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

import attrs

from headrace.authoring.options import defined, function_name, kept
from headrace.authoring.versions import version_of
from headrace.model.definitions import FlowDefinition, Hook

P = ParamSpec("P")
R = TypeVar("R")

RESERVED = frozenset({"return_state"})


class Flow(Generic[P, R]):
    """A flow: call it and it runs, is remembered, and returns what its function returns.

    `return_state=True` in a call gives the final State instead. `definition` has the function and its options.
    """

    def __init__(self, definition: FlowDefinition, options: Mapping[str, Any]) -> None:
        self.definition = definition
        self._options = options
        self._is_versioned = definition.version is not None
        update_wrapper(self, definition.function)

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def description(self) -> str | None:
        return self.definition.description

    @property
    def version(self) -> str | None:
        """As given, else made of the source file; None where there is no file."""
        return self._versioned().version

    @property
    def fn(self) -> Callable[P, R]:
        """The function itself; calling it runs no flow."""
        return self.definition.function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        from headrace.engine.calls import call_flow

        return_state = bool(kwargs.pop("return_state", False))
        return cast(R, call_flow(self._versioned(), args, kwargs, return_state=return_state))

    def with_options(self, **options: Any) -> "Flow[P, R]":
        """The same flow with other options; takes what `@flow` takes, and None for what holds where an option is not given."""
        return flow_of(self.definition.function, {**self._options, **options})

    def _versioned(self) -> FlowDefinition:
        if not self._is_versioned:
            self.definition = attrs.evolve(self.definition, version=version_of(self.definition.function))
            self._is_versioned = True
        return self.definition

    def __repr__(self) -> str:
        return f"<flow {self.name!r}>"


@overload
def flow(function: Callable[P, R], /) -> Flow[P, R]: ...


@overload
def flow(
    *,
    name: str | None = None,
    version: str | None = None,
    description: str | None = None,
    task_runner: Any = None,
    timeout_seconds: float | None = None,
    retries: int = 0,
    retry_delay_seconds: float = 0,
    validate_parameters: bool = True,
    persist_result: bool | None = None,
    result_storage: Any = None,
    flow_run_name: str | Callable[..., str] | None = None,
    log_prints: bool = False,
    on_completion: Iterable[Hook] = (),
    on_failure: Iterable[Hook] = (),
    on_crash: Iterable[Hook] = (),
    on_cancellation: Iterable[Hook] = (),
) -> Callable[[Callable[P, R]], Flow[P, R]]: ...


def flow(function: Any = None, /, **options: Any) -> Any:
    """Makes a function a flow; use it bare or with options.

    `name` (the function's, with - for _), `version` (made of the file), `description` (the docstring), `task_runner` (a name or a value; concurrent),
    `timeout_seconds`, `retries` and `retry_delay_seconds`, `validate_parameters` (True: arguments are checked and coerced by their annotations),
    `persist_result` (None: where something may be retried), `result_storage` (where results of the flow, its tasks and its subflows are kept: the name or
    type of a storage, or a value of one), `flow_run_name` (a template of the parameters, or a function of them), `log_prints`, and the
    hooks `on_completion`, `on_failure`, `on_crash`, `on_cancellation`: each called with the flow, the flow run and its state.
    Raises InvalidName and InvalidOption.
    """
    if function is None:
        return lambda given: flow_of(given, options)
    return flow_of(function, options)


def flow_of(function: Callable[..., Any], options: Mapping[str, Any]) -> Flow[Any, Any]:
    """A flow from a function and options as `@flow` takes them."""
    name, given = function_name(function).replace("_", "-"), kept(options)
    return Flow(defined(FlowDefinition, function, given, name=name, reserved=RESERVED), given)
