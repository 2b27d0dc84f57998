"""What runs here: the flow run or task run that the code being executed belongs to."""

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from headrace.engine.voice import Voice
from headrace.errors import NotInRun
from headrace.model.definitions import FlowDefinition, TaskDefinition
from headrace.model.runs import FlowRun, TaskRun

if TYPE_CHECKING:
    from headrace.engine.live_run import LiveRun


@attrs.frozen(kw_only=True)
class FlowRunContext:
    """Inside a flow run. `epoch` says who owns the run for the how-manieth time: a fence for users' own writes."""

    flow: FlowDefinition
    flow_run: FlowRun
    parameters: Mapping[str, Any]
    start_time: datetime
    epoch: int
    voice: Voice = attrs.field(repr=False)
    live: "LiveRun | None" = attrs.field(default=None, repr=False, eq=False)


@attrs.frozen(kw_only=True)
class TaskRunContext:
    """Inside a task run."""

    task: TaskDefinition
    task_run: TaskRun
    flow_run: FlowRun
    parameters: Mapping[str, Any]
    start_time: datetime
    epoch: int
    voice: Voice = attrs.field(repr=False)


RunContext = FlowRunContext | TaskRunContext

CURRENT: ContextVar[RunContext | None] = ContextVar("headrace_run", default=None)


def get_run_context() -> RunContext:
    """The context of the run that this code belongs to. Raises NotInRun elsewhere."""
    context = CURRENT.get()
    if context is None:
        raise NotInRun(what="get_run_context()", needed="flow run or task run")
    return context


AMBIENT_TAGS: ContextVar[tuple[str, ...]] = ContextVar("headrace_tags", default=())
