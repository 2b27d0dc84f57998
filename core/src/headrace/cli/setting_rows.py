"""Settings as `config view` and `profile inspect` show them."""

from collections.abc import Iterable
from typing import Any

from headrace.cli import show
from headrace.settings import HIDDEN, SETTINGS, Settings, variable

_COLOURS = {"profile": "cyan", "active": "cyan", "environment": "yellow", "flag": "yellow"}


def setting_row(settings: Settings, name: str) -> dict[str, Any]:
    """A setting as JSON has it; a secret is nowhere in it."""
    field, origin = SETTINGS[name], settings.origin(name)
    is_secret = field.metadata["secret"]
    return {
        "name": name,
        "variable": variable(name),
        "value": HIDDEN if is_secret else getattr(settings, name),
        "default": HIDDEN if is_secret else field.default,
        "layer": origin.layer,
        "origin": str(origin),
        "is_secret": is_secret,
        "meaning": field.metadata["meaning"],
    }


def show_settings(settings: Settings, names: Iterable[str], *, as_json: bool, empty: str = "nothing is set") -> None:
    """A row for each, with the layer that its value comes from."""
    if as_json:
        show.json([setting_row(settings, name) for name in names])
        return
    rows = [(name, settings.shown(name), show.Painted(str(settings.origin(name)), _colour(settings, name))) for name in names]
    show.table(("setting", "value", "from"), rows, empty=empty)


def _colour(settings: Settings, name: str) -> str | None:
    return _COLOURS.get(settings.origin(name).layer)
