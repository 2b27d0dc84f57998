"""Storages: those that have a name, and the types of which one can be made."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from headrace.model.storages import NamedStorage, name_in
from headrace.storing.fields import named_types
from headrace_dashboard.storage_form import shown
from headrace_dashboard.view import View


class StoragesPage(View):
    """All of them, by name."""

    template = "storages.html"
    title = "Storage"
    section = "storages"
    at = "storages"
    live = ("storage.",)

    @cached_property
    def storages(self) -> Sequence[NamedStorage]:
        return self.client.read_storages()

    def options(self, storage: NamedStorage) -> str:
        """Those of a storage on one line, without secrets."""
        return ", ".join(f"{name}={shown(value)}".replace("\n", " ") for name, value in storage.choice.options.items())

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The types that can be given a name, each with its line."""
        return named_types(self.house.registry)

    @cached_property
    def usual(self) -> str:
        """Where code and results go that come from where the server is, if nothing else is said: the name of a storage, or its type."""
        choice = self.house.places.usual().storage
        return (name_in(choice) or choice.name) if choice is not None else ""
