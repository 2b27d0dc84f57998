"""What headrace-kubernetes offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_flow_runners() -> Iterator[Provider[Any]]:
    yield Provider("kubernetes", "headrace_kubernetes.flow_runner:KubernetesFlowRunner", "Each run in a Job of a Kubernetes cluster")


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("kubernetes", "headrace_kubernetes.command:kubernetes", "Print manifests for a Kubernetes cluster")
