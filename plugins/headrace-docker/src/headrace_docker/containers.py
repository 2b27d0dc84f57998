"""The containers of runs on an engine: started once, found again, and removed when they have ended."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import attrs
from docker.errors import APIError, NotFound  # type: ignore[import-untyped]

from headrace.clock import Clock
from headrace.model.orders import Order
from headrace_docker.container_process import ContainerProcess
from headrace_docker.daemon import Daemon
from headrace_docker.making import made, removed
from headrace_docker.network import Network
from headrace_docker.sightings import ALIVE, API, EPOCH, RUN_ID, RUN_NAME, TEMPORARY, Sightings, identity_in, listed, name_of
from headrace_docker.troubles import FAILURES, Refused, is_status

BIRTH_SECONDS = 5.0
"""How long who has made a container may take to start it, before somebody else does, who wants the same."""
KEPT_SECONDS = 60.0
"""How long an ended container is kept that is to be removed: for who asks late, and for who begins the same once more, and late."""
UNBORN_SECONDS = 600.0
"""After how long a container is removed that somebody has made, and has not lived to start."""
_SWEEP_SECONDS = 60.0
_PAUSE_SECONDS = 0.05


@attrs.frozen(kw_only=True)
class Body:
    """What a container is made of for an order."""

    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = attrs.field(repr=False)  # there are secrets in it
    labels: Mapping[str, str]
    network: Network
    user: str | None
    limits: Mapping[str, Any]


class Containers:
    """Those of the orchestrations whose addresses are known here: that of the agent, and those of the orders that it gave."""

    def __init__(self, daemon: Daemon, address: str, clock: Clock, *, removes: bool) -> None:
        self._daemon = daemon
        self._addresses = {address} - {""}
        self._clock = clock
        self._removes = removes
        self._sightings = Sightings(daemon, lambda: frozenset(self._addresses), clock)
        self._started: dict[str, ContainerProcess] = {}
        self._swept: float | None = None

    def known(self, identity: str) -> ContainerProcess | None:
        """The process of that identity, alive or not, if there is one or was lately. Raises Refused."""
        found = self._started.get(identity)
        if found is not None:
            return found
        state = self._state(identity)
        return None if state is None else self._joined(identity)

    def start(self, order: Order, address: str, body: Body, *, remark: str) -> ContainerProcess:
        """A container for an order; if somebody else was faster, that one. Raises Refused; then nothing runs."""
        self._addresses.add(address)
        labels = {
            **body.labels,
            RUN_ID: order.run_id,
            EPOCH: str(order.epoch),
            RUN_NAME: order.run_name,
            API: address,
            TEMPORARY: str(self._removes).lower(),
        }
        with self._daemon.asked() as api:
            try:
                container = made(
                    api,
                    image=body.image,
                    command=body.command,
                    environment=body.environment,
                    labels=labels,
                    network=body.network,
                    user=body.user,
                    name=name_of(order.identity),
                    **body.limits,
                )
            except APIError as error:
                if is_status(error, 409):
                    return self._joined(order.identity)
                raise
            try:
                api.start(container)
            except FAILURES:
                removed(api, container)
                raise
        return self._kept(order.identity, remark)

    def find(self, identity: str) -> ContainerProcess | None:
        """The process of that identity if it lives. Raises Refused."""
        return self._started.get(identity) or self._kept(identity) if self._state(identity) in ALIVE else None

    def running(self) -> Iterable[str]:
        """The identities of all that live. Raises Refused."""
        self._sweep()
        return self._sightings.alive()

    def close(self) -> None:
        """Removes what has ended, where that is wanted; what was not told of it by now is told by nobody."""
        if not self._removes:
            return
        with suppress(Refused), self._daemon.asked() as api:
            for identity, process in tuple(self._started.items()):
                if process.wait(0) is not None:
                    removed(api, name_of(identity))

    # One of them

    def _process(self, identity: str, remark: str = "") -> ContainerProcess:
        return ContainerProcess(self._daemon, identity, self._sightings, self._clock, remark=remark)

    def _kept(self, identity: str, remark: str = "") -> ContainerProcess:
        process = self._started[identity] = self._process(identity, remark)
        return process

    def _state(self, identity: str) -> str | None:
        """How the container is, in the engine's word; None where there is none. Raises Refused, also for one of somebody else's."""
        name = name_of(identity)
        with self._daemon.asked() as api:
            try:
                found = api.inspect_container(name)
            except NotFound:
                return None
        if identity_in(found["Config"]["Labels"] or {}) != identity:
            raise Refused(f"there is a container called {name} that is no run's; remove or rename it")
        return str(found["State"]["Status"])

    def _joined(self, identity: str) -> ContainerProcess:
        """The process of a container that somebody has made; it is started if they do not live to do it."""
        until = self._clock.monotonic() + BIRTH_SECONDS
        while (state := self._state(identity)) in (
            None,
            "created",
        ) and self._clock.monotonic() < until:  # the name comes before the container
            time.sleep(_PAUSE_SECONDS)
        if state is None:
            raise Refused("its container was removed while it was to start")
        if state == "created":
            with self._daemon.asked() as api:
                api.start(name_of(identity))
        return self._kept(identity)

    # Order

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        if self._swept is not None and now < self._swept + _SWEEP_SECONDS:
            return
        self._swept = now
        self._started = {identity: process for identity, process in self._started.items() if not process.has_ended}
        with self._daemon.asked() as api:
            for address in tuple(self._addresses):
                for container in listed(api, address, ended_too=True):
                    if self._is_over(api, container):
                        removed(api, container["Id"])

    def _is_over(self, api: Any, container: Mapping[str, Any]) -> bool:
        """Whether nobody needs a container any more."""
        now = self._clock.now()
        if container["State"] == "created":
            return now.timestamp() > float(container["Created"]) + UNBORN_SECONDS
        if container["Labels"].get(TEMPORARY) != "true" or container["State"] not in ("exited", "dead"):
            return False
        try:
            ended = datetime.fromisoformat(str(api.inspect_container(container["Id"])["State"]["FinishedAt"])[:19] + "+00:00")
        except NotFound:
            return False
        return now - ended > timedelta(seconds=KEPT_SECONDS)
