"""Log lines, as a terminal and as JSON show them."""

import logging
from collections.abc import Sequence
from typing import Any

from headrace.model.filters import Page, TaskRunFilter
from headrace.model.logs import LogLine
from headrace.model.runs import FlowRun
from headrace.ports.client import OpenClient


class Titles:
    """Who says each line of a flow run: itself, or one of its task runs by name."""

    def __init__(self, client: OpenClient) -> None:
        self._client = client
        self._known: dict[str | None, str] = {}

    def shown(self, run: FlowRun, lines: Sequence[LogLine]) -> str:
        """Lines of a run as people read them; a run may get its name only when it starts."""
        self._known[None] = f"Flow run {run.name!r}"
        self._learn(lines)
        return "\n".join(_console_line(line, self._known[line.task_run_id]) for line in lines)

    def _learn(self, lines: Sequence[LogLine]) -> None:
        unknown = tuple({line.task_run_id for line in lines if line.task_run_id is not None} - self._known.keys())
        if not unknown:
            return
        found = {run.id: f"Task run {run.name!r}" for run in self._client.read_task_runs(TaskRunFilter(ids=unknown), Page())}
        self._known |= {run_id: found.get(run_id, f"Task run {run_id!r}") for run_id in unknown}


def _console_line(line: LogLine, title: str) -> str:
    moment = line.timestamp.astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} | {logging.getLevelName(line.level):<7} | {title} - {line.message}"


def row(line: LogLine) -> dict[str, Any]:
    """A line as JSON shows it."""
    return {
        "id": line.id,
        "timestamp": line.timestamp,
        "level": line.level,
        "level_name": logging.getLevelName(line.level),
        "logger": line.logger,
        "message": line.message,
        "flow_run_id": line.flow_run_id,
        "task_run_id": line.task_run_id,
    }
