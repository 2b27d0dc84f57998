"""Browsing: the visit of a browser that asks a server."""

from collections.abc import Mapping
from functools import cached_property
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request

from headrace.instance import Instance
from headrace.model.tokens import Scope
from headrace.ports.run_store import OpenRunStore
from headrace_dashboard.assets import MARK
from headrace_dashboard.visit import Query
from headrace_dashboard.zones import zone_of
from headrace_server.pages import Lent, asker_of

SAID = "headrace_said"
"""The cookie that has what is said on the next page."""


class Browsing:
    """A page that a browser asks for."""

    copy = None

    def __init__(self, server: Lent, request: Request) -> None:
        self._server = server
        self._request = request

    # What is shown

    @property
    def house(self) -> Instance:
        return self._server.house

    @property
    def store(self) -> OpenRunStore:
        return self._server.store

    # What is asked for

    @property
    def path(self) -> str:
        path: str = self._request.scope["path"]
        return path.removeprefix("/")

    @property
    def places(self) -> Mapping[str, str]:
        return {name: str(value) for name, value in self._request.path_params.items()}

    @property
    def query(self) -> Query:
        return self._request.query_params.multi_items()

    @property
    def piece(self) -> str:
        return self._request.headers.get("hx-target", "").rpartition("#")[2].replace("-", "_")

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self._request)

    # Who looks

    @property
    def who(self) -> str:
        return asker_of(self._request).name if self._request.cookies.get(self.cookie) else ""

    @property
    def may_change(self) -> bool:
        return asker_of(self._request).scope.includes(Scope.OPERATOR)

    @property
    def said(self) -> str:
        return unquote(self._request.cookies.get(SAID, ""))

    @property
    def is_encrypted(self) -> bool:
        return self._request.url.scheme == "https"

    @property
    def cookie(self) -> str:
        """The name of the cookie that says who looks."""
        return self._server.doors.cookie

    def check(self, token: str) -> None:
        """Raises NotAuthenticated for a token that is not known."""
        self._server.check(self._request, token)

    # Where things are

    @cached_property
    def _root(self) -> str:
        """The way up from here to the first page; so all addresses are relative, and hold below whatever path a proxy has put before them."""
        return "../" * self.path.count("/") or "./"

    def has(self, path: str) -> bool:
        return True

    def link(self, path: str, query: Query = ()) -> str:
        return f"{self._root}{path}{_asking(query)}"

    def here(self, query: Query) -> str:
        last = self.path.rpartition("/")[2]
        return f"{quote(last) or './'}{_asking(query)}"

    def file(self, name: str) -> str:
        return f"{self._root}static/{MARK}/{name}"

    def icon(self, name: str) -> str:
        return self.file(f"icons.svg#{name}")

    def content(self, text: str) -> str:
        return text


def _asking(query: Query) -> str:
    return f"?{urlencode(query)}" if query else ""
