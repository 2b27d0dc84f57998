"""The doors: who is asking, and may they. One check for all routes, with what a browser must not be talked into before it."""

import asyncio
import inspect
import logging
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import attrs
from starlette.requests import Request

from headrace.errors import HeadraceError, NotAllowed, NotAuthenticated
from headrace.hooks.registry import Registry
from headrace.instance import Instance
from headrace.model.tokens import Scope
from headrace.ports.client import Operation
from headrace_server.attempts import Attempts
from headrace_server.in_process import in_process
from headrace_server.names import Names, is_loopback
from headrace_server.own_run import OwnRun
from headrace_server.tokens import Tokens

ASKER = "headrace.asker"
"""Where a request keeps who asks, so that it is found out once."""

IS_PAGE = "headrace.is_page"
"""Where a request keeps that it is for a page, and not for the API."""

COOKIE = "headrace_token"
"""How the cookie is called by which a browser says who asks for a page, with what tells the server's home from others behind it: browsers send cookies
to all ports of a machine. The API does not look at it: whoever asks that has a token in hand."""

logger = logging.getLogger("headrace.server")


@attrs.frozen(kw_only=True)
class Asker:
    """Who asks. `run`, the id and epoch of a root run, is set where it is that run itself, which may ask for itself alone."""

    name: str
    scope: Scope
    run: tuple[str, int] | None = None


SOMEBODY_HERE = Asker(name="somebody on this machine", scope=Scope.ADMIN)


@attrs.frozen(kw_only=True)
class Doors:
    """What everybody passes who asks the server anything. `needs_token`: nobody is let in who does not say who they are."""

    registry: Registry
    tokens: Tokens
    attempts: Attempts
    names: Names = attrs.field(factory=Names)
    needs_token: bool = False
    cookie: str = COOKIE

    @classmethod
    def of(cls, house: Instance, host: str, names: Iterable[str] = (), *, needs_token: bool = False) -> "Doors":
        """Those of a server on this address that is also known by these names; where others reach it, it needs a token."""
        return cls(
            registry=house.registry,
            tokens=Tokens(in_process(house.client).store, house.clock),
            attempts=Attempts(house.clock.monotonic),
            names=Names.of(host, names),
            needs_token=needs_token or not is_loopback(host),
            cookie=f"{COOKIE}_{sha256(str(house.settings.home).encode()).hexdigest()[:8]}",
        )

    async def admitted(self, request: Request, operation: Operation, arguments: dict[str, Any] | None) -> Asker:
        """Who asks, if they may; first without arguments, before anything of the request is read, then with them. Raises NotAuthenticated, NotAllowed."""
        if arguments is None:
            self.names.check(request)
            request.scope[ASKER] = await self._asker(request)
        asker: Asker = request.scope[ASKER]
        if not asker.scope.includes(operation.scope):
            raise NotAllowed(who=asker.name, what=operation.name, why=f"it takes the scope {operation.scope}, not {asker.scope}")
        if asker.scope is Scope.RUN and asker.run is None and operation.scope is not Scope.VIEWER:
            raise NotAllowed(who=asker.name, what=operation.name, why="it may ask as a run does, and is none")
        if arguments is not None and asker.run is not None:
            run_id, epoch = asker.run
            own = OwnRun(store=self.tokens.store, run_id=run_id, epoch=epoch, now=self.tokens.clock.now())
            await asyncio.to_thread(own.check, operation, arguments)
        return asker

    async def still_admitted(self, request: Request, operation: Operation, arguments: dict[str, Any]) -> None:
        """The same for who was let in and is still there, since a token may be revoked meanwhile. Raises NotAuthenticated, NotAllowed."""
        await self.admitted(request, operation, None)
        await self.admitted(request, operation, arguments)

    async def _asker(self, request: Request) -> Asker:
        """Who asks: by a plugin's way, by a token, or as somebody of this machine. Raises NotAuthenticated."""
        found = await self._by_plugins(request)
        if found is not None:
            return found
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return await self._with_token(request, token.strip())
        token = request.cookies.get(self.cookie, "") if request.scope.get(IS_PAGE) else ""
        if token and self.needs_token:
            return await self._with_token(request, token)
        if token and (known := await asyncio.to_thread(self._known, token)) is not None:
            return known
        if self.needs_token:
            raise NotAuthenticated(why="no token was sent")
        return SOMEBODY_HERE

    async def _with_token(self, request: Request, token: str) -> Asker:
        return await asyncio.to_thread(self.check, request, token)

    def check(self, request: Request, token: str) -> Asker:
        """Who has a token. One that is wrong is refused, also where none is needed: who sends one believes to be known. Raises NotAuthenticated."""
        if (known := self._known(token)) is not None:
            return known
        address = request.client.host if request.client is not None else "somewhere"
        self.attempts.note(address)
        raise NotAuthenticated(why="the token is not known here, was revoked, or has expired")

    def _known(self, token: str) -> Asker | None:
        if (run := self.tokens.run_of(token)) is not None:
            return Asker(name=f"flow run {run[0]}", scope=Scope.RUN, run=run)
        known = self.tokens.found(token)
        return None if known is None else Asker(name=known.name, scope=known.scope)

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
            if asker is None:
                continue
            if not isinstance(asker, Asker):
                logger.error("Plugin %r of %s was asked who is asking, and gave a %s", plugin.name, plugin.dist, type(asker).__name__)
                raise NotAuthenticated(why=f"plugin {plugin.name!r} failed")
            return asker
        return None
