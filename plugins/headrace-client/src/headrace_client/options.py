"""What may be said of a server that is asked: validators of options, which name who takes them."""

from collections.abc import Callable
from typing import Any

import attrs

from headrace.errors import InvalidOption
from headrace.settings import ADDRESS, HIDDEN

Check = Callable[[object, "attrs.Attribute[Any]", Any], None]


def is_address(where: str) -> Check:
    """An address of a server, without a user or a query."""

    def check(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
        if not ADDRESS.read(value):
            raise InvalidOption(where=where, option=field.name, value=value, why=f"it must be {ADDRESS.accepts}")

    return check


def is_token(where: str) -> Check:
    """What can be sent as a token; it is not shown."""

    def check(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
            why = "a token is one word of letters, digits and signs of ASCII"
            raise InvalidOption(where=where, option=field.name, value=HIDDEN, why=why)

    return check


def is_seconds(where: str) -> Check:
    """A time that one may wait."""

    def check(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 86_400:
            raise InvalidOption(
                where=where, option=field.name, value=value, why="it must be a number of seconds above 0, and a day at most"
            )

    return check
