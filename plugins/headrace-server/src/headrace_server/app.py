"""The application: every operation of the client port under `/api`, what the server tells of itself, and what plugins add.

Handlers run on the loop; what asks the orchestration runs in a bounded number of threads, so that no request waits for another one's transaction there.
Paths are matched as they were sent, and each place in them is unquoted by itself: what stands there may contain anything, slashes too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Receive, Scope, Send

from headrace.errors import HeadraceError
from headrace.instance import Instance
from headrace.model.queues import Claimed
from headrace.model.tokens import Scope as Reach
from headrace.ports.client import Kind, OpenClient, Operation
from headrace.wire.endpoints import Endpoint, endpoints
from headrace_server import problem_answers
from headrace_server.bodies import json_answer, parsed, read_json_bytes, read_query
from headrace_server.bounds import check_bounds
from headrace_server.doors import Asker, Doors
from headrace_server.files import DELETE, LIST, MOST_BYTES, READ, WRITE, Files
from headrace_server.in_process import in_process
from headrace_server.own import Own
from headrace_server.problem_answers import DESCRIBED_AT
from headrace_server.streams import Streams
from headrace_server.tokens import Tokens
from headrace_server.waiting import Waiting

API = "/api"
MOST_THREADS = 16

LARGE_BYTES = 1 << 16
"""Bodies from this size on are read in a thread."""

DOCUMENT = Operation(name="read_document", method="GET", path="/openapi.json", scope=Reach.VIEWER, kind=Kind.ASK)
PROBLEM = Operation(name="read_problem", method="GET", path="/problems/{name}", scope=Reach.VIEWER, kind=Kind.ASK)

logger = logging.getLogger("headrace.server")

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


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
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="headrace-api")
        self.waiting = Waiting(in_process(house.client).store, self.in_thread)
        self._streams = Streams(client=house.client, waiting=self.waiting, in_thread=self.in_thread)
        files = Files(house, self.in_thread, most_bytes=storage_bytes)
        operations: list[BaseRoute] = [*self._operations(OpenClient, house.client), *self._operations(Own, own), *self._of_files(files)]
        operations.append(Route(DOCUMENT.path, self.guarded(self._document)))
        told: list[BaseRoute] = [Route("/health", self.guarded(self._health)), Route(PROBLEM.path, self.guarded(self._problem))]
        others = [*told, *(self._of_plugins() if pages else ())]
        self.routes: Mapping[str, list[BaseRoute]] = {API: operations, "": others}
        self._api = _Exactly(self.routes[API])
        self._others = Starlette(routes=[Mount("", app=_Exactly(others))], exception_handlers={HTTPException: _refused})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("ascii")
        if not path.startswith(f"{API}/"):
            await self._others(scope, receive, send)
            return
        try:
            await self._api({**scope, "path": path, "root_path": API}, receive, send)
        except HTTPException as error:
            await problem_answers.of_refusal(error)(scope, receive, send)

    def end(self) -> None:
        """Answers those who wait; to be called on the loop, before connections are waited for."""
        self.waiting.end()

    def close(self, *, wait: bool = True) -> None:
        """Lets go of the threads, once what is being asked is answered; unless told to `wait`, at once."""
        self._threads.shutdown(wait=wait, cancel_futures=not wait)

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a function gives that may take its time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

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
        in_path = {name: _unquoted(name, text) for name, text in request.path_params.items()}
        raw = b"{}" if endpoint.is_asked_in_query else await read_json_bytes(request)
        query = read_query(request) if endpoint.is_asked_in_query else {}
        if len(raw) < LARGE_BYTES:
            arguments, unknown = endpoint.arguments_of(in_path, query, parsed(raw))
        else:
            arguments, unknown = await self.in_thread(lambda: endpoint.arguments_of(in_path, query, parsed(raw)))
        check_bounds(endpoint.operation, arguments)
        await self.doors.admitted(request, endpoint.operation, arguments)
        return Asked(endpoint=endpoint, target=target, arguments=arguments, unknown=unknown, asker=asker)

    async def _ask(self, _: Request, asked: Asked) -> Response:
        try:
            return await self.in_thread(_answered, asked, self.doors.tokens)
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

    # Files

    def _of_files(self, files: Files) -> Iterator[Route]:
        """The first that fits answers, so that of HEAD comes before that of GET."""
        yield self._file_route(attrs.evolve(READ, method="HEAD"), files.is_there)
        for operation, answer in ((READ, files.read), (WRITE, files.write), (DELETE, files.delete)):
            yield self._file_route(operation, answer)
        yield self._file_route(LIST, lambda request, **_: files.keys(request))

    def _file_route(self, operation: Operation, answer: Callable[..., Awaitable[Response]]) -> Route:
        async def handle(request: Request) -> Response:
            await self.doors.admitted(request, operation, None)
            in_path = {name: _unquoted(name, text) for name, text in request.path_params.items()}
            await self.doors.admitted(request, operation, in_path)
            return await answer(request, **in_path)

        return Route(operation.path, self.guarded(handle), methods=[operation.method])

    # What is no operation

    async def _health(self, _: Request) -> Response:
        return json_answer({"result": "ok"})

    async def _document(self, request: Request) -> Response:
        await self.doors.admitted(request, DOCUMENT, None)
        return await self.in_thread(_described)

    async def _problem(self, request: Request) -> Response:
        await self.doors.admitted(request, PROBLEM, None)
        name = request.path_params["name"]
        if (found := await self.in_thread(_problem_page, name)) is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no kind of problem called {name!r}")
        return json_answer({"result": found})

    def _of_plugins(self) -> Iterator[BaseRoute]:
        """Routes that plugins bring, each behind the doors."""
        for plugin, call in self.house.registry.calls("headrace_routes", client=self.house.client):
            try:
                routes = [Behind(self, route) for route in call() or ()]
            except Exception:
                logger.exception("Plugin %r of %s brings no routes, since it failed", plugin.name, plugin.dist)
            else:
                yield from routes

    # What every handler has around it

    def guarded(self, handle: Handler) -> Handler:
        """A handler whose errors are problems, whatever they are."""

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                return problem_answers.of_refusal(error)
            except HeadraceError as error:
                return problem_answers.of_error(error)
            except Exception as error:
                return problem_answers.of_bug(error, request, self.house.ids.new())

        return guarded


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


def _unquoted(name: str, text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name} in the path is no UTF-8") from None


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "it is called for these alone"
    return problem_answers.of_refusal(error)


class _Exactly:
    """Routes that say what is there where nothing is; only those are matched whose paths begin as what was asked for does."""

    def __init__(self, routes: list[BaseRoute]) -> None:
        self._routes: dict[str, list[BaseRoute]] = {}
        for route in routes:
            self._routes.setdefault(_start(getattr(route, "path", "")), []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed: set[str] = set()
        start = _start(scope["path"].removeprefix(scope.get("root_path", "")))
        for route in (*self._routes.get(start, ()), *self._routes.get("", ())):
            match, found = route.matches(scope)
            if match is Match.FULL:
                await route.handle({**scope, **found}, receive, send)
                return
            if match is Match.PARTIAL:
                allowed |= getattr(route, "methods", None) or set()
        if not allowed:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is nothing at {scope['path']}; what there is stands in {DESCRIBED_AT}")
        methods = ", ".join(sorted(allowed))
        sentence = f"{scope['path']} takes {methods}, not {scope['method']}"
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, sentence, headers={"Allow": methods})


def _start(path: str) -> str:
    """The first part of a path; nothing for one that begins with what may be anything."""
    first = path.removeprefix("/").partition("/")[0]
    return "" if "{" in first else first


class Behind(BaseRoute):
    """A plugin's route behind the doors."""

    def __init__(self, app: App, route: BaseRoute) -> None:
        self._app = app
        self._route = route
        self.methods = getattr(route, "methods", None)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._route.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        reach = Reach.VIEWER if request.method in ("GET", "HEAD") else Reach.OPERATOR
        operation = Operation(name="a page", method=request.method, path=scope["path"], scope=reach, kind=Kind.ASK)
        try:
            await self._app.doors.admitted(request, operation, None)
            await self._app.doors.admitted(request, operation, {})
        except HeadraceError as error:
            await problem_answers.of_error(error)(scope, receive, send)
            return
        await self._route.handle(scope, receive, send)
