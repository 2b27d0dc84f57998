"""Agents: who takes runs out of queues and starts them."""

from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class Agent:
    """An agent at work; its presence is a lease. `live` is judged by the store when it is read. `queues` are ids; `limit` None: any number of runs.

    `underway` is how many it had when it said so last; `full_runners` are the flow runners of which it took no more then. `flow_runners` and `storages` are
    the names of those that it has; none: it did not say.
    """

    id: str
    name: str
    host: str
    process: int
    version: str
    queues: tuple[str, ...]
    limit: int | None = None
    underway: int = 0
    full_runners: tuple[str, ...] = ()
    flow_runners: tuple[str, ...] = ()
    storages: tuple[str, ...] = ()
    started: datetime
    is_draining: bool = False
    live: bool = True
