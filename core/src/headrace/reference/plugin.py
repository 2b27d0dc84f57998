"""What core offers by itself."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_run_stores() -> Iterator[Provider[Any]]:
    yield Provider("memory", "headrace.reference.run_store:MemoryRunStore", "Runs in this process's memory; gone when it ends")


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("memory", "headrace.reference.storage:MemoryStorage", "Results in this process's memory; gone when it ends")


@hookimpl
def headrace_serializers() -> Iterator[Provider[Any]]:
    yield Provider("json", "headrace.reference.serializer:JsonSerializer", "Plain data as JSON text; anything else is refused")


@hookimpl
def headrace_task_runners() -> Iterator[Provider[Any]]:
    yield Provider("sequential", "headrace.reference.task_runner:SequentialTaskRunner", "One call after the other, in the calling thread")
