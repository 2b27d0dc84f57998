"""How a server is called, and by whose pages.

A page of somebody else's in a browser on this machine can reach a loopback address too, by a name of its own that it lets point there (DNS rebinding).
So a server that asks for no token answers only to the names that it is known by; and no request is taken that a page of another address sends.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

import attrs
from starlette.requests import Request

from headrace.errors import NotAllowed

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@attrs.frozen(kw_only=True)
class Names:
    """The names that a server is known by; None: it may be called anything."""

    known: frozenset[str] | None = LOOPBACK_NAMES

    @classmethod
    def of(cls, host: str, names: Iterable[str] = ()) -> "Names":
        """Those of a server on this address that is also known by these names."""
        known = frozenset(name.lower() for name in names)
        return cls(known=known | LOOPBACK_NAMES | {host} if is_loopback(host) or known else None)

    def check(self, request: Request) -> None:
        """Raises NotAllowed for a request that calls the server otherwise, or that a page of another address sends."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        name = _name_in(f"//{host}")
        if self.known is not None and name not in self.known:
            raise NotAllowed(
                who="a request", what="anything", why=f"it calls this server {host!r}, which it is not known by; see --allowed-host"
            )
        if origin is not None and origin.partition("://")[2].lower() != host.lower() and not self._is_public(origin):
            raise NotAllowed(who=f"a page of {origin}", what="anything", why="it is a page of another address")

    def _is_public(self, origin: str) -> bool:
        """Whether a page was reached by a name that the server has beside those of loopback, as where a proxy calls it otherwise."""
        return self.known is not None and _name_in(origin) in self.known - LOOPBACK_NAMES


def _name_in(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
