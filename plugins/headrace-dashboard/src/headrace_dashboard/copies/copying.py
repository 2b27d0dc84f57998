"""Copying: the visit of nobody, for whom a page is made that lies in a file."""

import re
from collections.abc import Mapping
from html import unescape
from posixpath import dirname, join, normpath
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from headrace.instance import Instance
from headrace_dashboard.assets import ICON
from headrace_dashboard.copies.sheets import Sheet, Sheets
from headrace_dashboard.visit import CopyFacts, Query
from headrace_dashboard.zones import UTC

STATIC = "static"
_HREF = re.compile(r'\bhref="([^"]*)"')


class Copying:
    """A page of a copy. Whoever will look at it may change nothing, and nobody can be asked for anything else."""

    store = None
    piece = ""
    who = ""
    said = ""
    may_change = False
    is_encrypted = False

    def __init__(self, house: Instance, copy: CopyFacts, sheet: Sheet, sheets: Sheets) -> None:
        self.house = house
        self.copy = copy
        self._sheet = sheet
        self._sheets = sheets

    @property
    def path(self) -> str:
        return self._sheet.path

    @property
    def places(self) -> Mapping[str, str]:
        return self._sheet.places

    @property
    def query(self) -> Query:
        return self._sheet.query

    @property
    def zone(self) -> ZoneInfo:
        return UTC

    def has(self, path: str) -> bool:
        return self._sheets.has(path)

    def link(self, path: str, query: Query = ()) -> str:
        return self._to(self._sheets.file(unquote(path), query))

    def here(self, query: Query) -> str:
        return self._to(self._sheets.file(self.path, query))

    def file(self, name: str) -> str:
        return self._to(f"{STATIC}/{name}")

    def icon(self, name: str) -> str:
        return f"#{ICON}{name}"

    def content(self, text: str) -> str:
        return Markup(_HREF.sub(self._led, text)) if isinstance(text, Markup) else text

    def _led(self, found: re.Match[str]) -> str:
        """A link that somebody wrote for a server."""
        written = urlsplit(unescape(found[1]))
        if written.scheme or written.netloc or not written.path:
            return found[0]
        path = normpath(join("/", dirname(self.path), written.path)).removeprefix("/")
        return f'href="{escape(self.link(path, parse_qsl(written.query)))}"'

    def _to(self, file: str) -> str:
        return "../" * self._sheet.file.count("/") + quote(file)
