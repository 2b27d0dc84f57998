"""What is hidden where options are shown: secrets, written out or called so."""

from collections.abc import Mapping
from typing import Any

from headrace.errors import HeadraceError
from headrace.hooks.registry import Registry
from headrace.hooks.secrets import is_reference, names_secret, secret_options, shown_reference
from headrace.model.choices import Choice
from headrace.settings import HIDDEN
from headrace.wire.plain import to_plain


def shown_options(port: str, choice: Choice, registry: Registry) -> dict[str, Any]:
    """The options of a choice as anybody may see them."""
    try:
        secret = secret_options(registry.load(port, choice.name))
    except HeadraceError:  # what is not installed here, nobody here knows
        secret = frozenset()
    plain: dict[str, Any] = to_plain(choice.options)
    return {name: _hidden(value, is_secret=name in secret or names_secret(name)) for name, value in plain.items() if value is not None}


def _hidden(value: Any, *, is_secret: bool) -> Any:
    if isinstance(value, Mapping):
        named = {key for key in value if names_secret(str(key))}
        return {key: _hidden(held, is_secret=key in named or (is_secret and not named)) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hidden(held, is_secret=is_secret) for held in value]
    if is_reference(value):
        return shown_reference(value)
    return HIDDEN if is_secret and value not in (None, "") else value
