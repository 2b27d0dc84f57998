"""The lines of a log that a page shows: the last ones of those that fit what its query asks for."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs

from headrace.model.filters import LogFilter, Page
from headrace.model.logs import LogLine
from headrace_dashboard.numbers import whole_number
from headrace_dashboard.shown import LEVELS
from headrace_dashboard.view import View

LINES = 200


class LogLines:
    """Those of a run, narrowed by the level and the text that are asked for."""

    levels: Mapping[int, str] = LEVELS

    def __init__(self, view: View, of: LogFilter) -> None:
        self._view = view
        self._of = of
        self.text = view.asked("text")
        level = whole_number(view.asked("level"))
        self.least_level = level if level in LEVELS else 0

    @cached_property
    def _found(self) -> Sequence[LogLine]:
        wanted = attrs.evolve(self._of, least_level=self.least_level, text=self.text or None)
        return self._view.client.read_logs(wanted, Page(limit=LINES + 1))[::-1]

    @property
    def shown(self) -> Sequence[LogLine]:
        return self._found[-LINES:]

    @property
    def has_earlier(self) -> bool:
        return len(self._found) > LINES
