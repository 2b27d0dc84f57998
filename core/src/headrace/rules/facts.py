"""Facts: all that rules may know."""

from datetime import datetime
from enum import StrEnum

import attrs

from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace.rules.verdicts import Verdict


class Fact(StrEnum):
    """The facts that must be looked up where runs are remembered; a rule names those it needs."""

    EARLIER = "earlier"
    LEASE = "lease"
    LIMITS = "limits"
    CACHED = "cached"
    DEPLOYMENT_PAUSED = "is_deployment_paused"
    EARLIER_RUNS = "earlier_runs"


@attrs.frozen(kw_only=True)
class Retry:
    """Whether a failure may be tried again: at most `limit` times, after `delay` seconds; `wanted` is the retry condition's word."""

    limit: int = 0
    delay: float = 0.0
    wanted: bool = True


@attrs.frozen(kw_only=True)
class Facts:
    """What is known when a move is judged. What was not asked for stays empty.

    `earlier` is the verdict this very move got before; `lease` is of the root run; `limits` are those of the run's tags;
    `cached` is a completed state with the same cache key. `earlier_runs` are some of those of the run's schedule that are under way,
    `later_runs` some that are due for later times, where that makes a difference.
    """

    now: datetime
    run: FlowRun | TaskRun
    retry: Retry = Retry()
    earlier: Verdict | None = None
    lease: Lease | None = None
    limits: tuple[ConcurrencyLimit, ...] = ()
    cached: State | None = None
    is_deployment_paused: bool = False
    earlier_runs: tuple[FlowRun, ...] = ()
    later_runs: tuple[FlowRun, ...] = ()
