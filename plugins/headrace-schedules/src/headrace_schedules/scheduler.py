"""The service that has schedules' runs made, ahead of their times; when and which is for the orchestration to say."""

from datetime import datetime, timedelta

import attrs

from headrace.ports.client import OpenClient

SHORTEST = timedelta(seconds=0.05)


@attrs.frozen(kw_only=True)
class Scheduler:
    """Asks for them when there are some to be made, and every `every` seconds. Several may be at work at once, and it needs no other's help."""

    every: float = attrs.field(
        default=5.0,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.gt(0)],
        metadata={"meaning": "seconds between two rounds at most"},
    )

    def step(self, client: OpenClient, now: datetime) -> datetime:
        """Has runs made; the next round is when there are more to be made."""
        following = client.schedule_runs().next_look
        latest = now + timedelta(seconds=self.every)
        return latest if following is None else min(latest, max(following, now + SHORTEST))
