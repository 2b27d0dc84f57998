"""Azure Blob Storage: Azurite, which checks keys and signatures. It is a program of Node; `nox` installs it where npm is."""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from servers.process import free_ports, served

ACCOUNT, KEY = "headrace", base64.b64encode(b"a key that nobody sees").decode()
CONTAINER = "flows"
INSTALLED = Path(__file__).parents[2] / ".nox" / "parts" / "azurite" / "node_modules" / ".bin" / "azurite-blob"


@attrs.frozen(kw_only=True)
class AzureServer:
    """Where the blobs of its one account are, and the pid to end it by. Its container is `flows`."""

    url: str
    pid: int

    @property
    def connection_string(self) -> str:
        """All that one needs to use it."""
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.url};"


def azurite_binary() -> str | None:
    """Where Azurite is, if it is anywhere."""
    return str(INSTALLED) if INSTALLED.exists() else shutil.which("azurite-blob")


@contextmanager
def azurite(folder: Path) -> Iterator[AzureServer]:
    """Starts Azurite: takes about a second; when it is started again in a folder, what lay there is there."""
    (port,) = free_ports(1)
    binary = azurite_binary()
    if binary is None:
        raise FileNotFoundError("azurite-blob is not installed")
    command = [binary, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", str(folder / "data")]
    environment = os.environ | {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with served([*command, "--blobHost", "127.0.0.1", "--blobPort", str(port)], port, folder, environment=environment) as pid:
        server = AzureServer(url=f"http://127.0.0.1:{port}/{ACCOUNT}", pid=pid)
        make_container(server, CONTAINER)
        yield server


def make_container(server: AzureServer, name: str) -> None:
    """Makes a container, as its owner would with another tool; one that is there is no error."""
    program = (
        "import sys; from azure.core.exceptions import ResourceExistsError; from azure.storage.blob import BlobServiceClient\n"
        "client = BlobServiceClient.from_connection_string(sys.argv[1])\n"
        "try: client.create_container(sys.argv[2])\n"
        "except ResourceExistsError: pass"
    )
    subprocess.run([sys.executable, "-c", program, server.connection_string, name], check=True, timeout=60)
