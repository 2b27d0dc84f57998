"""Addresses of storages: of buckets and of servers; and how they are shown, which is without passwords."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from headrace.errors import InvalidOption
from headrace.settings import HIDDEN

_PASSWORD = re.compile(r"(://[^/@:]*:)[^/]*@")


def bucket_name(storage: str) -> Callable[[object, "attrs.Attribute[str]", str], None]:
    """A validator; it refuses what would be a bucket and something in it."""

    def check(_: object, field: "attrs.Attribute[str]", name: str) -> None:
        if not isinstance(name, str) or not name or name.strip() != name or set(name) & set("/\\:?#@ \0"):
            why = f"it must be the name of a {field.name} alone; what lies in it is the prefix"
            raise InvalidOption(where=f"storage {storage!r}", option=field.name, value=name, why=why)

    return check


def endpoint(storage: str) -> Callable[[object, "attrs.Attribute[str | None]", str | None], None]:
    """A validator of an address of a server."""

    def check(_: object, field: "attrs.Attribute[str | None]", url: str | None) -> None:
        if url is None:
            return
        why = _fault(url)
        if why:
            raise InvalidOption(where=f"storage {storage!r}", option=field.name, value=without_password(url), why=why)

    return check


def _fault(url: Any) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except (ValueError, TypeError, AttributeError):
        return "it must be an address, as in https://storage.example.org"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "it must be an address, as in https://storage.example.org"
    return "it must hold no user and no password; they have options of their own" if parts.username or parts.password else ""


def without_password(url: Any) -> Any:
    """An address as it may be shown."""
    return _PASSWORD.sub(rf"\1{HIDDEN}@", url) if isinstance(url, str) else url


def said_address(scheme: str, root: str, endpoint_url: str | None) -> str:
    """How a place is named in errors."""
    return f"{scheme}://{root.rstrip('/')}" + (f" at {endpoint_url}" if endpoint_url else "")


def without(text: str, options: Mapping[str, Any]) -> str:
    """A text in which no option's text is left, since any of them may be a secret; libraries repeat in their errors what they were given."""
    for value in sorted(_texts(options), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)
