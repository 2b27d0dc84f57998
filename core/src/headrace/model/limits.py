"""Concurrency limits: how many task runs with a tag may run at once."""

import attrs


@attrs.frozen(kw_only=True)
class ConcurrencyLimit:
    """At most `limit` running task runs carry `tag`. Who holds a slot is counted, never stored: `holders` are ids of live task runs."""

    tag: str
    limit: int
    holders: tuple[str, ...] = ()

    def is_full(self, asking: str) -> bool:
        """Whether a task run that asks must wait; a holder is not in its own way."""
        return asking not in self.holders and len(self.holders) >= self.limit
