"""Secrets: references that may be written down, and the values that they stand for, which may not."""

from collections.abc import Callable, Mapping
from typing import Any

SCHEME = "secret://"


NAMED_SO = frozenset({"secret", "token", "password", "passwd", "passphrase", "key", "credential", "credentials"})
"""The last words of names of what is probably a secret."""


class Secret(str):
    """The value of a secret: text like any other for whoever uses it, and hidden where values are shown for people (`repr`, and what is made of it)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


def is_reference(value: object) -> bool:
    """Whether a value is a reference and no secret itself: the whole text, from its first character on."""
    return isinstance(value, str) and value.startswith(SCHEME)


def names_secret(name: str) -> bool:
    """Whether what is called so is probably a secret: DB_PASSWORD, private_key."""
    return name.lower().rpartition("_")[2] in NAMED_SO


def resolved(value: Any, secret: Callable[[str], Secret]) -> Any:
    """The value with every reference in it replaced, in mappings, lists and tuples too; keys are left as they are."""
    if is_reference(value):
        return secret(value)
    if isinstance(value, Mapping):
        return {key: resolved(item, secret) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(resolved(item, secret) for item in value)
    return value
