"""Routes and what stands around them: paths as they were sent, answers for what is not there, errors as problems."""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from headrace.errors import HeadraceError
from headrace_server import problem_answers
from headrace_server.problem_answers import DESCRIBED_AT

API = "/api"
DESCRIBED = f"what there is stands in {DESCRIBED_AT}"

Handler = Callable[[Request], Awaitable[Response]]


class Exactly:
    """Routes that say where nothing is, with advice; only those are matched whose paths begin as what was asked for does."""

    def __init__(self, routes: Iterable[BaseRoute], advice: str = DESCRIBED) -> None:
        self._advice = advice
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
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is nothing at {scope['path']}; {self._advice}")
        methods = ", ".join(sorted(allowed))
        sentence = f"{scope['path']} takes {methods}, not {scope['method']}"
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, sentence, headers={"Allow": methods})


def _start(path: str) -> str:
    """The first part of a path; nothing for one that begins with what may be anything."""
    first = path.removeprefix("/").partition("/")[0]
    return "" if "{" in first else first


class AsSent:
    """Routes below a root, whose paths are matched as they were sent: each place in them is unquoted by itself."""

    def __init__(self, root: str, routes: Exactly) -> None:
        self._root = root
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._routes({**scope, "path": sent_path(scope), "root_path": self._root}, receive, send)
        except HTTPException as error:
            await problem_answers.of_refusal(error)(scope, receive, send)


def sent_path(scope: Scope) -> str:
    """The path as it was sent."""
    path: str = scope["raw_path"].decode("ascii")
    return path


def places(request: Request) -> dict[str, str]:
    """What stands in the places of a path; anything may, slashes too. Raises HTTPException."""
    return {name: _unquoted(name, text) for name, text in request.path_params.items()}


def _unquoted(name: str, text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name} in the path is no UTF-8") from None


def guarded(handle: Handler, number: Callable[[], str]) -> Handler:
    """A handler whose errors are problems, whatever they are; a bug gets a number, by which the log tells more."""

    async def guarded(request: Request) -> Response:
        try:
            return await handle(request)
        except HTTPException as error:
            return problem_answers.of_refusal(error)
        except HeadraceError as error:
            return problem_answers.of_error(error)
        except Exception as error:
            return problem_answers.of_bug(error, request, number())

    return guarded
