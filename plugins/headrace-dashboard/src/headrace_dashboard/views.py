"""Saved views: what was asked for on a page, under a name, for everybody who looks at this orchestration."""

import json

import attrs

from headrace.model.names import checked_name
from headrace.ports.run_store import OpenRunStore

MARK = "dashboard views"
LONGEST_QUERY = 4_000


@attrs.frozen
class SavedView:
    """A name, and the query of the list of flow runs."""

    name: str
    query: str


class Views:
    """Those of a store."""

    def __init__(self, store: OpenRunStore) -> None:
        self._store = store

    def all(self) -> list[SavedView]:
        """By name."""
        with self._store.reading() as reading:
            return _read(reading.mark(MARK))

    def save(self, name: str, query: str) -> None:
        """Keeps it; another one of that name is replaced. Raises InvalidName."""
        kept = SavedView(checked_name("view", name), query[:LONGEST_QUERY])
        with self._store.writing() as writing:
            known = {view.name: view for view in _read(writing.mark(MARK))} | {name: kept}
            writing.put_mark(MARK, json.dumps([[view.name, view.query] for view in known.values()]))

    def delete(self, name: str) -> None:
        """Forgets it."""
        with self._store.writing() as writing:
            kept = [view for view in _read(writing.mark(MARK)) if view.name != name]
            writing.put_mark(MARK, json.dumps([[view.name, view.query] for view in kept]))


def _read(text: str | None) -> list[SavedView]:
    return sorted((SavedView(name, query) for name, query in json.loads(text or "[]")), key=lambda view: view.name.casefold())
