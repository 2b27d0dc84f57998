"""Containers: in one, loopback is the container itself, and the machine around it has another name.

Who wrote the address of a server on loopback often meant that machine. So where nobody listens at such an address in a container, and the machine has
a name there, it is asked by that name, and is still called as it was written, which is what a server on loopback answers to.
"""

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from headrace_client.proxies import OUTSIDE

MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Files that are in each container of Docker, and of Podman."""

SECONDS = 1.0
"""How long it may take to find out whether somebody listens."""


def reached(address: str, *, marks: Iterable[Path] = MARKS, outside: str = OUTSIDE) -> tuple[str, dict[str, str]]:
    """The address at which a server is asked from here, and headers that say how it is called, if otherwise."""
    parts = urlsplit(address)
    if not _is_loopback(parts.hostname or "") or not any(mark.exists() for mark in marks):
        return address, {}
    if _listens(parts) or not _is_known(outside):
        return address, {}
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{outside}{port}").geturl(), {"Host": parts.netloc}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listens(parts: SplitResult) -> bool:
    try:
        with socket.create_connection((parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)), SECONDS):
            return True
    except OSError:
        return False


def _is_known(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
