"""What headrace-queues offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_queue_matchers() -> Iterator[Provider[Any]]:
    yield Provider("tags", "headrace_queues.tags:TagsMatcher", "Runs that have all of these tags")
    yield Provider("deployments", "headrace_queues.deployments:DeploymentsMatcher", "Runs of one of these deployments")
    yield Provider("flow_runners", "headrace_queues.flow_runners:FlowRunnersMatcher", "Runs whose flow runner is one of these")
