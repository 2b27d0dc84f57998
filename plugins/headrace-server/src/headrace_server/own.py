"""What the server answers beside the client port: what it can do, and how it is."""

from datetime import datetime

import attrs

import headrace
from headrace.clock import Clock
from headrace.instance import Instance, run_store_choice
from headrace.model.tokens import Scope
from headrace.ports.client import operation, operations

API_VERSION = 1
"""Raised when an operation means something else than before; what is only added is told by its name."""


@attrs.frozen(kw_only=True)
class Capabilities:
    """What a server can do: `api_version` it speaks, the names of its operations, the kinds of queue matcher that queues may have there."""

    version: str
    api_version: int
    operations: tuple[str, ...]
    queue_matchers: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ServerReport:
    """How a server is: since when it is there, which services step in it, and where runs are remembered."""

    version: str
    started: datetime
    up_seconds: float
    services: tuple[str, ...]
    run_store: str


@attrs.frozen(kw_only=True)
class Own:
    """The operations of the server itself. `services` are those that step in it."""

    house: Instance
    services: tuple[str, ...]
    started: datetime
    started_monotonic: float

    @classmethod
    def of(cls, house: Instance, services: tuple[str, ...]) -> "Own":
        """Those of a server that starts now."""
        clock: Clock = house.clock
        return cls(house=house, services=services, started=clock.now(), started_monotonic=clock.monotonic())

    @operation("GET", "/capabilities", scope=Scope.VIEWER)
    def read_capabilities(self) -> Capabilities:
        """What this server can do, so that a client of another version can say plainly what is missing."""
        return Capabilities(
            version=headrace.__version__,
            api_version=API_VERSION,
            operations=(*operations(), *operations(Own)),
            queue_matchers=tuple(self.house.registry.offers("queue matcher")),
        )

    @operation("GET", "/server", scope=Scope.VIEWER)
    def read_server(self) -> ServerReport:
        """How this server is. It has asked its store, so an answer says that this works too."""
        self.house.client.read_last_event()
        return ServerReport(
            version=headrace.__version__,
            started=self.started,
            up_seconds=self.house.clock.monotonic() - self.started_monotonic,
            services=self.services,
            run_store=run_store_choice(self.house.settings, self.house.registry).name,
        )
