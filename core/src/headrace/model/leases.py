"""Leases: owning a run for a while."""

import attrs


@attrs.frozen(kw_only=True)
class Lease:
    """Who owns a root flow run, for the how-manieth time. `live` is judged by the store's own clock when it is read."""

    run_id: str
    epoch: int
    holder: str
    live: bool


@attrs.frozen(kw_only=True)
class LeaseOrder:
    """What a holder is told when it renews: go on, or `stop` for a reason."""

    stop: bool = False
    reason: str = ""
