"""Flows, as far as they are known: by what ran of them."""

import attrs

from headrace.model.counts import StateCount
from headrace.model.runs import FlowRun


@attrs.frozen(kw_only=True)
class Flow:
    """A flow of which something was deployed, or ran: how many of its runs of a window of time are in which state, and the newest of
    all those that do not wait for their time."""

    name: str
    states: tuple[StateCount, ...] = ()
    newest_run: FlowRun | None = None
