"""The door of a KV server: whoever has one of its tokens may do everything there is to do; where it has none, whoever is on this machine may."""

import hmac
from collections.abc import Iterable
from typing import Any

import attrs
from starlette.requests import Request

from headrace.clock import Clock
from headrace.errors import NotAuthenticated
from headrace.model.tokens import digest_of
from headrace.ports.client import Operation
from headrace_server.attempts import Attempts
from headrace_server.names import Names


@attrs.frozen(kw_only=True)
class Door:
    """What everybody passes who asks. `digests` are those of the tokens."""

    names: Names
    attempts: Attempts
    digests: tuple[str, ...]

    @classmethod
    def of(cls, names: Names, tokens: Iterable[str], clock: Clock) -> "Door":
        """That of a server which is called so, and knows these tokens."""
        return cls(names=names, attempts=Attempts(clock.monotonic), digests=tuple(digest_of(token) for token in tokens))

    async def admitted(self, request: Request, _: Operation, arguments: dict[str, Any] | None) -> None:
        """Lets in who may ask; that is found out before anything of the request is read. Raises NotAuthenticated, NotAllowed."""
        if arguments is not None:
            return
        self.names.check(request)
        kind, _space, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            self._check(token.strip(), request)
        elif self.digests:
            raise NotAuthenticated(why="no token was sent")

    def _check(self, token: str, request: Request) -> None:
        """A token that is wrong is refused, also where none is needed: who sends one believes to be known."""
        digest = digest_of(token)
        if not sum(hmac.compare_digest(digest, known) for known in self.digests):  # each is compared, so that time tells nothing
            self.attempts.note(request.client.host if request.client is not None else "somewhere")
            raise NotAuthenticated(why="the token is not known here")
