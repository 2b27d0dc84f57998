"""The voice of a run: under which title its lines appear, and where they go."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs

from headrace.model.logs import LogLine

LONGEST = 65_536
"""Bytes of a line's message; what is longer is cut."""


@attrs.frozen(kw_only=True)
class Voice:
    """Says a run's lines: `title` is what people see, `say` takes each line, `new_id` makes their ids."""

    title: str
    flow_run_id: str
    task_run_id: str | None = None
    new_id: Callable[[], str]
    say: Callable[[LogLine], Any]

    def line(self, moment: datetime, level: int, logger: str, message: str) -> None:
        """Says one thing; what is too long for a line ends with how much was cut."""
        self.say(
            LogLine(
                id=self.new_id(),
                flow_run_id=self.flow_run_id,
                task_run_id=self.task_run_id,
                timestamp=moment,
                level=level,
                logger=logger,
                message=message if 4 * len(message) <= LONGEST else _cut(message),
            )
        )


def _cut(message: str) -> str:
    content = message.encode(errors="backslashreplace")
    if len(content) <= LONGEST:
        return message
    kept = content[:LONGEST].decode(errors="ignore")
    return f"{kept}… ({len(content) - LONGEST:,} more bytes were cut)"
