"""Task calls that run in another process: what goes there, and what comes back."""

import copy
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from headrace.clock import SystemClock
from headrace.engine.perform import perform, perform_async, raised_by_user
from headrace.engine.run_context import TaskRunContext
from headrace.engine.run_logs import install
from headrace.engine.steps import Invoke
from headrace.engine.voice import Voice
from headrace.errors import NotSerializable
from headrace.ids import Ids
from headrace.model.definitions import TaskDefinition
from headrace.model.logs import LogLine
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.texts import said_by


@attrs.frozen(kw_only=True)
class Returned:
    """What a call did elsewhere: its value or its error, and what it said."""

    value: Any = None
    error: BaseException | None = None
    logs: tuple[LogLine, ...] = ()


@attrs.frozen(kw_only=True)
class RemoteCall:
    """A self-contained task call; calling it (in whichever process) gives a `Returned` and never raises."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    is_async: bool
    timeout: float | None
    what: str
    task: TaskDefinition
    task_run: TaskRun
    flow_run: FlowRun
    parameters: Mapping[str, Any]
    start_time: datetime
    epoch: int
    title: str
    log_level: str
    extra_loggers: tuple[str, ...]

    def __call__(self) -> Returned:
        lines: list[LogLine] = []
        install(self.log_level, self.extra_loggers, console=False)
        try:
            value = self._run(lines)
        except BaseException as error:
            return Returned(error=_portable(error, self.what), logs=tuple(lines))
        return Returned(value=value, logs=tuple(lines))

    def _run(self, lines: list[LogLine]) -> Any:
        call = Invoke(
            function=self.function,
            args=self.args,
            kwargs=self.kwargs,
            context=self._context(lines),
            is_async=self.is_async,
            timeout=self.timeout,
            what=self.what,
            log_prints=self.task.log_prints,
        )
        if not self.is_async:
            return perform(call)
        import asyncio

        return asyncio.run(perform_async(call))

    def _context(self, lines: list[LogLine]) -> TaskRunContext:
        voice = Voice(
            title=self.title,
            flow_run_id=self.task_run.flow_run_id,
            task_run_id=self.task_run.id,
            new_id=Ids(SystemClock()).new,
            say=lines.append,
        )
        return TaskRunContext(
            task=self.task,
            task_run=self.task_run,
            flow_run=self.flow_run,
            parameters=self.parameters,
            start_time=self.start_time,
            epoch=self.epoch,
            voice=voice,
        )


def _portable(error: BaseException, what: str) -> BaseException:
    """The error as it may travel: its traceback does not, so it goes along as a note; one that cannot be made again is told by another."""
    note = "".join(traceback.format_exception(*raised_by_user(error))).rstrip()
    try:
        copy.deepcopy(error)  # asks of it what pickling does; an `__init__` of its own often cannot be called again
    except Exception as problem:
        error = NotSerializable(what=f"the exception of {what} ({said_by(error)})", serializer="pickle", why=said_by(problem))
    error.add_note(note)
    return error


def remote(call: Invoke, *, log_level: str, extra_loggers: tuple[str, ...]) -> RemoteCall:
    """A task's call, made ready for another process."""
    context = call.context
    assert isinstance(context, TaskRunContext), "only tasks are handed over"
    return RemoteCall(
        function=call.function,
        args=call.args,
        kwargs=dict(call.kwargs),
        is_async=call.is_async,
        timeout=call.timeout,
        what=call.what,
        task=attrs.evolve(context.task, on_completion=(), on_failure=(), on_crash=(), on_cancellation=()),
        task_run=context.task_run,
        flow_run=context.flow_run,
        parameters=context.parameters,
        start_time=context.start_time,
        epoch=context.epoch,
        title=context.voice.title,
        log_level=log_level,
        extra_loggers=extra_loggers,
    )
