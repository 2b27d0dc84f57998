"""The server on which the storage is tried; it starts when it is first asked for."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from servers.azure import CONTAINER, AzureServer, azurite, azurite_binary

from headrace_azure.storage import AzureStorage


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    if azurite_binary() is None:
        pytest.skip("azurite-blob is not installed; where there is npm, `nox -s tests` installs it")
    with azurite(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture
def storage_on() -> Callable[[AzureServer], AzureStorage]:
    """Gives a storage on a server, under a prefix of this test alone."""
    prefix = f"tests/{uuid4()}"

    def storage(server: AzureServer) -> AzureStorage:
        return AzureStorage(container=CONTAINER, prefix=prefix, connection_string=server.connection_string)

    return storage
