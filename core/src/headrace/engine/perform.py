"""Performing user code: in its run's context, with its deadline, its prints logged if it asked for that."""

import contextvars
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from headrace.engine.run_context import CURRENT
from headrace.engine.run_logs import printing_logged
from headrace.engine.steps import Invoke
from headrace.errors import TimedOut


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
    """The error with its traceback from the user's first line on, as logging takes it; the way there is nobody's business."""
    trace = found = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == __name__ and trace.tb_next is not None:
            found = trace.tb_next
        trace = trace.tb_next
    return type(error), error, found


def bound_to_here(call: Invoke) -> Any:
    """The call as a function without arguments that runs in a copy of this context, so that users' own context variables go along."""
    context = contextvars.copy_context()
    return lambda: context.run(perform, call)
