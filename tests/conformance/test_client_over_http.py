"""The client of one dist and the server of another are one client, as the port has it."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import headrace
from headrace.ports.client import OpenClient
from headrace.settings import load
from headrace.testing.clock import FixedClock
from headrace.testing.conformance.client import ClientConformance
from headrace.testing.orchestration import in_memory
from headrace_client.client import HttpClient
from headrace_server.serving import served


class TestOverHttp(ClientConformance):
    """From one end to the other."""

    @pytest.fixture
    def client(self, clock: FixedClock, tmp_path: Path) -> Iterator[OpenClient]:
        settings = load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})
        with in_memory(clock) as local, headrace.open(settings, clock=clock) as house:
            with served(attrs.evolve(house, client=local)) as url, HttpClient(url=url).open() as asking:
                yield asking
