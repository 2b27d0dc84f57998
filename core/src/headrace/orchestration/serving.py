"""Serving: what a server that was away owes to those who reach the orchestration through it.

While it was away nobody could renew a lease through it, however well they were. So a mark in the store says when it was served last. When it is served
again, each lease that ran out meanwhile is given one more lease time; and until then nobody else, as a command on the server's machine, calls its
holder lost. A server that stays away for longer than runs wait for it is none any more.
"""

from datetime import datetime, timedelta

import attrs

from headrace.clock import Clock
from headrace.ports.run_store import OpenRunStore, Reading

SERVED = "served"
"""The name of the mark."""

MOST_AT_ONCE = 1000


@attrs.frozen(kw_only=True)
class Serving:
    """The mark of a store; `forgotten_after` seconds it means nothing."""

    store: OpenRunStore
    clock: Clock
    lease_seconds: float
    forgotten_after: float = 600.0

    def keep(self) -> None:
        """Says that it is served, as is to be said several times in the time of a lease; the first time after a while, leases get more time."""
        now = self.clock.now()
        with self.store.writing() as writing:
            if self.is_away(writing):
                for run in writing.lost(MOST_AT_ONCE):
                    writing.renew_lease(run.id, epoch=run.epoch, seconds=self.lease_seconds)
            writing.put_mark(SERVED, now.isoformat())

    def is_away(self, reading: Reading) -> bool:
        """Whether it was served lately, and is not now."""
        served = reading.mark(SERVED)
        if served is None:
            return False
        away = self.clock.now() - datetime.fromisoformat(served)
        return timedelta(seconds=self.lease_seconds / 2) < away < timedelta(seconds=self.forgotten_after)
