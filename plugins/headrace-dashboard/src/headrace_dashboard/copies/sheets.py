"""Sheets: the pages of a copy, each in a file of its own."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

import attrs

from headrace_dashboard.visit import Query, pairs

FIRST = "index.html"
NOT_COPIED = "not-copied.html"

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@attrs.frozen(kw_only=True)
class Sheet:
    """A page of a copy: its route, as the site has it, with what stands in the places of that, and what is asked for on it. `file` is where it lies in the
    copy; `title` is what it is called in the copy's own list, if it is named there."""

    route: str
    places: Mapping[str, str] = attrs.field(factory=dict)
    query: Query = ()
    file: str
    title: str = ""

    @property
    def path(self) -> str:
        """Where it is on a server, from the first page."""
        return self.route.format(**self.places).removeprefix("/")

    def varied(self, told: Mapping[str, str]) -> "Sheet":
        """The same page with something else asked for."""
        marks = ".".join(f"{name}-{value}" for name, value in told.items())
        stem = self.file.removesuffix(".html")
        return attrs.evolve(self, query=pairs(told), file=f"{stem}.{marks}.html", title="")


class Sheets:
    """All pages of a copy, found by their addresses."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, frozenset[tuple[str, str]]], Sheet] = {}

    def __iter__(self) -> Iterator[Sheet]:
        return iter(self._files.values())

    def __len__(self) -> int:
        return len(self._files)

    def add(self, sheet: Sheet) -> bool:
        """Takes it in; False where it is there already."""
        key = (sheet.path, frozenset(sheet.query))
        if key in self._files:
            return False
        self._files[key] = sheet
        return True

    def file(self, path: str, query: Query = ()) -> str:
        """The file in which the page of an address lies, or the one that says that it was not copied."""
        found = self._files.get((path, frozenset(query)))
        return found.file if found is not None else NOT_COPIED

    def has(self, path: str) -> bool:
        """Whether a page was copied, as it is if nothing is asked for."""
        return (path, frozenset()) in self._files

    @property
    def titled(self) -> Iterator[Sheet]:
        """Those that the copy's own list names."""
        return (sheet for sheet in self if sheet.title)


def file_name(text: str) -> str:
    """What may be called so in any file system: the text itself, else something that is as long for all."""
    return text if _SAFE.fullmatch(text) and not text.endswith(".") else sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
