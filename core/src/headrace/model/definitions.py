"""Definitions: a user's function with its options, as the engine needs it."""

import inspect
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import attrs

from headrace.errors import InvalidOption
from headrace.model.choices import Choice
from headrace.model.names import checked_name
from headrace.model.parameters import Signature
from headrace.model.states import State
from headrace.model.tags import Tags

Hook = Callable[..., Any]

LONGEST = 100 * 365 * 86400.0
"""The longest time that may be asked for, in seconds: what is longer, clocks and waits cannot count any more."""

_MEANS_SECONDS = "it must be a number of seconds"


def option_names(kind: type) -> dict[str, str]:
    """What users write as options of a definition, and the fields that they stand in."""
    return {_option(kind, field): field.name for field in attrs.fields(kind) if field.init and field.name not in ("function", "signature")}


def _option(kind: Any, field: "attrs.Attribute[Any]") -> str:
    option: str = field.metadata.get("option", field.name)
    return option.format(noun=kind.noun)


def _refuse(definition: Any, field: "attrs.Attribute[Any]", value: Any, why: str) -> NoReturn:
    raise InvalidOption(where=f"{definition.noun} {definition.name!r}", option=_option(definition, field), value=value, why=why)


# What options must be: validators, each with the sentence for what is something else


def _text(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not isinstance(value, str):
        _refuse(definition, field, value, "it must be text")


def _truth(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if not isinstance(value, bool):
        _refuse(definition, field, value, "it must be True or False")


def _truth_or_none(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        _refuse(definition, field, value, "it must be True, False or None")


def _whole(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        _refuse(definition, field, value, "it must be a whole number that is not negative")


def _not_negative(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if not (_is_number(value) and 0 <= value < float("inf")):
        _refuse(definition, field, value, "it must be a number that is not negative")


def _delay(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if not (_is_number(value) and 0 <= value <= LONGEST):
        _refuse(definition, field, value, f"{_MEANS_SECONDS} that is not negative, and no longer than a hundred years")


def _timeout(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not (_is_number(value) and 0 < value <= LONGEST):
        _refuse(definition, field, value, f"{_MEANS_SECONDS} greater than 0, and no longer than a hundred years; None is no limit")


def _expiration(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not (isinstance(value, timedelta) and 0 <= value.total_seconds() <= LONGEST):
        _refuse(
            definition, field, value, "it must be a timedelta that is not negative, and no longer than a hundred years; None is for good"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _named(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    checked_name(definition.noun, value)


def _space(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        _refuse(definition, field, value, "it must be text that is not empty")


def _runs(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value):
        _refuse(definition, field, value, "it yields, so that calling it would run none of it; return a list instead")


def _hooks(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    for hook in value:
        if not callable(hook) or not _takes(hook, 3):
            _refuse(definition, field, hook, f"every hook must be a function of three values: the {definition.noun}, its run and the state")


def _decides(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    _is_function_of(definition, field, value, 3, "three values: the task, its run and the failed state")


def _makes_key(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    _is_function_of(definition, field, value, 2, "two values: the context of the run and its parameters")
    if value is not None and definition.persist_result is False:
        _refuse(
            definition, field, value, "only results that are kept can be found again, and persist_result is False; leave one of them out"
        )


def _is_function_of(definition: Any, field: "attrs.Attribute[Any]", value: Any, count: int, what: str) -> None:
    if value is None:
        return
    if not callable(value) or not _takes(value, count):
        _refuse(definition, field, value, f"it must be a function of {what}")
    if inspect.iscoroutinefunction(value):
        _refuse(definition, field, value, "it must be a plain function, not an async one")


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether it can be called with so many values; one that does not tell can."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _title(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if isinstance(value, str):
        _is_template(definition, field, value)
    else:
        _is_function_of(definition, field, value, 1, "one value: the parameters; or a template of them as text")


def _is_template(definition: Any, field: "attrs.Attribute[Any]", value: str) -> None:
    from string import Formatter  # most flows and tasks have no template

    known = [parameter.name for parameter in definition.signature.parameters]
    try:
        used = [name for _, name, _, _ in Formatter().parse(value) if name is not None]
    except ValueError as error:
        _refuse(definition, field, value, f"it is no template: {error}; a brace is written twice")
    for name in used:
        if re.split(r"[.\[]", name, maxsplit=1)[0] not in known:
            _refuse(definition, field, value, f"there is no parameter {name!r}; there are: {', '.join(known) or 'none'}")


def _task_runner(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    is_name = value is None or isinstance(value, Choice) or (isinstance(value, str) and value.strip())
    if not is_name and not (callable(getattr(value, "open", None)) and hasattr(value, "in_process")):
        _refuse(definition, field, value, "it must be a name, or a class or value of headrace.task_runners")


def _storage(definition: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    is_name = value is None or isinstance(value, Choice) or (isinstance(value, str) and value.strip())
    if not is_name and (isinstance(value, type) or not hasattr(value, "outlives_process")):
        _refuse(definition, field, value, "it must be the name of a storage, or a value of a class of headrace.storage")


@attrs.frozen(kw_only=True)
class _Definition:
    """What flows and tasks have in common."""

    noun = "definition"

    function: Callable[..., Any] = attrs.field(validator=_runs)
    name: str = attrs.field(validator=_named)
    description: str | None = attrs.field(default=None, validator=_text)
    version: str | None = attrs.field(default=None, validator=_text)
    retries: int = attrs.field(default=0, validator=_whole)
    timeout_seconds: float | None = attrs.field(default=None, validator=_timeout)
    persist_result: bool | None = attrs.field(default=None, validator=_truth_or_none)
    run_name: str | Callable[..., str] | None = attrs.field(default=None, validator=_title, metadata={"option": "{noun}_run_name"})
    log_prints: bool = attrs.field(default=False, validator=_truth)
    on_completion: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)
    on_failure: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)
    on_crash: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)
    on_cancellation: tuple[Hook, ...] = attrs.field(default=(), validator=_hooks)
    signature: Signature = attrs.field(eq=False, repr=False)
    is_async: bool = attrs.field(init=False, eq=False, repr=False)

    @is_async.default
    def _function_is_async(self) -> bool:
        return inspect.iscoroutinefunction(inspect.unwrap(self.function))

    def hooks(self, state: State) -> tuple[Hook, ...]:
        """Those that are to hear of this end."""
        if state.is_completed():
            return self.on_completion
        if state.is_crashed():
            return self.on_crash
        return self.on_cancellation if state.is_cancelled() else self.on_failure


@attrs.frozen(kw_only=True)
class FlowDefinition(_Definition):
    """A flow: its function and what to do with it. `task_runner` is a name, a class or a value of an installed task runner, `result_storage` the name or
    type of a storage, or a value of one."""

    noun = "flow"

    task_runner: Any = attrs.field(default=None, validator=_task_runner)
    retry_delay_seconds: float = attrs.field(default=0.0, validator=_delay)
    validate_parameters: bool = attrs.field(default=True, validator=_truth)
    result_storage: Any = attrs.field(default=None, validator=_storage)


@attrs.frozen(kw_only=True)
class TaskDefinition(_Definition):
    """A task: its function and what to do with it.

    `retry_delays` has the seconds before each retry, the last one repeated; `retry_jitter` lengthens each by up to that share.
    `cache_namespace` is where its cache keys live: its own task key, unless tasks are to share results.
    """

    noun = "task"

    tags: Tags = ()
    retry_delays: tuple[float, ...] = attrs.field(default=(0.0,), metadata={"option": "retry_delay_seconds"})
    retry_jitter: float = attrs.field(default=0.0, validator=_not_negative, metadata={"option": "retry_jitter_factor"})
    retry_condition: Callable[..., bool] | None = attrs.field(default=None, validator=_decides)
    cache_key_fn: Callable[..., str | None] | None = attrs.field(default=None, validator=_makes_key)
    cache_expiration: timedelta | None = attrs.field(default=None, validator=_expiration)
    cache_namespace: str | None = attrs.field(default=None, validator=_space)
    key: str = attrs.field(init=False, eq=False, repr=False)

    @key.default
    def _key(self) -> str:
        return task_key(self.function, self.name)

    def retry_delay(self, failures: int, share: float) -> float:
        """Seconds to wait after the `failures`-th failure (from 1); `share` in [0, 1) says how much of the jitter to add."""
        delay = self.retry_delays[min(failures, len(self.retry_delays)) - 1]
        return min(delay * (1 + self.retry_jitter * share), LONGEST)


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
