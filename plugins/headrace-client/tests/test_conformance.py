"""Asked over HTTP, the orchestration is the same."""

import pytest

from headrace.ports.client import OpenClient
from headrace.testing.conformance.client import ClientConformance


class TestOverHttp(ClientConformance):
    """Over the plainest server of the table."""

    @pytest.fixture
    def client(self, request: pytest.FixtureRequest) -> OpenClient:
        found: OpenClient = request.getfixturevalue("client")
        return found
