"""In a container, the machine around it is found where loopback was written."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.kv import KvServer
from servers.process import free_ports

from headrace_client.connection import Asking, Connection
from headrace_kv.containers import reached

NOWHERE = "nowhere.invalid"


@pytest.fixture
def marks(tmp_path: Path) -> list[Path]:
    """What says that this is a container."""
    (tmp_path / "mark").touch()
    return [tmp_path / "absent", tmp_path / "mark"]


@pytest.fixture
def listening() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "[::1]"])
def test_the_machine_around_is_asked(marks: list[Path], host: str) -> None:
    """Where nobody listens at loopback, it is asked by the name that it has there, and called as it was written."""
    (port,) = free_ports(1)
    url, headers = reached(f"http://{host}:{port}/api", marks=marks, outside="localhost")
    assert (url, headers) == (f"http://localhost:{port}/api", {"Host": f"{host}:{port}"})


def test_who_listens_in_the_container_is_asked(marks: list[Path], listening: int) -> None:
    """A server beside the flows in the same container stays what is meant."""
    url = f"http://127.0.0.1:{listening}/api"
    assert reached(url, marks=marks, outside="localhost") == (url, {})


def test_other_addresses_stay(marks: list[Path], tmp_path: Path) -> None:
    """Nothing changes for other addresses, outside of containers, and where the machine around has no name."""
    (port,) = free_ports(1)
    here, there = f"http://127.0.0.1:{port}/api", f"http://{NOWHERE}:{port}/api"
    assert reached(there, marks=marks, outside="localhost") == (there, {})
    assert reached(here, marks=[tmp_path / "absent"], outside="localhost") == (here, {})
    assert reached(here, marks=marks, outside=NOWHERE) == (here, {})


def test_a_server_is_called_as_the_headers_say(server: KvServer) -> None:
    """So one that answers to names of loopback alone answers to who comes from a container, too."""
    connection = Connection(server.url, {"Host": "evil.example"}, connect_seconds=5)
    answer = connection.asked(Asking(method="GET", path="/files", seconds=30))
    connection.close()
    assert (answer.status, b"it calls this server 'evil.example'" in answer.body) == (403, True)
