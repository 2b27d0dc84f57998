"""What headrace-subprocess offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_flow_runners() -> Iterator[Provider[Any]]:
    yield Provider("subprocess", "headrace_subprocess.flow_runner:SubprocessFlowRunner", "Each run in a process of the agent's machine")
