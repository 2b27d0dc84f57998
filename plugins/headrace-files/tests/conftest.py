"""The servers on which the storage is tried; each starts when it is first asked for."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from servers.files import FileServer, file_server
from servers.old_ftp import old_ftp


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], FileServer]]:
    """Gives the server of a protocol; `old ftp` is one of a server that knows less."""
    started: dict[str, FileServer] = {}
    with ExitStack() as stack:

        def server(protocol: str) -> FileServer:
            if protocol not in started:
                folder = tmp_path_factory.mktemp(protocol.replace(" ", "_"))
                started[protocol] = stack.enter_context(old_ftp(folder) if protocol == "old ftp" else file_server(protocol, folder))
            return started[protocol]

        yield server
