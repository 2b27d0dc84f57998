"""Performing user code: in its run's context, with its deadline, its prints logged if it asked for that."""

import contextvars
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from headrace.engine.run_context import CURRENT
from headrace.engine.run_logs import printing_logged
from headrace.engine.steps import Invoke
from headrace.errors import TimedOut

_OURS = ("headrace.",)
_BETWEEN = ("headrace_", "asyncio.", "concurrent.futures.", "threading")
"""Modules that call users' code for us, or are called on the way to it."""


def perform(call: Invoke) -> Any:
    """Calls a plain function, here."""
    if call.timeout is not None:
        from headrace.engine.deadline import within

        return within(call.timeout, call.what, lambda: _called(call))
    return _called(call)


def _called(call: Invoke) -> Any:
    if call.log_prints:
        with printing_logged():
            return _in_context(call)
    return _in_context(call)


def _in_context(call: Invoke) -> Any:
    token = CURRENT.set(call.context)
    try:
        return call.function(*call.args, **call.kwargs)
    finally:
        CURRENT.reset(token)


async def perform_async(call: Invoke) -> Any:
    """Calls a coroutine function, on the loop that runs."""
    import asyncio

    with ExitStack() as stack:
        if call.log_prints:
            stack.enter_context(printing_logged())
        token = CURRENT.set(call.context)
        try:
            async with asyncio.timeout(call.timeout) as deadline:
                return await call.function(*call.args, **call.kwargs)
        except TimeoutError as error:
            if call.timeout is not None and deadline.expired():
                raise TimedOut(what=call.what, seconds=call.timeout) from error
            raise
        finally:
            CURRENT.reset(token)


def raised_by_user(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """The error with the frames of users' own code alone, as logging takes it, and so its causes; the way there is nobody's business."""
    seen = {id(error)}
    cause = _cause_of(error)
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        cause.__traceback__ = _users(cause.__traceback__)
        cause = _cause_of(cause)
    return type(error), error, _users(error.__traceback__)


def _cause_of(error: BaseException) -> BaseException | None:
    """What is told before it, as Python does."""
    return error.__context__ if error.__cause__ is None and not error.__suppress_context__ else error.__cause__


def _users(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without our frames, and without those of what we called that was not the user's."""
    kept: list[TracebackType] = []
    is_ours = True
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        is_ours = module.startswith(_OURS) or (is_ours and module.startswith(_BETWEEN))
        if not is_ours:
            kept.append(trace)
        trace = trace.tb_next
    found: TracebackType | None = None
    for each in reversed(kept):
        found = TracebackType(found, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return found


def bound_to_here(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call, made in a copy of this context, so that users' own context variables go along."""
    context = contextvars.copy_context()
    return lambda: context.run(call)
