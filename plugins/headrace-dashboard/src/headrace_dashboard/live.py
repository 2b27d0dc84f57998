"""Live: tells an open page that something has changed which it shows; the page then asks for what is new."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from headrace.model.filters import EventFilter
from headrace_dashboard.numbers import whole_number
from headrace_server.pages import Lent

REST_SECONDS = 0.2
"""Between two tellings, however much happens."""

LONGEST_NUMBER = 18
"""Digits of an event's number, which fits into 64 bits."""

QUIET_SECONDS = 15.0
"""After so long without any, a line shows that it is still there."""


class Live:
    """Tells of events, the kinds of them alone: what they say, a page has to be let see."""

    def __init__(self, server: Lent) -> None:
        self._server = server

    async def answer(self, request: Request) -> Response:
        """A stream that ends with the server, or when whoever asked is gone; what came since the event `after`, which a page knows of, is told at once."""
        subjects = tuple(request.query_params.getlist("subject"))[:100]
        after = whole_number(request.query_params.get("after", ""), LONGEST_NUMBER)
        return StreamingResponse(
            self._told(request, subjects, after), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _told(self, request: Request, subjects: tuple[str, ...], after: int | None) -> AsyncIterator[str]:
        last = await asyncio.to_thread(self._server.house.client.read_last_event)
        after = last if after is None else min(after, last)
        gone = asyncio.Event()
        watching = asyncio.create_task(_watch(request, gone))
        yield "retry: 1000\n\n"
        try:
            async for told in self._changes(after, subjects, gone):
                yield told
        finally:
            watching.cancel()

    async def _changes(self, after: int, subjects: tuple[str, ...], gone: asyncio.Event) -> AsyncIterator[str]:
        while not self._server.waiting.is_ended:
            events = await self._server.events(EventFilter(after=after, subjects=subjects), QUIET_SECONDS, gone.wait())
            if gone.is_set():
                return
            if events:
                after = events[-1].sequence
                kinds = " ".join(sorted({event.kind for event in events}))
                yield f"event: change\ndata: {kinds}\n\n"
                await asyncio.sleep(REST_SECONDS)
            else:
                yield ": still here\n\n"


async def _watch(request: Request, gone: asyncio.Event) -> None:
    """Says when whoever asked has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()
