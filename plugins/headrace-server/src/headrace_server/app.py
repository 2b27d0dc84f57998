"""The application: every operation of the client port under `/api`, what the server tells of itself, and what plugins add.

Handlers run on the loop; what asks the orchestration runs in threads.
"""

import logging
from collections.abc import Iterator, Mapping
from functools import cache, partial
from http import HTTPStatus
from typing import Any

import attrs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from headrace.instance import Instance
from headrace.model.queues import Claimed
from headrace.model.tokens import Scope as Reach
from headrace.ports.client import Kind, OpenClient, Operation
from headrace.wire.endpoints import Endpoint, endpoints
from headrace_server import problem_answers, secrets_out
from headrace_server.bodies import json_answer, parsed, read_json_bytes, read_query
from headrace_server.bounds import check_bounds
from headrace_server.doors import Asker, Doors
from headrace_server.files import MOST_BYTES, Bound, Files
from headrace_server.in_process import in_process
from headrace_server.own import Own
from headrace_server.pages import LOGIN, Behind, Lent, OpenRoute
from headrace_server.routing import API, AsSent, Exactly, Handler, guarded, places, sent_path
from headrace_server.streams import Streams
from headrace_server.threads import Threads
from headrace_server.tokens import Tokens
from headrace_server.waiting import Waiting

LARGE_BYTES = 1 << 16
"""Bodies from this size on are read in a thread."""

ADVICE = "free some with `headrace store gc` there, or raise --storage-limit"
"""What who looks after a full storage does."""

DOCUMENT = Operation(name="read_document", method="GET", path="/openapi.json", scope=Reach.VIEWER, kind=Kind.ASK)
PROBLEM = Operation(name="read_problem", method="GET", path="/problems/{name}", scope=Reach.VIEWER, kind=Kind.ASK)

logger = logging.getLogger("headrace.server")


@attrs.frozen(kw_only=True)
class Asked:
    """A call as it came: what it asks for, and of whom."""

    endpoint: Endpoint
    target: Any
    arguments: Mapping[str, Any]
    unknown: list[str]
    asker: Asker


class App:
    """The application over a house. It is to be closed, which lets go of its threads. `routes`: all that there are, by where their paths go on from."""

    def __init__(self, house: Instance, doors: Doors, own: Own, *, storage_bytes: int = MOST_BYTES, pages: bool = True) -> None:
        self.house = house
        self.doors = doors
        self._own = own
        self._threads = Threads()
        self.waiting = Waiting(in_process(house.client).store, self._threads.run)
        self._streams = Streams(client=house.client, waiting=self.waiting, in_thread=self._threads.run)
        bound = Bound(getattr(house.storage(), "path", None), storage_bytes, advice=ADVICE)
        files = Files(house.code_storage, self._threads.run, bound)
        operations: list[BaseRoute] = [
            *self._operations(OpenClient, house.client),
            *self._operations(Own, own),
            *files.routes(doors.admitted, self.guarded),
        ]
        operations.append(Route(DOCUMENT.path, self.guarded(self._document)))
        told: list[BaseRoute] = [Route("/health", self.guarded(self._health)), Route(PROBLEM.path, self.guarded(self._problem))]
        others = [*told, *(self._of_plugins() if pages else ())]
        self.routes: Mapping[str, list[BaseRoute]] = {API: operations, "": others}
        self._api = AsSent(API, Exactly(operations))
        self._others = Starlette(routes=[Mount("", app=Exactly(others))], exception_handlers={HTTPException: _refused})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        routes = self._api if sent_path(scope).startswith(f"{API}/") else self._others
        await routes(scope, receive, send)

    def end(self) -> None:
        """Answers those who wait; to be called on the loop, before connections are waited for."""
        self.waiting.end()

    def close(self, *, wait: bool = True) -> None:
        """Lets go of the threads, once what is being asked is answered; unless told to `wait`, at once."""
        self._threads.close(wait=wait)

    # The operations

    def _operations(self, port: type, target: Any) -> Iterator[Route]:
        for endpoint in endpoints(port).values():
            yield Route(endpoint.path, self.guarded(self._handler(endpoint, target)), methods=[endpoint.operation.method])

    def _handler(self, endpoint: Endpoint, target: Any) -> Handler:
        answer = {Kind.WAIT: self._wait, Kind.STREAM: self._stream}.get(endpoint.operation.kind, self._ask)

        async def handle(request: Request) -> Response:
            return await answer(request, await self._asked(request, endpoint, target))

        return handle

    async def _asked(self, request: Request, endpoint: Endpoint, target: Any) -> Asked:
        asker = await self.doors.admitted(request, endpoint.operation, None)
        in_path = places(request)
        raw = b"{}" if endpoint.is_asked_in_query else await read_json_bytes(request)
        query = read_query(request) if endpoint.is_asked_in_query else {}
        if len(raw) < LARGE_BYTES:
            arguments, unknown = endpoint.arguments_of(in_path, query, parsed(raw))
        else:
            arguments, unknown = await self._threads.run(lambda: endpoint.arguments_of(in_path, query, parsed(raw)))
        check_bounds(endpoint.operation, arguments)
        await self.doors.admitted(request, endpoint.operation, arguments)
        if endpoint.operation.name in secrets_out.CONCERNED:
            await self._threads.run(secrets_out.check_way, request, endpoint.operation, arguments, asker.name, self.house.client)
            arguments = secrets_out.told(endpoint.operation, arguments, asker.name)
        return Asked(endpoint=endpoint, target=target, arguments=arguments, unknown=unknown, asker=asker)

    async def _ask(self, _: Request, asked: Asked) -> Response:
        try:
            return await self._threads.run(_answered, asked, self.doors.tokens)
        finally:
            self.waiting.nudge()

    async def _wait(self, request: Request, asked: Asked) -> Response:
        events = await self.waiting.events(**asked.arguments, gone=_gone(request))
        await self.doors.still_admitted(request, asked.endpoint.operation, dict(asked.arguments))
        return json_answer(asked.endpoint.answer(events, asked.unknown))

    async def _stream(self, request: Request, asked: Asked) -> Response:
        operation, arguments = asked.endpoint.operation, asked.arguments
        check = partial(self.doors.still_admitted, request, operation, dict(arguments))
        return await self._streams.answer(request, operation, arguments, check)

    # What is no operation

    async def _health(self, _: Request) -> Response:
        return json_answer({"result": "ok"})

    async def _document(self, request: Request) -> Response:
        await self.doors.admitted(request, DOCUMENT, None)
        return await self._threads.run(_described)

    async def _problem(self, request: Request) -> Response:
        await self.doors.admitted(request, PROBLEM, None)
        name = request.path_params["name"]
        if (found := await self._threads.run(_problem_page, name)) is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no kind of problem called {name!r}")
        return json_answer({"result": found})

    def _of_plugins(self) -> Iterator[BaseRoute]:
        """Routes that plugins bring, each behind the doors."""
        brought: list[BaseRoute] = []
        lent = Lent(house=self.house, doors=self.doors, waiting=self.waiting)
        for plugin, call in self.house.registry.calls("headrace_routes", client=self.house.client, server=lent):
            try:
                routes = list(call() or ())
            except Exception:
                logger.exception("Plugin %r of %s brings no routes, since it failed", plugin.name, plugin.dist)
            else:
                brought += routes
        login = next((route.path for route in brought if isinstance(route, OpenRoute) and route.name == LOGIN), None)
        return (Behind(self.doors, route, login) for route in brought)

    # What every handler has around it

    def guarded(self, handle: Handler) -> Handler:
        """A handler whose errors are problems, whatever they are."""

        return guarded(handle, self.house.ids.new)


@cache
def _described() -> Response:
    from headrace_server.openapi import document  # hardly anybody asks for it

    return json_answer(document())


def _problem_page(name: str) -> dict[str, Any] | None:
    from headrace_server.openapi import described  # hardly anybody asks for it

    return described(name)


def _answered(asked: Asked, tokens: Tokens) -> Response:
    result = getattr(asked.target, asked.endpoint.operation.name)(**asked.arguments)
    if isinstance(result, Claimed) and result.runs:
        result = attrs.evolve(result, tokens=tokens.of_runs(result.runs))
    return json_answer(asked.endpoint.answer(result, asked.unknown))


async def _gone(request: Request) -> None:
    """Ends when whoever asked has hung up; to be awaited once the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is called for these alone"
    return problem_answers.of_refusal(error)
