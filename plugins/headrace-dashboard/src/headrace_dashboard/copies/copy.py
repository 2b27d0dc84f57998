"""A copy of pages, as it is made."""

from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Protocol

import attrs

from headrace.errors import NotFound
from headrace.instance import Instance
from headrace_dashboard.copies.copying import STATIC, Copying
from headrace_dashboard.copies.plan import Plan
from headrace_dashboard.copies.sheets import FIRST, NOT_COPIED, Sheet
from headrace_dashboard.copies.writing import Growing
from headrace_dashboard.pages.copied import ContentsPage, NotCopiedPage
from headrace_dashboard.pages.trouble import TroublePage
from headrace_dashboard.site import PAGES
from headrace_dashboard.view import View
from headrace_dashboard.visit import CopyFacts

STATIC_FILES = ("dashboard.css", "dashboard.js", "theme.js", "icon.svg")
TOLD_EVERY = 500
"""After so many pages it is told how far it is."""


class Sweep(Protocol):
    """What becomes of a text before it is written."""

    def __call__(self, text: str, *, is_html: bool) -> str: ...


@attrs.frozen(kw_only=True)
class Copy:
    """Writes the pages of a plan."""

    house: Instance
    plan: Plan
    facts: CopyFacts
    sweep: Sweep
    say: Callable[[str], None]

    def write(self, growing: Growing) -> None:
        """All pages, and what they look and move by."""
        for name in STATIC_FILES:
            growing.write(f"{STATIC}/{name}", [files("headrace_dashboard").joinpath("static", name).read_text(encoding="utf-8")])
        for number, sheet in enumerate(self.plan.sheets):
            if number % TOLD_EVERY == 0:
                self.say(f"copying page {number + 1:,} of {len(self.plan.sheets):,}")
            self._write_sheet(growing, sheet)
        titled = list(self.plan.sheets.titled)
        if not self.plan.sheets.has(""):
            self._write(growing, FIRST, ContentsPage(self._visit(Sheet(route="/", file=FIRST)), titled).text())
        self._write(growing, NOT_COPIED, NotCopiedPage(self._visit(Sheet(route=f"/{NOT_COPIED}", file=NOT_COPIED)), titled).text())

    def _write_sheet(self, growing: Growing, sheet: Sheet) -> None:
        view: View = dict(PAGES)[sheet.route](self._visit(sheet))
        try:
            self._write(growing, sheet.file, view.text())
        except NotFound as error:  # it was deleted meanwhile
            self._write(growing, sheet.file, TroublePage(view.visit, error).text() if _is_page(sheet.file) else [f"{error}\n"])

    def _write(self, growing: Growing, name: str, parts: Iterable[str]) -> None:
        growing.write(name, (self.sweep(part, is_html=_is_page(name)) for part in parts))

    def _visit(self, sheet: Sheet) -> Copying:
        return Copying(self.house, self.facts, sheet, self.plan.sheets)


def _is_page(name: str) -> bool:
    return name.endswith(".html")
