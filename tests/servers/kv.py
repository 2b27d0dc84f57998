"""The KV server, as its command starts it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from servers.process import free_ports, served

COMMAND = (sys.executable, "-c", "from headrace.cli.main import main; main()", "kv-server", "start")
TOKEN = "a-token-that-nobody-guesses"


@attrs.frozen(kw_only=True)
class KvServer:
    """One that listens: its address, its process, where values lie."""

    url: str
    port: int
    pid: int
    values: Path


@contextmanager
def kv_server(folder: Path, *options: str, port: int = 0) -> Iterator[KvServer]:
    """A KV server that keeps values in a folder; TOKEN is in its environment."""
    chosen = port or free_ports(1)[0]
    command = (*COMMAND, "--port", str(chosen), "--folder", str(folder / "values"), *options)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
    environment = {**plain, "HEADRACE_HOME": str(folder / "home"), "TOKEN": TOKEN}
    with served(command, chosen, folder, environment=environment) as pid:
        yield KvServer(url=f"http://127.0.0.1:{chosen}/api", port=chosen, pid=pid, values=folder / "values")
