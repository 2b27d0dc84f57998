"""Plugins: what is installed where the server is, what it offers, and what of it cannot be used."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs

from headrace.hooks.plugins import PluginRow, Status
from headrace_dashboard.view import View


@attrs.frozen
class Dist:
    """A distribution, and its offers by port."""

    name: str
    version: str
    offers: Mapping[str, Sequence[PluginRow]]


class PluginsPage(View):
    """All of them, by distribution."""

    template = "plugins.html"
    title = "Plugins"
    section = "plugins"
    at = "plugins"

    @cached_property
    def rows(self) -> Sequence[PluginRow]:
        return self.house.registry.rows()

    @cached_property
    def failed(self) -> Sequence[PluginRow]:
        """What cannot be used."""
        return [row for row in self.rows if row.status is Status.FAILED]

    @cached_property
    def blocked(self) -> Sequence[PluginRow]:
        """What the setting plugins_blocked keeps out."""
        return [row for row in self.rows if row.status is Status.BLOCKED]

    @cached_property
    def dists(self) -> Sequence[Dist]:
        """What can be used."""
        found: dict[tuple[str, str], dict[str, list[PluginRow]]] = {}
        for row in sorted(self.rows, key=lambda row: (row.dist, row.kind, row.name)):
            if row.status is Status.OK:
                found.setdefault((row.dist, row.version), {}).setdefault(row.kind, []).append(row)
        return [Dist(name, version, offers) for (name, version), offers in found.items()]
