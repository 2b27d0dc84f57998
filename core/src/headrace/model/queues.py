"""Work queues: which runs are gathered for agents."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from headrace.model.runs import FlowRun


@attrs.frozen(kw_only=True)
class WorkQueue:
    """A queue by what it asks of runs: `criteria` has for each queue matcher what it is to look for; a run must satisfy all of them.

    Runs of deployments only are gathered; without criteria, all of them. `concurrency_limit` is how many of its runs may be under way at once (None: any
    number). `is_matched` is False while runs that were there before it, or before its criteria, are still being looked through. `revision` counts
    its changes; a change must know the one before it.
    """

    id: str
    name: str
    description: str = ""
    criteria: Mapping[str, Any] = attrs.field(factory=dict)
    is_paused: bool = False
    concurrency_limit: int | None = None
    is_matched: bool = False
    created: datetime
    updated: datetime
    revision: int = 0


@attrs.frozen(kw_only=True)
class ClaimRequest:
    """Asks for runs that are due, at most `limit` of them, out of some queues. `id` is made by who asks; asking again gives the same runs.

    A claim that was given none is open: asking again, as it is or for more or less, gives what is due then. Who asks keeps the id until the claim is over,
    and so hears also of what was given to a message that came late.

    `full_runners`: of runs that want one of these flow runners none is given, whoever else may take them. A run that leaves it to the agent wants
    `universal`.
    """

    id: str
    agent_id: str
    queue_ids: tuple[str, ...]
    limit: int
    full_runners: tuple[str, ...] = ()

    @property
    def holder(self) -> str:
        """Who has the leases that it is answered with."""
        return f"{self.agent_id}/{self.id}"


@attrs.frozen(kw_only=True)
class Claimed:
    """Runs that now belong to who asked, PENDING, each with its epoch. `next_due` is when the next run is due, where none was left behind. `tokens`
    are those that a web API gives to the runs, by id; in process none is needed. `is_over`: the claim was given runs, now or before, whoever has them by
    now, and is given no others; who wants more asks with another id."""

    runs: tuple[FlowRun, ...] = ()
    next_due: datetime | None = None
    tokens: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    is_over: bool = False
