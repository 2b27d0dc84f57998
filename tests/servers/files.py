"""File servers: rclone speaks SFTP, FTP, WebDAV and HTTP, over a plain folder, to one user with one password."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from servers.binaries import binary
from servers.process import free_ports, served

USER, PASSWORD = "leo", "a-password-that-nobody-sees"


@attrs.frozen(kw_only=True)
class FileServer:
    """Where it listens, the folder that it shows, the key that it shows to who comes over SSH, and the pid to end it by."""

    protocol: str
    port: int
    folder: Path
    host_key: str
    pid: int


@contextmanager
def file_server(protocol: str, folder: Path, *, port: int = 0, options: Sequence[str] = ()) -> Iterator[FileServer]:
    """Starts rclone, at once; when it is started again in a folder, what lay there is there, and its key is the same. `options` are more of rclone's."""
    shown, key = folder / "shown", folder / "host_key"
    shown.mkdir(parents=True, exist_ok=True)
    port = port or free_ports(1)[0]
    command = [
        binary("rclone"),
        "serve",
        protocol,
        "--config",
        os.devnull,
        "--addr",
        f"127.0.0.1:{port}",
        "--user",
        USER,
        "--pass",
        PASSWORD,
    ]
    if protocol == "sftp":
        command += ["--key", str(key)]
        _make_key(key)
    cached = ["--vfs-cache-mode", "writes", "--vfs-write-back", "0s", "--cache-dir", str(folder / "cache")]
    with served([*command, *cached, *options, str(shown)], port, folder, environment=os.environ | {"HOME": str(folder)}) as pid:
        host_key = key.with_suffix(".pub").read_text().strip() if protocol == "sftp" else ""
        yield FileServer(protocol=protocol, port=port, folder=shown, host_key=host_key, pid=pid)


def _make_key(path: Path) -> None:
    import asyncssh

    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(path)
        key.write_public_key(path.with_suffix(".pub"))
