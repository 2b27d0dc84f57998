"""The service that notices runs whose processes are gone: nothing stays PENDING or RUNNING that nobody runs."""

import logging
from datetime import datetime, timedelta

import attrs

from headrace.ports.client import OpenClient

logger = logging.getLogger("headrace.services")


@attrs.frozen(kw_only=True)
class LostLeases:
    """Looks every `every` seconds for leases that have run out."""

    every: float = attrs.field(
        default=1.0,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.gt(0)],
        metadata={"meaning": "seconds between two looks"},
    )

    def step(self, client: OpenClient, now: datetime) -> datetime:
        """Releases what is lost, until nothing is."""
        while released := client.release_lost_runs():
            for run in released:
                logger.warning("Nobody renewed the lease of flow run %r; it is %s", run.name, run.state)
        return now + timedelta(seconds=self.every)
