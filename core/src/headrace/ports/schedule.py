"""The port of schedules: when a deployment runs."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol


class Schedule(Protocol):
    """A schedule as a value: its fields are its options, and it keeps no state."""

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The moments after that one, aware, each later than the one before; it may never end."""
        ...
