"""Retention: how long what has ended is remembered."""

from datetime import timedelta

import attrs


@attrs.frozen(kw_only=True)
class Retention:
    """How long runs are remembered after they were made, and how long their details: log lines and histories of task runs. None: for ever."""

    runs: timedelta | None = timedelta(days=90)
    details: timedelta | None = timedelta(days=14)


@attrs.frozen(kw_only=True)
class Forgotten:
    """What was forgotten: root runs with all in them, runs whose details were, events, and agents that are gone. `is_all`: nothing is left to forget.
    `is_more`: of a plan, that counting stopped at a bound, so that there is more of something than it says."""

    runs: int = 0
    details: int = 0
    events: int = 0
    agents: int = 0
    is_all: bool = True
    is_more: bool = False
