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


@hookimpl
def headrace_flow_runners() -> Iterator[Provider[Any]]:
    yield Provider("universal", "headrace.reference.flow_runner:UniversalFlowRunner", "Whatever flow runner the agent prefers")


@hookimpl
def headrace_schedules() -> Iterator[Provider[Any]]:
    yield Provider("moments", "headrace.reference.schedule:MomentsSchedule", "At each of some moments, once")


@hookimpl
def headrace_services() -> Iterator[Provider[Any]]:
    yield Provider("lost_leases", "headrace.services.lost_leases:LostLeases", "Notices runs whose processes are gone")
    yield Provider("late_runs", "headrace.services.late_runs:LateRuns", "Notes what keeps runs waiting that are due")
    yield Provider("retention", "headrace.services.retention:RetentionService", "Forgets what ended long ago")


@hookimpl
def headrace_queue_matchers() -> Iterator[Provider[Any]]:
    yield Provider("flows", "headrace.reference.queue_matcher:FlowsMatcher", "Runs of one of these flows")


@hookimpl
def headrace_event_sinks() -> Iterator[Provider[Any]]:
    yield Provider("file", "headrace.reference.event_sink:FileEventSink", "A file with a line of JSON for each event")


@hookimpl
def headrace_secret(reference: str) -> str | None:
    from headrace.reference.secrets import found

    return found(reference)
