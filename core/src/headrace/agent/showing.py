"""What runs say, shown by the agent that started them, where their flow runner asks for it (`stream_output`)."""

import logging
import re

from headrace.instance import Instance
from headrace.model.runs import FlowRun

EVERY_SECONDS = 0.5

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal may take for a command; lines and tabs are left."""

logger = logging.getLogger("headrace.agent.runs")


class Showing:
    """Shows the lines of some runs as they arrive in the orchestration, wherever these run; each once."""

    def __init__(self, house: Instance) -> None:
        self._house = house
        self._cursors: dict[str, int] = {}
        self._again_at = 0.0

    def begin(self, run: FlowRun) -> None:
        """Shows what this run says from now on."""
        self._cursors.setdefault(run.id, 0)

    def look(self) -> None:
        """Shows what is new. Raises what the client raises; nothing is missed then."""
        now = self._house.clock.monotonic()
        if not self._cursors or now < self._again_at:
            return
        self._again_at = now + EVERY_SECONDS
        for run_id in tuple(self._cursors):
            self._show(run_id)

    def end(self, run_id: str) -> None:
        """Shows the rest of a run whose process has ended."""
        if run_id in self._cursors:
            self._show(run_id)
            del self._cursors[run_id]

    def _show(self, run_id: str) -> None:
        while self._show_page(run_id):
            continue

    def _show_page(self, run_id: str) -> bool:
        """Whether there was anything."""
        news = self._house.client.read_news(run_id, self._cursors[run_id])
        self._cursors[run_id] = news.cursor
        for line in sorted(news.lines, key=lambda line: line.id):
            logger.log(line.level, "%s | %s", news.run.name, shown(line.message))
        return bool(news.lines)


def shown(text: str) -> str:
    """Text as it can be written to a terminal without harm."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
