"""News: what changed since somebody looked last, of a flow run or of all."""

import attrs

from headrace.model.events import Event
from headrace.model.logs import LogLine
from headrace.model.runs import FlowRun


@attrs.frozen(kw_only=True)
class News:
    """A run as it is, and lines of its log in the order in which they arrived; `cursor` is after which the next ones come."""

    run: FlowRun
    lines: tuple[LogLine, ...] = ()
    cursor: int = 0

    @property
    def subjects(self) -> tuple[str, ...]:
        """What events are about that bring more: a subflow's lines are written with those of its root run."""
        return tuple({self.run.id, self.run.root_id})


@attrs.frozen(kw_only=True)
class EventNews:
    """Events in their order; `cursor` is after which the next ones come, also where none fit that there were."""

    events: tuple[Event, ...] = ()
    cursor: int = 0
