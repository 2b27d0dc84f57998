"""S3: SeaweedFS, which checks signatures, knows several keys with different rights and takes uploads in parts; and rclone, which is light."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from servers.binaries import binary
from servers.process import free_ports, served

KEY, SECRET = "AKIAHEADRACE", "a-secret-that-nobody-sees"
READER_KEY, READER_SECRET = "AKIAREADER", "another-secret"
BUCKET = "flows"
GRPC_BESIDE = 10_000
"""SeaweedFS listens on every port of its own and on one so much further."""


@attrs.frozen(kw_only=True)
class S3Server:
    """Where it listens, and the pid to end it by. Its bucket is `flows`."""

    url: str
    pid: int


@contextmanager
def seaweed(folder: Path) -> Iterator[S3Server]:
    """Starts SeaweedFS: takes about four seconds."""
    s3, master, volume, filer = free_ports(4, beside=GRPC_BESIDE)
    folder.mkdir(parents=True, exist_ok=True)
    identities = [
        _identity("admin", KEY, SECRET, "Admin", "Read", "Write", "List", "Tagging"),
        _identity("reader", READER_KEY, READER_SECRET, "Read", "List"),
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    command = [
        binary("weed"),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={master}",
        f"-volume.port={volume}",
        "-filer",
        f"-filer.port={filer}",
        "-s3",
        f"-s3.port={s3}",
        f"-s3.config={folder}/s3.json",
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=20",
        "-master.telemetry=false",
        "-master.electionTimeout=300ms",
    ]
    environment = os.environ | {"TMPDIR": str(folder)}  # its sockets lie there
    with served(command, s3, folder, environment=environment) as pid:
        server = S3Server(url=f"http://127.0.0.1:{s3}", pid=pid)
        make_bucket(server.url, BUCKET)
        yield server


@contextmanager
def rclone_s3(folder: Path) -> Iterator[S3Server]:
    """Starts rclone, which keeps objects as files of a folder, and finds them there when it is started again; at once."""
    (port,) = free_ports(1)
    (folder / "data" / BUCKET).mkdir(parents=True, exist_ok=True)
    command = [binary("rclone"), "serve", "s3", "--config", os.devnull, "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    with served(
        [*command, "--vfs-cache-mode", "writes", "--vfs-write-back", "0s", "--cache-dir", str(folder / "cache"), str(folder / "data")],
        port,
        folder,
    ) as pid:
        yield S3Server(url=f"http://127.0.0.1:{port}", pid=pid)


def make_bucket(url: str, name: str) -> None:
    """Makes a bucket, as its owner would with another tool; tried until the server is there altogether."""
    program = (
        "import botocore.session, sys; url, name, key, secret = sys.argv[1:];"
        " from botocore.config import Config;"
        " client = botocore.session.get_session().create_client('s3', region_name='us-east-1', endpoint_url=url, aws_access_key_id=key,"
        " aws_secret_access_key=secret, config=Config(retries={'mode': 'standard', 'total_max_attempts': 10}));"
        " client.create_bucket(Bucket=name)"
    )
    subprocess.run([sys.executable, "-c", program, url, name, KEY, SECRET], check=True, timeout=60)


def _identity(name: str, key: str, secret: str, *actions: str) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": list(actions)}
