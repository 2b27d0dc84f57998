"""Pages: routes that plugins bring, behind the doors; what the server lends them, and what is open to everybody."""

from collections.abc import Awaitable
from http import HTTPStatus
from urllib.parse import quote

import attrs
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Receive, Scope, Send

from headrace.errors import HeadraceError, NotAuthenticated
from headrace.instance import Instance
from headrace.model.events import Event
from headrace.model.filters import EventFilter
from headrace.model.tokens import Scope as Reach
from headrace.ports.client import Kind, Operation
from headrace.ports.run_store import OpenRunStore
from headrace_server import problem_answers
from headrace_server.doors import ASKER, IS_PAGE, Asker, Doors
from headrace_server.in_process import in_process
from headrace_server.waiting import Waiting

LOGIN = "login"
"""The name of the open route to which a browser is led that is not known."""


class OpenRoute(Route):
    """A route that is open to everybody, such as the page on which one says who one is."""


class OpenMount(Mount):
    """Routes that are open to everybody, such as how pages look."""


@attrs.frozen(kw_only=True)
class Panel:
    """A box on a page. `content` is text, or HTML where it says so itself, as markupsafe's does; `link` is the path of a page, from the first one."""

    title: str
    content: str = ""
    link: str = ""


@attrs.frozen(kw_only=True)
class Lent:
    """What the server lends to pages: the house that it serves, the doors, and a way to wait on the loop without a thread."""

    house: Instance
    doors: Doors
    waiting: Waiting

    async def events(self, wanted: EventFilter, seconds: float, gone: Awaitable[object]) -> list[Event]:
        """Events that fit, as soon as there are any; none after so many seconds, at most a minute, or when `gone` is over."""
        return await self.waiting.events(wanted, seconds, gone)

    @property
    def store(self) -> OpenRunStore:
        """The store of the house."""
        return in_process(self.house.client).store

    def check(self, request: Request, token: str) -> None:
        """Raises NotAuthenticated for a token that is not known; from a thread."""
        self.doors.check(request, token)


def asker_of(request: Request) -> Asker:
    """Who was let in."""
    asker: Asker = request.scope[ASKER]
    return asker


class Behind(BaseRoute):
    """A plugin's route behind the doors. A browser that is not known is led to where one says who one is, if there is such a page."""

    def __init__(self, doors: Doors, route: BaseRoute, login: str | None) -> None:
        self._doors = doors
        self._route = route
        self._login = login
        self.path = getattr(route, "path", "")
        self.methods = getattr(route, "methods", None)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self._route.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        scope[IS_PAGE] = True
        try:
            await self._admit(request)
        except NotAuthenticated as error:
            if self._login is None or "text/html" not in request.headers.get("accept", ""):
                await problem_answers.of_error(error)(scope, receive, send)
                return
            await self._lead(request)(scope, receive, send)
            return
        except HeadraceError as error:
            await problem_answers.of_error(error)(scope, receive, send)
            return
        await self._route.handle(scope, receive, send)

    async def _admit(self, request: Request) -> None:
        if isinstance(self._route, (OpenRoute, OpenMount)):
            self._doors.names.check(request)
            return
        reach = Reach.VIEWER if request.method in ("GET", "HEAD") else Reach.OPERATOR
        operation = Operation(name="a page", method=request.method, path=request.scope["path"], scope=reach, kind=Kind.ASK)
        await self._doors.admitted(request, operation, None)
        await self._doors.admitted(request, operation, {})

    def _lead(self, request: Request) -> RedirectResponse:
        """By a relative address, since nobody here knows what a proxy has put before the path."""
        assert self._login is not None, "it is known where to"
        path = request.scope["path"].removeprefix("/")
        up = "../" * path.count("/")
        back = f"{path}?{request.url.query}" if request.url.query else path
        goal = f"{up or './'}{self._login.removeprefix('/')}"
        if request.method == "GET" and back:
            goal += f"?next={quote(back, safe='')}"
        return RedirectResponse(goal, HTTPStatus.SEE_OTHER)
