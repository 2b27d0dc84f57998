"""A visit: a page as it is asked for. Where it is and where others are, what is asked for, who looks, and what there is to be shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import attrs

from headrace.instance import Instance
from headrace.ports.run_store import OpenRunStore

Query = Sequence[tuple[str, str]]
"""What an address asks for, name by name; a name may stand several times."""


@attrs.frozen(kw_only=True)
class CopyFacts:
    """Of a copy of pages: when it was made and by which headrace, and what was left out of it on purpose."""

    made: datetime
    version: str
    has_logs: bool = True
    has_parameters: bool = True
    is_support: bool = False


class Visit(Protocol):
    """What a page knows of who asks for it; a browser asks a server, or the page is made for a copy."""

    @property
    def house(self) -> Instance:
        """What is shown."""

    @property
    def store(self) -> OpenRunStore | None:
        """Its store, where that is at hand."""

    @property
    def path(self) -> str:
        """Where the page is, from the first one."""

    @property
    def places(self) -> Mapping[str, str]:
        """What stands in the places of the path."""

    @property
    def query(self) -> Query:
        """What is asked for."""

    @property
    def piece(self) -> str:
        """The piece of the page that is asked for; empty: all of it."""

    @property
    def zone(self) -> ZoneInfo:
        """In which days and clocks are meant."""

    @property
    def who(self) -> str:
        """Who looks, where that was said."""

    @property
    def may_change(self) -> bool:
        """Whether who looks may change anything."""

    @property
    def said(self) -> str:
        """What is to be said once, of what was done before."""

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is said."""

    @property
    def copy(self) -> CopyFacts | None:
        """The copy that the page is made for; None where it is looked at on a server."""

    def has(self, path: str) -> bool:
        """Whether there is a page at a path, as far as links of the menu are concerned."""

    def link(self, path: str, query: Query = ()) -> str:
        """The address of a page by its path, seen from this one."""

    def here(self, query: Query) -> str:
        """The address of this page, with something else asked for."""

    def file(self, name: str) -> str:
        """The address of a file that pages look or move by."""

    def icon(self, name: str) -> str:
        """The address of an icon."""

    def content(self, text: str) -> str:
        """What a plugin has on the page, with its links as they lead from here."""


def pairs(told: Mapping[str, object]) -> Query:
    """What is told, name by name, without what is nothing; a list stands for several."""
    given = {name: value for name, value in told.items() if value not in (None, "", (), [])}
    return [(name, str(each)) for name, value in given.items() for each in _several(value)]


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, (list, tuple)) else (value,)
