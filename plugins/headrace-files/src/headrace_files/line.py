"""What a storage needs of a connection to a file server, whatever its protocol."""

from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

import attrs

SILENCE_SECONDS = 60.0
"""How long a server may say nothing while it is asked for something; `timeout` among the options says otherwise."""


class Line(Protocol):
    """A connection in use, by one thread at a time. Paths are absolute.

    What is not there raises FileNotFoundError or NotADirectoryError; every other trouble raises what the protocol's library has for it.
    """

    def is_file(self, path: str) -> bool:
        """Whether a value is there; a folder is none."""
        ...

    def is_folder(self, path: str) -> bool:
        """Whether a folder is there; what is not there is none."""
        ...

    def names(self, folder: str) -> Iterable[str]:
        """What lies in a folder; names of folders end in /."""
        ...

    def make_folder(self, folder: str) -> None:
        """Makes it, with those above it; one that is there already is no error."""
        ...

    def fetch(self, path: str, file: BinaryIO) -> None:
        """Copies all of a value into a file of this machine."""
        ...

    def send(self, file: BinaryIO, path: str) -> None:
        """Copies all of a file of this machine there."""
        ...

    def rename(self, path: str, to: str) -> None:
        """Gives a file another name in the same folder, in place of what had it."""
        ...

    def remove(self, path: str) -> None: ...

    def leave(self) -> None:
        """Ends the connection, at once and without a word if it is lost."""
        ...


@attrs.frozen(kw_only=True)
class Target:
    """Where a server is, as an address with its options says it, and who asks; `more` are the options that are left."""

    scheme: str
    host: str
    port: int | None
    path: str
    username: str | None
    password: str | None
    seconds: float
    more: dict[str, Any]


def target(url: str, options: Mapping[str, Any]) -> Target:
    """What an address and its options say; what stands among the options counts. Raises ValueError for what cannot be an address."""
    parts, more = urlsplit(url), dict(options)
    host = more.pop("host", None) or parts.hostname
    if not host:
        raise ValueError("it names no host, as in sftp://host/folder")
    return Target(
        scheme=parts.scheme,
        host=host,
        port=more.pop("port", None) or parts.port,
        path=f"/{unquote(parts.path).strip('/')}".rstrip("/"),
        username=more.pop("username", None) or (unquote(parts.username) if parts.username else None),
        password=more.pop("password", None),
        seconds=float(more.pop("timeout", SILENCE_SECONDS)),
        more=more,
    )
