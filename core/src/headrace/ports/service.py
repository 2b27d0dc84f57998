"""The port of services: what is to be done again and again, beside the runs."""

from datetime import datetime
from typing import Protocol

from headrace.ports.client import OpenClient


class Service(Protocol):
    """A service as a value: its fields are its options. It keeps nothing between its rounds, and several may be at work at once."""

    def step(self, client: OpenClient, now: datetime) -> datetime:
        """One round; when the next one is to be. It does not wait, and an error in it is logged and the round tried again, later and later."""
        ...
