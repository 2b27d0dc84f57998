"""headrace: flows, tasks, and where they run. The names below are resolved on first use, so that importing costs little."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.authoring.caching import task_input_hash
    from headrace.authoring.flows import Flow, flow
    from headrace.authoring.retrying import exponential_backoff
    from headrace.authoring.tagging import tags
    from headrace.authoring.tasks import Task, task
    from headrace.engine.calls import Unmapped as unmapped
    from headrace.engine.futures import TaskFuture, TaskFutures
    from headrace.engine.pausing import pause_run
    from headrace.engine.run_context import FlowRunContext, TaskRunContext, get_run_context
    from headrace.engine.run_logs import get_run_logger
    from headrace.instance import Instance, open
    from headrace.model.states import State, StateType

__version__ = "0.1.0"

_NAMES = {
    "Flow": "headrace.authoring.flows:Flow",
    "FlowRunContext": "headrace.engine.run_context:FlowRunContext",
    "Instance": "headrace.instance:Instance",
    "State": "headrace.model.states:State",
    "StateType": "headrace.model.states:StateType",
    "Task": "headrace.authoring.tasks:Task",
    "TaskFuture": "headrace.engine.futures:TaskFuture",
    "TaskFutures": "headrace.engine.futures:TaskFutures",
    "TaskRunContext": "headrace.engine.run_context:TaskRunContext",
    "exponential_backoff": "headrace.authoring.retrying:exponential_backoff",
    "flow": "headrace.authoring.flows:flow",
    "get_run_context": "headrace.engine.run_context:get_run_context",
    "get_run_logger": "headrace.engine.run_logs:get_run_logger",
    "open": "headrace.instance:open",
    "pause_run": "headrace.engine.pausing:pause_run",
    "tags": "headrace.authoring.tagging:tags",
    "task": "headrace.authoring.tasks:task",
    "task_input_hash": "headrace.authoring.caching:task_input_hash",
    "unmapped": "headrace.engine.calls:Unmapped",
}

__all__ = [
    "Flow",
    "FlowRunContext",
    "Instance",
    "State",
    "StateType",
    "Task",
    "TaskFuture",
    "TaskFutures",
    "TaskRunContext",
    "__version__",
    "exponential_backoff",
    "flow",
    "get_run_context",
    "get_run_logger",
    "open",
    "pause_run",
    "tags",
    "task",
    "task_input_hash",
    "unmapped",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'headrace' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _NAMES[name].partition(":")
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
