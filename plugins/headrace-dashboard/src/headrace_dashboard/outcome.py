"""What came of a run: what it returned, where that is kept and, of plain data that is small, what it is; or by what it failed."""

import json
from functools import cached_property
from typing import Any

import attrs

from headrace.errors import HeadraceError
from headrace.model.filters import LogFilter, Page
from headrace.model.results import ResultReference
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace.model.storages import storage_name
from headrace_dashboard.shown import size
from headrace_dashboard.view import View

MOST_READ = 256_000
"""Bytes: what is larger is not loaded to be shown."""

MOST_SHOWN = 2_000
LAST_LINES = 50
"""Among so many of the last lines is the error by which a run ended."""

MOST_TRACED = 6_000
_TRACE = "Traceback (most recent call last)"


@attrs.frozen
class Value:
    """A value in words, and as JSON, cut where it is long."""

    kind: str
    text: str
    is_cut: bool


class Outcome:
    """That of a flow run."""

    def __init__(self, view: View, run: FlowRun) -> None:
        self._view = view
        self._run = run

    @property
    def kept(self) -> ResultReference | None:
        """Where the result is kept."""
        return self._run.state.reference

    @property
    def storage(self) -> str:
        """The name of the storage that it is in."""
        return storage_name(self.kept.storage) if self.kept is not None else ""

    @property
    def is_inline(self) -> bool:
        """Whether it lies beside the run, so that it is at hand."""
        return self.kept is not None and self.kept.inline is not None

    @cached_property
    def why_not(self) -> str:
        """Why what it is is not shown, whoever asks."""
        kept = self.kept
        if kept is None:
            return ""
        if self._runs_code(kept.serializer):
            return f"Only a run reads what is written as {kept.serializer}, since to read it runs code."
        return f"Only what has at most {size(MOST_READ)} is shown." if kept.size > MOST_READ else ""

    def _runs_code(self, serializer: str) -> bool:
        try:
            return self._view.house.registry.offer("serializer", serializer).provider.runs_code
        except HeadraceError:  # what is not installed here cannot be read, as is said when it is tried
            return False

    @property
    def is_asked(self) -> bool:
        """Whether it is to be read from where it is kept."""
        return self.is_inline or self._view.asked("result") == "shown"

    @cached_property
    def value(self) -> Value | str:
        """What it is; or why that cannot be told."""
        assert self.kept is not None, "what is not kept is not asked for"
        try:
            return _value(self._view.house.results.read(self.kept))
        except HeadraceError as error:
            return str(error)

    @cached_property
    def traceback(self) -> str:
        """Where the exception was raised by which it failed, as its log has it; empty where that has none."""
        if self._run.state.type is not StateType.FAILED:
            return ""
        lines = self._view.client.read_logs(LogFilter(flow_run_ids=(self._run.id,)), Page(limit=LAST_LINES))
        said = next((line.message for line in lines if line.task_run_id is None and _TRACE in line.message), "")
        return said if len(said) <= MOST_TRACED else f"…{said[-MOST_TRACED:]}"


def _value(value: Any) -> Value:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return Value(_kind(value), text[:MOST_SHOWN], len(text) > MOST_SHOWN)


def _kind(value: Any) -> str:
    """What a value is: `dict, 2 items`."""
    if value is None:
        return "None"
    name = type(value).__name__
    if isinstance(value, str):
        return f"{name}, {_counted(len(value), 'character')}"
    return f"{name}, {_counted(len(value), 'item')}" if isinstance(value, (list, dict)) else name


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
