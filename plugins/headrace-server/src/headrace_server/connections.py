"""Connections of a server: how many there may be at once, and for how long one may hold its place without doing its part.

What is read for a request that is answered (its body) is bounded where it is read. Here are bounded: a request's head, from its first byte or from the
beginning of the connection; what is left of a body when the answer has been given; and an answer that is not taken.
"""

import asyncio
import logging
import time
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from headrace_server.bounds import most_connections
from headrace_server.seldom import Seldom

HEAD_SECONDS = 30.0
UNREAD_SECONDS = 120.0

logger = logging.getLogger("headrace.server")


class BoundedConnection(H11Protocol):
    """HTTP over a connection that is ended when the other side takes too long."""

    refusals: ClassVar[Seldom]
    _awaited: object = None
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        most = most_connections()
        if len(self.connections) > most:
            if self.refusals.turn() is not None:
                logger.warning("There are %d connections, and more are refused: that many files may be open in a process (ulimit -n)", most)
            transport.abort()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:  # else it is kept for the next request, and what is quiet there is ended by the server
            self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
        super().resume_writing()

    def _watch(self) -> None:
        """Sees that what is to come does so in time; each byte of it does not begin that time anew."""
        awaited = self._what_is_awaited()
        if awaited is self._awaited:
            return
        self._awaited = awaited
        if self._late is not None:
            self._late.cancel()
        self._late = None if awaited is None else self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _what_is_awaited(self) -> object:
        """A head, or a body that nobody reads any more; None: nothing, or a body that is read."""
        state = self.conn.their_state
        is_left_over = state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete
        return state if state is h11.IDLE or is_left_over else None


def bounded() -> type[BoundedConnection]:
    """What makes the connections of one server."""
    return type("OfOneServer", (BoundedConnection,), {"refusals": Seldom(time.monotonic)})
