"""The client without a wire is a client."""

from collections.abc import Iterator

import pytest

from headrace.orchestration.local_client import LocalClient
from headrace.ports.client import OpenClient, operations
from headrace.testing.clock import FixedClock
from headrace.testing.conformance.client import ClientConformance
from headrace.testing.orchestration import in_memory


class TestLocalClient(ClientConformance):
    @pytest.fixture
    def client(self, clock: FixedClock) -> Iterator[OpenClient]:
        with in_memory(clock) as client:
            yield client


def test_it_has_every_operation() -> None:
    """And no other public method but the one that makes it."""
    own = (
        {name for name in vars(LocalClient) if not name.startswith("_")} - {field.name for field in LocalClient.__attrs_attrs__} - {"over"}
    )
    assert own == set(operations())
