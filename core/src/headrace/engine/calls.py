"""Calling flows and tasks: which life begins, and which driver lives it."""

from collections.abc import Iterable, Mapping
from typing import Any

from headrace.engine.drive import drive, drive_async, drive_behind
from headrace.engine.flow_life import FlowLife
from headrace.engine.futures import TaskFuture, TaskFutures, running_loop
from headrace.engine.live_run import LiveRun
from headrace.engine.run_context import CURRENT, FlowRunContext, TaskRunContext
from headrace.engine.subflow_life import SubflowLife
from headrace.engine.task_life import TaskLife
from headrace.engine.uncaught import SaidInALine
from headrace.errors import AsyncFlowInFlow, FlowInsideTask, NotInRun, WrongParameters
from headrace.instance import current
from headrace.model.coercion import shown
from headrace.model.definitions import FlowDefinition, TaskDefinition
from headrace.model.states import State
from headrace.packaging.loading import is_skipped

Arguments = tuple[Any, ...]


class Unmapped:
    """An argument of `map` that every call gets whole; make one with `unmapped(value)`."""

    def __init__(self, value: Any) -> None:
        self.value = value


def call_flow(definition: FlowDefinition, args: Arguments, kwargs: Mapping[str, Any], *, return_state: bool) -> Any:
    """Runs a flow: its value or its state; a coroutine of it for an async flow. While code is loaded, it gives None."""
    if is_skipped(definition.name):
        return _nothing() if definition.is_async else None
    if definition.is_async:
        _refuse_unawaited(definition)
        return _flow_awaited(definition, args, kwargs, return_state=return_state)
    with SaidInALine():
        life = _flow_life(definition, args, kwargs)
        return _given(drive(life.life(), life.loop), return_state=return_state)


async def _nothing() -> None: ...


def _refuse_unawaited(definition: FlowDefinition) -> None:
    """Raises AsyncFlowInFlow where a flow calls it that cannot await it."""
    context = CURRENT.get()
    if isinstance(context, FlowRunContext) and context.live is not None and not _can_await(context.live):
        raise AsyncFlowInFlow(flow=definition.name, parent=context.flow.name)


def _can_await(live: LiveRun) -> bool:
    """Whether a coroutine that is made here in a flow can be awaited: the flow is async, or it runs an event loop of its own."""
    loop = running_loop()
    return live.definition.is_async or (loop is not None and loop is not live.called_on)


async def _flow_awaited(definition: FlowDefinition, args: Arguments, kwargs: Mapping[str, Any], *, return_state: bool) -> Any:
    import asyncio

    with SaidInALine():
        life = _flow_life(definition, args, kwargs, user_loop=asyncio.get_running_loop())
        return _given(await drive_async(life.life()), return_state=return_state)


def _flow_life(definition: FlowDefinition, args: Arguments, kwargs: Mapping[str, Any], user_loop: Any = None) -> FlowLife | SubflowLife:
    context = CURRENT.get()
    if isinstance(context, TaskRunContext):
        raise FlowInsideTask(flow=definition.name, task=context.task.name)
    if context is None or context.live is None:
        return FlowLife(current(), definition, args, kwargs, user_loop=user_loop)
    return SubflowLife(context.live, definition, args, kwargs, user_loop)


def _given(state: State, *, return_state: bool) -> Any:
    return state if return_state else state.result()


def call_task(
    definition: TaskDefinition, args: Arguments, kwargs: Mapping[str, Any], *, wait_for: Iterable[Any], return_state: bool
) -> Any:
    """Runs a task here: its value or its state; a coroutine of it for an async task in an async flow.

    Outside a flow, and inside a task, it is a plain call of the function.
    """
    context = CURRENT.get()
    if not isinstance(context, FlowRunContext) or context.live is None:
        return definition.function(*args, **kwargs)
    if definition.is_async and _can_await(context.live):
        return _task_awaited(context.live, definition, args, kwargs, wait_for=wait_for, return_state=return_state)
    life = TaskLife(context.live, definition, _bound(definition, args, kwargs), _awaited(definition, wait_for))
    return _given(drive(life.life(), context.live.loop), return_state=return_state)


async def _task_awaited(
    live: LiveRun, definition: TaskDefinition, args: Arguments, kwargs: Mapping[str, Any], *, wait_for: Iterable[Any], return_state: bool
) -> Any:
    life = TaskLife(live, definition, _bound(definition, args, kwargs), _awaited(definition, wait_for))
    return _given(await drive_async(life.life()), return_state=return_state)


def submit_task(definition: TaskDefinition, args: Arguments, kwargs: Mapping[str, Any], *, wait_for: Iterable[Any]) -> TaskFuture[Any]:
    """Gives the call to the flow's task runner, and answers at once with its future. Raises NotInRun outside of a flow."""
    live = _live(definition, "submit")
    return _submitted(live, definition, _bound(definition, args, kwargs), _awaited(definition, wait_for))


def map_task(definition: TaskDefinition, args: Arguments, kwargs: Mapping[str, Any], *, wait_for: Iterable[Any]) -> TaskFutures[Any]:
    """Submits one call for each item of the arguments, which are iterated side by side; a future among them is waited for first.

    `unmapped(value)`, texts and mappings go whole to every call. Raises WrongParameters where the lengths differ or nothing is to be iterated.
    """
    live = _live(definition, "map")
    wait_for = _awaited(definition, wait_for)
    where = f"task {definition.name!r}"
    given: dict[int | str, Any] = dict(enumerate(args))
    given.update(kwargs)
    mapped = {name: _items(value) for name, value in given.items() if _is_mapped(value)}
    if not mapped:
        raise WrongParameters(where=where, why="map needs at least one argument to iterate")
    if len({len(items) for items in mapped.values()}) > 1:
        shown = ", ".join(f"{_name_of(definition, given)!r} has {len(items)}" for given, items in mapped.items())
        raise WrongParameters(where=where, why=f"map iterates its arguments side by side, and their lengths differ: {shown}")
    whole = {name: value.value if isinstance(value, Unmapped) else value for name, value in given.items() if name not in mapped}
    futures: TaskFutures[Any] = TaskFutures()
    for items in zip(*mapped.values(), strict=True):
        row = {**whole, **dict(zip(mapped, items, strict=True))}
        call = _bound(definition, tuple(row[place] for place in range(len(args))), {name: row[name] for name in kwargs})
        futures.append(_submitted(live, definition, call, wait_for))
    return futures


def _name_of(definition: TaskDefinition, given: int | str) -> int | str:
    """The parameter that an argument is for, which may be given by its position."""
    parameters = definition.signature.parameters
    return parameters[min(given, len(parameters) - 1)].name if isinstance(given, int) and parameters else given


def _is_mapped(value: Any) -> bool:
    if isinstance(value, (Unmapped, str, bytes, Mapping)):
        return False
    return isinstance(value, (Iterable, TaskFuture))


def _items(value: Any) -> list[Any]:
    return list(value.result()) if isinstance(value, TaskFuture) else list(value)


def _submitted(live: LiveRun, definition: TaskDefinition, arguments: Mapping[str, Any], wait_for: Iterable[Any]) -> TaskFuture[Any]:
    in_order = live.task_runner.in_order and definition.is_async
    life = TaskLife(live, definition, arguments, wait_for, hand_over=True, after=live.last_in_order if in_order else None)
    future: TaskFuture[Any] = TaskFuture(life.run, loop=live.user_loop or life.loop_waited_for)
    life.future = future
    live.futures.append(future)
    if in_order:
        live.last_in_order = future.ended
    drive_behind(life.life(), live, future.ended, lambda: life.run.state)
    return future


def _live(definition: TaskDefinition, method: str) -> LiveRun:
    context = CURRENT.get()
    if not isinstance(context, FlowRunContext) or context.live is None:
        raise NotInRun(what=f"{definition.name}.{method}(...)", needed="flow run")
    return context.live


def _bound(definition: TaskDefinition, args: Arguments, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return definition.signature.bind(f"task {definition.name!r}", args, kwargs)


def _awaited(definition: TaskDefinition, wait_for: Any) -> Arguments:
    """What a call waits for; one future alone will do. Raises WrongParameters."""
    if isinstance(wait_for, tuple):
        return wait_for
    if isinstance(wait_for, TaskFuture):
        return (wait_for,)
    if isinstance(wait_for, str) or not isinstance(wait_for, Iterable):
        raise WrongParameters(where=f"task {definition.name!r}", why=f"wait_for takes a list of futures, not {shown(wait_for)}")
    return tuple(wait_for)
