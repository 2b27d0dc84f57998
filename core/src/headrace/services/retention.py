"""The service that forgets what ended long ago."""

from datetime import datetime, timedelta

import attrs

from headrace.ports.client import OpenClient

PAUSE = timedelta(seconds=0.2)
"""Between two portions, in which others have their turn."""


@attrs.frozen(kw_only=True)
class RetentionService:
    """Looks every `every` seconds for what may be forgotten."""

    every: float = attrs.field(
        default=3600.0,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.gt(0)],
        metadata={"meaning": "seconds between two looks, when nothing is left to forget"},
    )

    def step(self, client: OpenClient, now: datetime) -> datetime:
        """Forgets a portion."""
        return now + (timedelta(seconds=self.every) if client.forget_old().is_all else PAUSE)
