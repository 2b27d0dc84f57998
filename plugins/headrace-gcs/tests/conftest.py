"""The server on which the storage is tried; it starts when it is first asked for."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from servers.gcs import BUCKET, GcsServer, fake_gcs

from headrace_gcs.storage import GcsStorage


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    with fake_gcs(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture
def storage_on() -> Callable[[GcsServer], GcsStorage]:
    """Gives a storage on a server, under a prefix of this test alone."""
    prefix = f"tests/{uuid4()}"

    def storage(server: GcsServer) -> GcsStorage:
        return GcsStorage(bucket=BUCKET, prefix=prefix, endpoint_url=server.url)

    return storage
