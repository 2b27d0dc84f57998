"""The KV servers on which the storage is tried; they start when they are first asked for."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from servers.kv import TOKEN, KvServer, kv_server

from headrace_kv.storage import KVServerStorage


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KvServer]:
    with kv_server(tmp_path_factory.mktemp("kv"), "--token", "secret://env/TOKEN") as found:
        yield found


@pytest.fixture
def storage_on() -> Callable[[KvServer], KVServerStorage]:
    """Gives a storage on a server, under a prefix of this test alone."""
    prefix = f"tests/{uuid4()}"

    def storage(server: KvServer) -> KVServerStorage:
        return KVServerStorage(api_address=server.url, prefix=prefix, token=TOKEN)

    return storage
