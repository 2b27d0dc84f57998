"""What headrace-tasks offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_task_runners() -> Iterator[Provider[Any]]:
    yield Provider("concurrent", "headrace_tasks.concurrent:ConcurrentTaskRunner", "Many calls at once, in threads of the flow's process")
    yield Provider("processes", "headrace_tasks.processes:ProcessTaskRunner", "As many calls at once as there are cores, in processes")
