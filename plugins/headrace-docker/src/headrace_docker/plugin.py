"""What headrace-docker offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_flow_runners() -> Iterator[Provider[Any]]:
    yield Provider("docker", "headrace_docker.flow_runner:DockerFlowRunner", "Each run in a container of a Docker Engine")


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("docker", "headrace_docker.command:docker", "Make images for runs in containers")
