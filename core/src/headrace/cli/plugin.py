"""The commands that core offers by itself."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("agent", "headrace.cli.agent:agent", "Start agents, and see which are there")
    yield Provider(
        "concurrency-limit", "headrace.cli.concurrency_limit:concurrency_limit", "Say how many task runs with a tag may run at once"
    )
    yield Provider("config", "headrace.cli.config:config", "Look at settings, and change them")
    yield Provider("deployment", "headrace.cli.deployment:deployment", "Deploy flows, and run what is deployed")
    yield Provider("doctor", "headrace.cli.doctor:doctor", "Tell what is installed, and what is broken")
    yield Provider("flow-run", "headrace.cli.flow_run:flow_run", "Look at flow runs, their states and their logs")
    yield Provider("plugins", "headrace.cli.plugins:plugins", "List what is installed, and what cannot be used")
    yield Provider("profile", "headrace.cli.profile:profile", "Look after profiles: settings under a name")
    yield Provider("schedule", "headrace.cli.schedule:schedule", "Look at schedules: when deployments run by themselves")
    yield Provider("services", "headrace.cli.services:services", "Run what is done again and again beside the runs")
    yield Provider("storage", "headrace.cli.storage:storage", "Say where code and results are kept")
    yield Provider("store", "headrace.cli.store:store", "Look after the run store: what it keeps, whether it is sound, copies of it")
    yield Provider("task-run", "headrace.cli.task_run:task_run", "Look at the task runs of flow runs")
    yield Provider("version", "headrace.cli.version:version", "Show versions, the home, and the store or API in use")
    yield Provider("work-queue", "headrace.cli.work_queue:work_queue", "Look after the work queues that agents take runs from")
