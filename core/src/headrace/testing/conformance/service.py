"""What every service does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import attrs
import pytest

from headrace.model.states import State
from headrace.ports.client import OpenClient
from headrace.ports.service import Service
from headrace.testing.clock import FixedClock
from headrace.testing.conformance.client import claimed, deployment, flow_run, moved, queue, requested
from headrace.testing.conformance.facts import Facts
from headrace.testing.orchestration import LEASE_SECONDS, in_memory

SECONDS = 60
ROUNDS = 50


def peopled(client: OpenClient, clock: FixedClock) -> None:
    """Something of everything: runs that wait, run, have ended and are lost; a deployment, a queue."""
    client.put_deployments((deployment(max_restarts=1),))
    client.put_work_queue(queue())
    requested(client, "taken")
    claimed(client)
    for name, states in (("running", [State.running()]), ("done", [State.running(), State.completed()]), ("ready", [])):
        client.create_flow_run(flow_run(name), "me")
        for state in states:
            moved(client, f"{name}-{state.type}", state, run_id=name)
    clock.advance(2 * LEASE_SECONDS)
    requested(client, "waiting")
    client.create_flow_run(flow_run("young"), "me")


def rounds(service: Service, client: OpenClient, clock: FixedClock) -> Iterator[datetime]:
    """Rounds one after the other, each when the one before said; tells when the next one is to be."""
    for _ in range(ROUNDS):
        following = service.step(client, clock.now())
        yield following
        clock.advance((following - clock.now()).total_seconds())


class ServiceConformance(Facts):
    """Facts about services. Override the fixture `service`."""

    @pytest.fixture
    def service(self) -> Service:
        raise NotImplementedError("override the fixture `service`; it gives the service to try")

    @pytest.fixture
    def clock(self) -> FixedClock:
        """The clock of the orchestration."""
        return FixedClock()

    @pytest.fixture
    def client(self, clock: FixedClock) -> Iterator[OpenClient]:
        with in_memory(clock) as client:
            yield client

    def test_a_service_is_a_value(self, service: Any) -> None:
        """A service equals another one with the same fields, and cannot be changed."""
        assert attrs.evolve(service) == service
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            service.anything = 1

    def test_nothing_to_do(self, service: Service, client: OpenClient, clock: FixedClock) -> None:
        """Where nothing is, a round does nothing, and the next one is later."""
        before = clock.now()
        for following in rounds(service, client, clock):
            assert following.utcoffset() is not None
            assert following > before
            before = following
        assert client.read_last_event() == 0

    def test_it_comes_to_rest(self, service: Service, client: OpenClient, clock: FixedClock) -> None:
        """Where much is, rounds end by themselves, say when the next one is to be, and after some of them there is nothing left to do."""
        peopled(client, clock)
        assert all(following > clock.now() for following in rounds(service, client, clock))
        last = client.read_last_event()
        service.step(client, clock.now())
        assert client.read_last_event() == last

    def test_several_at_once(self, service: Service, client: OpenClient, clock: FixedClock) -> None:
        """Several programs may do its rounds at the same moment; none is harmed, and what one did the others leave."""
        peopled(client, clock)
        now = clock.now()
        with ThreadPoolExecutor(4) as pool:
            following = list(pool.map(lambda _: service.step(client, now), range(8), timeout=SECONDS))
        assert all(moment > now for moment in following)
        last = client.read_last_event()
        service.step(client, now)
        assert client.read_last_event() == last
