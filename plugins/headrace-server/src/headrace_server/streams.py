"""Streams: server-sent events, without a thread for each who listens.

Each event has the cursor after it as its id. A browser that was cut off sends the last one of itself (`Last-Event-ID`), other clients ask for what comes
after it; so nothing is missed and nothing comes twice.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from headrace.errors import NotAllowed, NotAuthenticated, NotFound
from headrace.model.filters import EventFilter
from headrace.model.news import News
from headrace.ports.client import OpenClient
from headrace.wire.plain import to_plain
from headrace_server.waiting import Waiting

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 30.0
"""How often a listener may hear that nothing is new. What stands between hangs up on those who hear nothing for long."""

CHECKED_SECONDS = 1.0
"""Who listens is asked again who it is, when it hears something so long after the last time."""

MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def news_stream(
    request: Request,
    arguments: dict[str, Any],
    *,
    client: OpenClient,
    waiting: Waiting,
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
    check: Callable[[], Awaitable[object]],
) -> Response:
    """News of a flow run as they come; the first are there before the answer begins, so that it can still be a refusal. It ends once `check` raises that
    who listens may not any more."""
    run_id, every = arguments["run_id"], min(max(arguments["every"], SHORTEST_SECONDS), LONGEST_SECONDS)
    may_listen = _checked_again(check)

    async def follow(after: int) -> AsyncIterator[News]:
        while not waiting.is_ended and await may_listen():
            seen = await in_thread(client.read_last_event)
            news: News = await in_thread(partial(client.read_news, run_id, after))
            yield news
            if not news.lines:
                await waiting.events(EventFilter(after=seen, subjects=news.subjects), every, asyncio.Event().wait())
            after = news.cursor

    following = follow(_last_heard(request, arguments["after"]))
    first = await anext(following, None)

    async def events() -> AsyncIterator[str]:
        if first is not None:
            yield _event(first)
        async for news in following:
            yield _event(news)

    return StreamingResponse(events(), media_type=MEDIA_TYPE, headers=_HEADERS)


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


def _last_heard(request: Request, asked: int) -> int:
    heard = request.headers.get("last-event-id", "")
    if not heard:
        return asked
    if not (heard.isascii() and heard.isdigit() and len(heard) < 19):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "Last-Event-ID must be the id of an event of this stream, which is a number")
    return int(heard)


def _event(news: News) -> str:
    return f"id: {news.cursor}\nevent: news\ndata: {json.dumps(to_plain(news), separators=(',', ':'))}\n\n"
