"""Definitions: a user's function with its options, as the engine needs it."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from headrace.errors import InvalidOption
from headrace.model.names import checked_name
from headrace.model.parameters import Signature
from headrace.model.tags import Tags

Hook = Callable[..., Any]


def _where(definition: Any) -> str:
    return f"{definition.noun} {definition.name!r}"


def _not_negative(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf")):
        raise InvalidOption(where=_where(definition), option=field.name, value=value, why="it must be a number that is not negative")


def _positive(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    _not_negative(definition, field, value)
    if value == 0:
        raise InvalidOption(where=_where(definition), option=field.name, value=value, why="it must be greater than 0, or None for no limit")


def _whole(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidOption(where=_where(definition), option=field.name, value=value, why="it must be a whole number that is not negative")


def _named(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    checked_name(definition.noun, value)


def _callable_or_none(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not callable(value):
        raise InvalidOption(where=_where(definition), option=field.name, value=value, why="it must be a function")


def _hooks(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    for hook in value:
        if not callable(hook):
            raise InvalidOption(where=_where(definition), option=field.name, value=hook, why="every hook must be a function")


@attrs.frozen(kw_only=True)
class _Definition:
    """What flows and tasks have in common."""

    noun = "definition"

    function: Callable[..., Any]
    name: str = attrs.field(validator=_named)
    description: str | None = None
    version: str | None = None
    retries: int = attrs.field(default=0, validator=_whole)
    timeout_seconds: float | None = attrs.field(default=None, validator=_positive)
    persist_result: bool | None = None
    run_name: str | Callable[..., str] | None = None
    log_prints: bool = False
    on_completion: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)
    on_failure: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)
    signature: Signature = attrs.field(eq=False, repr=False)
    is_async: bool = attrs.field(init=False, eq=False, repr=False)

    @is_async.default
    def _function_is_async(self) -> bool:
        return inspect.iscoroutinefunction(inspect.unwrap(self.function))


@attrs.frozen(kw_only=True)
class FlowDefinition(_Definition):
    """A flow: its function and what to do with it. `task_runner` is a name, a class or a value of an installed task runner."""

    noun = "flow"

    task_runner: Any = None
    retry_delay_seconds: float = attrs.field(default=0.0, validator=_not_negative)
    validate_parameters: bool = True
    on_crash: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)
    on_cancellation: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)


@attrs.frozen(kw_only=True)
class TaskDefinition(_Definition):
    """A task: its function and what to do with it.

    `retry_delays` has the seconds before each retry, the last one repeated; `retry_jitter` lengthens each by up to that share.
    `cache_namespace` is where its cache keys live: its own task key, unless tasks are to share results.
    """

    noun = "task"

    tags: Tags = ()
    retry_delays: tuple[float, ...] = (0.0,)
    retry_jitter: float = attrs.field(default=0.0, validator=_not_negative)
    retry_condition: Callable[..., bool] | None = attrs.field(default=None, validator=_callable_or_none)
    cache_key_fn: Callable[..., str | None] | None = attrs.field(default=None, validator=_callable_or_none)
    cache_expiration: timedelta | None = None
    cache_namespace: str | None = None
    key: str = attrs.field(init=False, eq=False, repr=False)

    @key.default
    def _key(self) -> str:
        return task_key(self.function, self.name)

    def retry_delay(self, failures: int, share: float) -> float:
        """Seconds to wait after the `failures`-th failure (from 1); `share` in [0, 1) says how much of the jitter to add."""
        delay = self.retry_delays[min(failures, len(self.retry_delays)) - 1]
        return delay * (1 + self.retry_jitter * share)


def task_key(function: Callable[..., Any], name: str) -> str:
    """Eight characters that stay the same wherever the code runs.

    Made of the file's stem, the qualified name and the task's name: a script run as `__main__` and the same script imported from
    somewhere agree.
    """
    from hashlib import sha256

    plain = inspect.unwrap(function)
    code = getattr(plain, "__code__", None)
    file = code.co_filename if code else ""
    stem = file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    qualified = getattr(plain, "__qualname__", type(plain).__qualname__)
    return sha256("\n".join((stem, qualified, name)).encode()).hexdigest()[:8]
