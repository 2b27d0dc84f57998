"""Live: tells an open page that something has changed which it shows; the page then asks for what is new."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from headrace.model.filters import EventFilter
from headrace_server.pages import Lent

REST_SECONDS = 0.2
"""Between two tellings, however much happens."""

QUIET_SECONDS = 15.0
"""After so long without any, a line shows that it is still there."""


class Live:
    """Tells of events, the kinds of them alone: what they say, a page has to be let see."""

    def __init__(self, server: Lent) -> None:
        self._server = server

    async def answer(self, request: Request) -> Response:
        """A stream that ends with the server, or when whoever asked is gone."""
        subjects = tuple(request.query_params.getlist("subject"))[:100]
        return StreamingResponse(self._told(request, subjects), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def _told(self, request: Request, subjects: tuple[str, ...]) -> AsyncIterator[str]:
        after = await asyncio.to_thread(self._server.house.client.read_last_event)
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
