"""The doors: who is asking, and may they. One check for all routes, with what a browser must not be talked into before it.

A page of somebody else's in a browser on this machine can reach a loopback address too, by a name of its own that it lets point there (DNS rebinding).
So a server that asks for no token answers only to the names that it is known by; and no request is taken that a page of another address sends.
"""

import inspect
import ipaddress
import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import attrs
from starlette.requests import Request

from headrace.errors import HeadraceError, NotAllowed, NotAuthenticated
from headrace.hooks.registry import Registry
from headrace.instance import Instance
from headrace.ports.client import Operation, Scope

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_ORDER = (Scope.VIEWER, Scope.RUN, Scope.AGENT, Scope.OPERATOR, Scope.ADMIN)

logger = logging.getLogger("headrace.server")


@attrs.frozen(kw_only=True)
class Asker:
    """Who asks. `run`, the id and epoch of a root run, is set where it is that run itself, which may ask for itself alone."""

    name: str
    scope: Scope
    run: tuple[str, int] | None = None

    def may(self, scope: Scope) -> bool:
        """Whether its scope is the one asked for, or above it."""
        return _ORDER.index(self.scope) >= _ORDER.index(scope)


SOMEBODY_HERE = Asker(name="somebody on this machine", scope=Scope.ADMIN)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def asks_for_tokens(house: Instance) -> bool:
    """Whether who asks a server of this house must say who they are: there is no other way than a token yet, and none is known."""
    return False


@attrs.frozen(kw_only=True)
class Doors:
    """What everybody passes who asks the server anything. `names`: how the server may be called; None: any way."""

    registry: Registry
    names: frozenset[str] | None = LOOPBACK_NAMES

    @classmethod
    def of(cls, registry: Registry, host: str, names: Iterable[str] = ()) -> "Doors":
        """Those of a server on this address that is also known by these names."""
        known = frozenset(name.lower() for name in names)
        if not is_loopback(host) and not known:
            return cls(registry=registry, names=None)
        return cls(registry=registry, names=known | LOOPBACK_NAMES | {host})

    async def admitted(self, request: Request, operation: Operation, arguments: dict[str, Any] | None) -> Asker:
        """Who asks, if they may; first without arguments, before anything of the request is read, then with them. Raises NotAuthenticated, NotAllowed."""
        if arguments is None:
            self._check_names(request)
        asker = await self._by_plugins(request) or SOMEBODY_HERE
        if not asker.may(operation.scope):
            raise NotAllowed(who=asker.name, what=operation.name, why=f"it takes the scope {operation.scope}, not {asker.scope}")
        return asker

    def _check_names(self, request: Request) -> None:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        name = _name_in(f"//{host}")
        if self.names is not None and name not in self.names:
            raise NotAllowed(
                who="a request", what="anything", why=f"it calls this server {host!r}, which it is not known by; see --allowed-host"
            )
        if origin is not None and origin.partition("://")[2].lower() != host.lower() and not self._is_public(origin):
            raise NotAllowed(who=f"a page of {origin}", what="anything", why="it is a page of another address")

    def _is_public(self, origin: str) -> bool:
        """Whether a page was reached by a name that the server has beside those of loopback, as where a proxy calls it otherwise."""
        return self.names is not None and _name_in(origin) in self.names - LOOPBACK_NAMES

    async def _by_plugins(self, request: Request) -> Asker | None:
        for plugin, call in self.registry.calls("headrace_authenticate", request=request):
            try:
                found = call()
                asker: Asker | None = await found if inspect.isawaitable(found) else found
            except HeadraceError:
                raise
            except Exception as error:
                logger.exception("Plugin %r of %s failed while it was asked who is asking", plugin.name, plugin.dist)
                raise NotAuthenticated(why=f"plugin {plugin.name!r} failed") from error
            if asker is not None:
                return asker
        return None


def _name_in(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
