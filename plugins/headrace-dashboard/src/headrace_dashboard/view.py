"""A view: one page as somebody asks for it, with what it shows, and what can be done on it."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote, unquote, urlencode

import attrs
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from headrace.errors import HeadraceError
from headrace.instance import Instance
from headrace.model.tokens import Scope
from headrace.ports.client import OpenClient
from headrace.wire.problems import problem_of
from headrace_dashboard.assets import HEADERS
from headrace_dashboard.forms import Form
from headrace_dashboard.rendering import rendered, rendered_piece
from headrace_server.doors import COOKIE
from headrace_server.pages import Lent, Panel, asker_of

logger = logging.getLogger("headrace.dashboard")

SAID = "headrace_said"
"""The cookie that has what is said on the next page."""


@attrs.frozen
class Entry:
    """A page in the menu."""

    name: str
    path: str
    key: str
    icon: str


MENU = (
    Entry("Overview", "", "o", "overview"),
    Entry("Flow runs", "flow-runs", "r", "runs"),
    Entry("Flows", "flows", "f", "flows"),
    Entry("Deployments", "deployments", "d", "deployments"),
    Entry("Calendar", "calendar", "c", "calendar"),
    Entry("Work queues", "work-queues", "w", "queues"),
    Entry("Agents", "agents", "a", "agents"),
    Entry("Storage", "storages", "s", "storage"),
    Entry("Limits", "concurrency-limits", "l", "limits"),
    Entry("Plugins", "plugins", "p", "plugin"),
    Entry("Settings", "settings", "e", "settings"),
)


@attrs.frozen
class Done:
    """Something was done: what is said of it, and on which page; this one, if it is None."""

    said: str
    to: str | None = None
    cookies: Mapping[str, str] = attrs.field(factory=dict)


class View:
    """One page. Its properties are what its template shows, each found when it is shown; `do_…` is what can be done on it."""

    template: ClassVar[str]
    title: str
    section: ClassVar[str] = ""
    """Where in the menu it is."""
    live: Sequence[str] = ()
    """Kinds of events, or what they begin with, after which what is shown may be old."""
    subjects: Sequence[str] = ()
    """What these events are about; empty: anything."""
    every: ClassVar[int] = 0
    """After how many seconds it is asked for anew, where no event tells of all that it shows; 0: it is not."""
    is_open: ClassVar[bool] = False
    at: ClassVar[str] = ""
    """The name of the page, by which plugins put panels on it."""

    def __init__(self, server: Lent, request: Request) -> None:
        self.server = server
        self.request = request
        self.trouble: HeadraceError | None = None
        self.typed = Form([])
        self.last_event: int | None = None
        """The last event before what is shown was looked at; what comes after it, an open page has to hear of."""

    # What it is made of

    @property
    def house(self) -> Instance:
        return self.server.house

    @property
    def client(self) -> OpenClient:
        return self.server.house.client

    @cached_property
    def now(self) -> datetime:
        return self.house.clock.now()

    def place(self, name: str) -> str:
        """What stands in a place of the path."""
        return str(self.request.path_params[name])

    def asked(self, name: str, default: str = "") -> str:
        """What the query says."""
        return self.request.query_params.get(name, default).strip()

    # Where things are

    @cached_property
    def root(self) -> str:
        """The way up from here to the first page; so all addresses are relative, and hold below whatever path a proxy has put before them."""
        return "../" * self.request.scope["path"].removeprefix("/").count("/") or "./"

    def link(self, path: str, **query: object) -> str:
        """The address of a page: its path from the first one."""
        told = {name: value for name, value in query.items() if value not in (None, "", ())}
        return f"{self.root}{path}{'?' + urlencode(told, doseq=True) if told else ''}"

    def here(self, **query: object) -> str:
        """The address of this page, with something else asked for."""
        told = {**{name: self.request.query_params.getlist(name) for name in self.request.query_params}, **query}
        told = {name: value for name, value in told.items() if value not in (None, "", (), [])}
        last = self.request.scope["path"].rpartition("/")[2]
        return f"{quote(last) or './'}{'?' + urlencode(told, doseq=True) if told else ''}"

    # Who looks at it

    @cached_property
    def may_change(self) -> bool:
        """Whether who looks may change anything."""
        return not self.is_open and asker_of(self.request).scope.includes(Scope.OPERATOR)

    @property
    def who(self) -> str:
        """Who looks, where that was said."""
        return asker_of(self.request).name if not self.is_open and self.request.cookies.get(COOKIE) else ""

    @cached_property
    def said(self) -> str:
        """What is said once, of what was done before."""
        return unquote(self.request.cookies.get(SAID, ""))

    # What plugins add

    @property
    def panels(self) -> Sequence[Panel]:
        """The boxes that plugins have for this page."""
        return self._panels(self.at) if self.at else ()

    @property
    def menu(self) -> Sequence[Entry]:
        """The pages of the menu, those of plugins last."""
        return (*MENU, *(Entry(panel.title, panel.link, "", "plugin") for panel in self._panels("menu")))

    def _panels(self, place: str) -> Sequence[Panel]:
        """Those of a place; a plugin that fails is in no other's way."""
        found: list[Panel] = []
        for plugin, call in self.house.registry.calls("headrace_panels", place=place, page=self):
            try:
                found += call() or ()
            except Exception:
                logger.exception("Plugin %r of %s brings no panels for %r, since it failed", plugin.name, plugin.dist, place)
        return found

    # Answering

    @cached_property
    def status(self) -> int:
        """That of HTTP."""
        return int(problem_of(self.trouble)["status"]) if self.trouble is not None else HTTPStatus.OK

    def answer(self) -> Response:
        """The page, or the piece of it that is asked for to be put in the place of an old one."""
        piece = self.request.headers.get("hx-target", "").rpartition("#")[2].replace("-", "_")
        self.last_event = self.client.read_last_event() if self.live else None
        values = {"page": self, "now": self.now}
        text = rendered_piece(self.template, piece, values)
        is_whole = text is None
        answer = HTMLResponse(rendered(self.template, values) if text is None else text, self.status, HEADERS)
        if is_whole and self.said:
            answer.delete_cookie(SAID)
        return answer

    def done(self, form: Form) -> Response:
        """Does what was asked for, and leads on; or shows the page again, where something is to be said yes to. Raises the errors of that."""
        self.typed = form
        action: Callable[[Form], Done | None] | None = getattr(self, f"do_{form.text('do')}", None)
        if action is None:
            return Response("there is nothing of that name to be done here", HTTPStatus.BAD_REQUEST)
        done = action(form)
        if done is None:
            return self.answer()
        goal = done.to if done.to is not None else self.here()
        answer = RedirectResponse(goal, HTTPStatus.SEE_OTHER)
        is_safe = self.request.url.scheme == "https"
        if done.said:
            answer.set_cookie(SAID, quote(done.said), max_age=60, httponly=True, samesite="strict", secure=is_safe)
        for name, value in done.cookies.items():
            answer.set_cookie(name, value, max_age=None if value else 0, httponly=True, samesite="strict", secure=is_safe)
        return answer


def as_json(value: object) -> str:
    """Plain data as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
