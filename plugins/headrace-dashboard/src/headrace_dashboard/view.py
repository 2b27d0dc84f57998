"""A view: one page as somebody asks for it, with what it shows, and what can be done on it."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

import attrs
from starlette.responses import HTMLResponse, RedirectResponse, Response

from headrace.errors import HeadraceError, InvalidOption
from headrace.instance import Instance
from headrace.ports.client import OpenClient
from headrace.wire.problems import problem_of
from headrace_dashboard.assets import HEADERS
from headrace_dashboard.browsing import SAID
from headrace_dashboard.forms import Form
from headrace_dashboard.menu import MENU, Entry
from headrace_dashboard.rendering import rendered, rendered_piece
from headrace_dashboard.visit import CopyFacts, Query, Visit, pairs
from headrace_dashboard.zones import typed_moment
from headrace_server.pages import Panel

logger = logging.getLogger("headrace.dashboard")

LONGEST_SAID = 300
"""Characters; browsers keep 4 kB of a cookie, and a character may be twelve bytes there."""

NOT_GOOD = "!"
"""How what is said begins where not all was done."""


@attrs.frozen
class Done:
    """Something was done: what is said of it, and on which page; this one, if it is None. Not `is_good`: not all that was to be done."""

    said: str
    to: str | None = None
    is_good: bool = True
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
    variants: ClassVar[Sequence[Mapping[str, str]]] = ()
    """What else may be asked for on it, so that a copy has that too."""
    is_open: ClassVar[bool] = False
    at: ClassVar[str] = ""
    """The name of the page, by which plugins put panels on it."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.trouble: HeadraceError | None = None
        self.typed = Form([])
        self.last_event: int | None = None
        """The last event before what is shown was looked at; what comes after it, an open page has to hear of."""

    # What it is made of

    @property
    def house(self) -> Instance:
        return self.visit.house

    @property
    def client(self) -> OpenClient:
        return self.visit.house.client

    @cached_property
    def now(self) -> datetime:
        return self.house.clock.now() if self.copy is None else self.copy.made

    def place(self, name: str) -> str:
        """What stands in a place of the path."""
        return self.visit.places[name]

    @property
    def query(self) -> Query:
        """What is asked for."""
        return self.visit.query

    def asked(self, name: str, default: str = "") -> str:
        """What the query says last of a name."""
        return next((value for known, value in reversed(self.query) if known == name), default).strip()

    def all_asked(self, name: str) -> tuple[str, ...]:
        """All that the query says of a name that is not empty."""
        return tuple(text for known, value in self.query if known == name and (text := value.strip()))

    def moment(self, name: str) -> datetime | None:
        """A moment that is asked for, by the clocks of who looks unless it says its offset. Raises InvalidOption."""
        try:
            return typed_moment(self.asked(name), self.visit.zone)
        except ValueError as error:
            raise InvalidOption(where="the address of this page", option=name, value=self.asked(name)[:100], why=str(error)) from None

    # Where things are

    def link(self, path: str, **query: object) -> str:
        """The address of a page: its path from the first one."""
        return self.visit.link(path, pairs(query))

    def here(self, **query: object) -> str:
        """The address of this page, with something else asked for."""
        told = {name: [value for known, value in self.query if known == name] for name, _ in self.query}
        return self.visit.here(pairs({**told, **query}))

    def file(self, name: str) -> str:
        """The address of a file that pages look or move by."""
        return self.visit.file(name)

    def icon(self, name: str) -> str:
        """The address of an icon."""
        return self.visit.icon(name)

    @property
    def copy(self) -> CopyFacts | None:
        """The copy that it is made for, in which nothing can be asked for; None where it is looked at on a server."""
        return self.visit.copy

    @property
    def has_logs(self) -> bool:
        """Whether lines of logs are shown."""
        return self.copy is None or self.copy.has_logs

    @property
    def has_parameters(self) -> bool:
        """Whether values of parameters are shown."""
        return self.copy is None or self.copy.has_parameters

    # Who looks at it

    @cached_property
    def may_change(self) -> bool:
        """Whether who looks may change anything."""
        return not self.is_open and self.visit.may_change

    @property
    def who(self) -> str:
        """Who looks, where that was said."""
        return "" if self.is_open else self.visit.who

    @cached_property
    def said(self) -> str:
        """What is said once, of what was done before."""
        return self.visit.said.removeprefix(NOT_GOOD)

    @property
    def is_good(self) -> bool:
        """Whether all of that was done."""
        return not self.visit.said.startswith(NOT_GOOD)

    # What plugins add

    @property
    def panels(self) -> Sequence[Panel]:
        """The boxes that plugins have for this page."""
        return self._panels(self.at) if self.at else ()

    def content(self, panel: Panel) -> str:
        """What a box says, with its links as they lead from here."""
        return self.visit.content(panel.content)

    @property
    def menu(self) -> Sequence[Entry]:
        """The pages of the menu, those of plugins last."""
        entries = (*MENU, *(Entry(panel.title, panel.link, "", "plugin") for panel in self._panels("menu")))
        return tuple(entry for entry in entries if self.visit.has(entry.path))

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

    def html(self) -> str:
        """The whole page."""
        return rendered(self.template, self._values)

    def text(self) -> Iterator[str]:
        """All that it is as a file, part by part."""
        yield self.html()

    @property
    def _values(self) -> Mapping[str, object]:
        return {"page": self, "now": self.now}

    def answer(self) -> Response:
        """The page, or the piece of it that is asked for to be put in the place of an old one."""
        self.last_event = self.client.read_last_event() if self.live and not self.visit.piece else None
        piece = rendered_piece(self.template, self.visit.piece, self._values)
        answer = HTMLResponse(self.html() if piece is None else piece, self.status, HEADERS)
        if piece is None and self.said:
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
        is_safe = self.visit.is_encrypted
        if done.said:
            said = done.said if len(done.said) <= LONGEST_SAID else f"{done.said[:LONGEST_SAID]}…"
            answer.set_cookie(
                SAID, quote(said if done.is_good else f"{NOT_GOOD}{said}"), max_age=60, httponly=True, samesite="strict", secure=is_safe
            )
        for name, value in done.cookies.items():
            # without a path it is that of the page, so that no other site behind the same proxy is sent it
            answer.set_cookie(name, value, max_age=None if value else 0, path=None, httponly=True, samesite="strict", secure=is_safe)
        return answer


def as_json(value: object) -> str:
    """Plain data as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
