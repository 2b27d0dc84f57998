"""Secrets: references that may be written down, and the values that they stand for, which may not."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

SCHEME = "secret://"
SEALED = "secret://sealed/"
"""How references begin that hold a secret themselves, sealed: the id of the key follows, and what it made of the secret."""

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


def shown_reference(reference: str) -> str:
    """The reference as it is told to people: of what is sealed, only with which key."""
    if not reference.startswith(SEALED):
        return reference
    return f"{SEALED}{reference.removeprefix(SEALED).partition('/')[0]}/…"


def names_secret(name: str) -> bool:
    """Whether what is called so is probably a secret: DB_PASSWORD, private_key."""
    return name.lower().rpartition("_")[2] in NAMED_SO


def writes_out(value: Any, *, is_secret: bool = True) -> bool:
    """Whether a secret itself is in plain data, and not only where it is found; `is_secret` False: only under names of secrets."""
    if isinstance(value, Mapping):
        return any(writes_out(item, is_secret=is_secret or names_secret(str(name))) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return any(writes_out(item, is_secret=is_secret) for item in value)
    return is_secret and isinstance(value, str) and bool(value) and not is_reference(value)


def secret_options(kind: Any) -> frozenset[str]:
    """Which options of a provider's class are secrets."""
    fields = attrs.fields(kind) if attrs.has(kind) else ()
    return frozenset(field.alias or field.name for field in fields if field.metadata.get("secret"))


def place_options(kind: Any) -> frozenset[str]:
    """Which options of a provider's class say where it is: with others, nothing is found that was written before."""
    fields = attrs.fields(kind) if attrs.has(kind) else ()
    return frozenset(field.alias or field.name for field in fields if field.metadata.get("place"))


def written_secret(kind: Any, options: Mapping[str, Any]) -> str | None:
    """An option of a provider's class that is a secret and is written out, not referred to; None where there is none."""
    for option in sorted(secret_options(kind) & options.keys()):
        value = options[option]
        written = [each for key, each in value.items() if names_secret(str(key))] if isinstance(value, Mapping) else [value]
        if any(each not in (None, "") and not is_reference(each) for each in written):
            return option
    return None


def resolved(value: Any, secret: Callable[[str], Secret]) -> Any:
    """The value with every reference in it replaced, in mappings, lists and tuples too; keys are left as they are."""
    if is_reference(value):
        return secret(value)
    if isinstance(value, Mapping):
        return {key: resolved(item, secret) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(resolved(item, secret) for item in value)
    return value
