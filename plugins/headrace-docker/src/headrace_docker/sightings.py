"""What containers of runs there are: one question for all of them, asked at most so often."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from headrace.clock import Clock
from headrace.model.orders import OrderedRun
from headrace_docker.daemon import Daemon
from headrace_docker.troubles import Refused

RUN_ID, EPOCH, RUN_NAME, API, TEMPORARY = "headrace.run-id", "headrace.epoch", "headrace.run-name", "headrace.api", "headrace.auto-remove"
"""The labels by which containers of runs are known: whose they are, of which orchestration, and whether they are removed when they have ended."""

ALIVE = frozenset({"running", "paused", "restarting"})
FRESH_SECONDS = 0.2


def name_of(identity: str) -> str:
    """The name of the container of an identity."""
    return f"headrace-{identity}"


def identity_in(labels: Mapping[str, str]) -> str | None:
    """Whose a container is, by its labels; None where it is no run's."""
    try:
        return OrderedRun(run_id=labels[RUN_ID], epoch=int(labels[EPOCH])).identity
    except (KeyError, ValueError):
        return None


def listed(api: Any, address: str, *, ended_too: bool = False) -> list[Mapping[str, Any]]:
    """The containers of an orchestration's runs, as the engine lists them."""
    found: list[Mapping[str, Any]] = api.containers(all=ended_too, filters={"label": [RUN_ID, f"{API}={address}"]})
    return [container for container in found if identity_in(container["Labels"]) is not None]


class Sightings:
    """Who was seen alive a moment ago, so that many processes can be looked at often."""

    def __init__(self, daemon: Daemon, addresses: Callable[[], frozenset[str]], clock: Clock) -> None:
        self._daemon = daemon
        self._addresses = addresses
        self._clock = clock
        self._lock = threading.Lock()
        self._alive: frozenset[str] = frozenset()
        self._at: float | None = None

    def shows(self, identity: str) -> bool:
        """Whether that one was alive the last time that somebody looked, or an engine that is away cannot tell. Who is not shown may have begun since."""
        with self._lock:
            now = self._clock.monotonic()
            if self._at is None or now >= self._at + FRESH_SECONDS:
                try:
                    self._alive = frozenset(self.alive())
                except Refused:
                    return True
                self._at = self._clock.monotonic()
            return identity in self._alive

    def alive(self) -> list[str]:
        """The identities of all that live, now. Raises Refused."""
        with self._daemon.asked() as api:
            found = [container for address in sorted(self._addresses()) for container in listed(api, address)]
        return [identity for container in found if container["State"] in ALIVE and (identity := identity_in(container["Labels"]))]
