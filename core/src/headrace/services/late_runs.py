"""The service that notes what keeps runs waiting that are due, so that a wait can be explained when it is over."""

from datetime import datetime, timedelta

import attrs

from headrace.ports.client import OpenClient


@attrs.frozen(kw_only=True)
class LateRuns:
    """Looks every `every` seconds at the runs that have waited longest."""

    every: float = attrs.field(
        default=5.0,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.gt(0)],
        metadata={"meaning": "seconds between two looks"},
    )

    def step(self, client: OpenClient, now: datetime) -> datetime:
        """Notes what has changed since the last look."""
        client.note_waits()
        return now + timedelta(seconds=self.every)
