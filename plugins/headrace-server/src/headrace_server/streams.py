"""Streams: server-sent events, without a thread for each who listens.

Each event has the cursor after it as its id. A browser that was cut off sends the last one of itself (`Last-Event-ID`), other clients ask for what comes
after it; so nothing is missed and nothing comes twice.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from headrace.errors import HeadraceError, NotAllowed, NotAuthenticated, NotFound
from headrace.model.events import Event
from headrace.model.filters import EventFilter
from headrace.model.news import EventNews, News
from headrace.ports.client import OpenClient, Operation
from headrace.wire.plain import to_plain
from headrace_server.waiting import Waiting

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 30.0
"""How often a listener may hear that nothing is new. What stands between hangs up on those who hear nothing for long."""

CHECKED_SECONDS = 1.0
"""Who listens is asked again who it is, when it hears something so long after the last time."""

MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@attrs.frozen(kw_only=True)
class Streams:
    """What can be listened to, by the names of operations. `in_thread` runs what asks the client."""

    client: OpenClient
    waiting: Waiting
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]

    async def answer(
        self, request: Request, operation: Operation, arguments: Mapping[str, Any], check: Callable[[], Awaitable[object]]
    ) -> Response:
        """What comes, as it comes; the first is there before the answer begins, so that it can still be a refusal. It ends once `check` raises that who
        listens may not any more."""
        asked = dict(arguments)
        asked["every"] = min(max(asked["every"], SHORTEST_SECONDS), LONGEST_SECONDS)
        following = _FOLLOWED[operation.name](self, _last_heard(request), **asked)
        may_listen = _checked_again(check)
        first = await anext(following)

        async def events() -> AsyncIterator[str]:
            yield _event(first)
            with suppress(HeadraceError):  # a run that was deleted, a store that is away: who asks again is told
                while not self.waiting.is_ended and await may_listen():
                    yield _event(await anext(following))

        return StreamingResponse(events(), media_type=MEDIA_TYPE, headers=_HEADERS)

    async def of_run(self, heard: int | None, *, run_id: str, after: int, every: float) -> AsyncIterator[News]:
        """A run as it is, and what arrives in its log."""
        cursor = after if heard is None else heard
        while True:
            seen = await self.in_thread(self.client.read_last_event)
            news: News = await self.in_thread(partial(self.client.read_news, run_id, cursor))
            yield news
            if not news.lines:
                await self._events(EventFilter(after=seen, subjects=news.subjects), every)
            cursor = news.cursor

    async def of_events(self, heard: int | None, *, wanted: EventFilter, every: float) -> AsyncIterator[EventNews]:
        """Events that fit."""
        cursor, seconds = wanted.after if heard is None else heard, 0.0
        while True:
            seen = await self.in_thread(self.client.read_last_event)
            events = await self._events(attrs.evolve(wanted, after=cursor), seconds)
            cursor = events[-1].sequence if events else max(cursor, seen)
            yield EventNews(events=tuple(events), cursor=cursor)
            seconds = every

    async def _events(self, wanted: EventFilter, seconds: float) -> list[Event]:
        return await self.waiting.events(wanted, seconds, asyncio.Event().wait())


_FOLLOWED: Mapping[str, Callable[..., AsyncIterator[News | EventNews]]] = MappingProxyType(
    {"follow_flow_run": Streams.of_run, "follow_events": Streams.of_events}
)


def _checked_again(check: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[bool]]:
    """Whether who was let in still may, looked at now and then."""
    now = asyncio.get_running_loop().time
    checked = now()

    async def may_listen() -> bool:
        nonlocal checked
        if now() < checked + CHECKED_SECONDS:
            return True
        try:
            await check()
        except (NotAllowed, NotAuthenticated, NotFound):
            return False
        checked = now()
        return True

    return may_listen


def _last_heard(request: Request) -> int | None:
    """After what who was cut off goes on."""
    heard = request.headers.get("last-event-id", "")
    if not heard:
        return None
    if not (heard.isascii() and heard.isdigit() and len(heard) < 19):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "Last-Event-ID must be the id of an event of this stream, which is a number")
    return int(heard)


def _event(news: News | EventNews) -> str:
    return f"id: {news.cursor}\nevent: news\ndata: {json.dumps(to_plain(news), separators=(',', ':'))}\n\n"
