"""Settings of the server: what is set, what it means, and where each value comes from."""

import platform
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import attrs

import headrace
from headrace.errors import HeadraceError
from headrace.instance import run_store_choice
from headrace.settings import DEFAULT_PROFILE, SETTINGS, read_profiles, variable
from headrace_dashboard.view import View


@attrs.frozen
class Row:
    """A setting as it is shown: a secret is nowhere in it."""

    name: str
    variable: str
    value: str
    meaning: str
    layer: str
    origin: str
    is_secret: bool


class SettingsPage(View):
    """All of them."""

    template = "settings.html"
    title = "Settings"
    section = "settings"
    at = "settings"

    @cached_property
    def rows(self) -> Sequence[Row]:
        settings = self.house.settings
        return [
            Row(
                name=name,
                variable=variable(name),
                value=settings.shown(name),
                meaning=field.metadata["meaning"],
                layer=settings.origin(name).layer,
                origin=str(settings.origin(name)),
                is_secret=field.metadata["secret"],
            )
            for name, field in SETTINGS.items()
        ]

    @property
    def given(self) -> Sequence[Row]:
        """What somebody has set."""
        return [row for row in self.rows if row.layer != "default" or row.name == "profile"]

    @property
    def defaults(self) -> Sequence[Row]:
        """What nobody has."""
        return [row for row in self.rows if row.layer == "default" and row.name != "profile"]

    @property
    def warnings(self) -> Sequence[str]:
        """What was wrong with them when the server began."""
        return self.house.settings.warnings

    @cached_property
    def profiles(self) -> Sequence[str]:
        """Those of the file, as far as it can be read."""
        try:
            return read_profiles(self.house.settings.profiles_path).names
        except HeadraceError:
            return (DEFAULT_PROFILE,)

    @cached_property
    def facts(self) -> Mapping[str, str | Path]:
        """What the server is, and where it keeps what it keeps."""
        settings, registry = self.house.settings, self.house.registry
        store = run_store_choice(settings, registry)
        return {
            "headrace": headrace.__version__,
            "Python": platform.python_version(),
            "Machine": f"{platform.node()}, {platform.platform()}",
            "Home": settings.home,
            "Profile": settings.profile,
            "Profiles": ", ".join(self.profiles),
            "File of profiles": settings.profiles_path,
            "Run store": store.name,
            **{f"{store.name} {name}": str(value) for name, value in store.options.items() if name == "path"},
            **self._sqlite(store.name),
        }

    def _sqlite(self, store: str) -> Mapping[str, str]:
        if store != "sqlite":
            return {}
        import sqlite3  # only where it is used anyway

        return {"SQLite": sqlite3.sqlite_version}

    @cached_property
    def dists(self) -> Mapping[str, str]:
        """What is installed, with its version."""
        return dict(sorted({row.dist: row.version for row in self.house.registry.rows()}.items()))
