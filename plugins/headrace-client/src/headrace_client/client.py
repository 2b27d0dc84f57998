"""The client that asks the web API of a server."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, cast

import attrs

import headrace
from headrace.clock import SystemClock
from headrace.errors import InvalidOption
from headrace.ports.client import OpenClient
from headrace.settings import ADDRESS
from headrace_client.connection import Connection
from headrace_client.open_client import OpenHttpClient

WHERE = "client 'http'"


def _is_address(_: object, field: "attrs.Attribute[str]", value: Any) -> None:
    if not ADDRESS.read(value):
        raise InvalidOption(where=WHERE, option=field.name, value=value, why=f"it must be {ADDRESS.accepts}")


def _is_token(_: object, field: "attrs.Attribute[str]", value: Any) -> None:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        why = "a token is one word of letters, digits and signs of ASCII"
        raise InvalidOption(where=WHERE, option=field.name, value="***", why=why)


def _is_seconds(_: object, field: "attrs.Attribute[float]", value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 86_400:
        raise InvalidOption(where=WHERE, option=field.name, value=value, why="it must be a number of seconds above 0, and a day at most")


@attrs.frozen(kw_only=True)
class HttpClient:
    """Asks the orchestration of another machine, or of another process, over HTTP."""

    url: str = attrs.field(validator=_is_address, metadata={"meaning": "the address of the web API, as http://127.0.0.1:4200/api"})
    token: str = attrs.field(
        default="", validator=_is_token, repr=False, metadata={"meaning": "the token that says who asks; empty: none", "secret": True}
    )
    connect_seconds: float = attrs.field(
        default=5.0, validator=_is_seconds, metadata={"meaning": "how long it may take until there is a connection"}
    )
    read_seconds: float = attrs.field(
        default=30.0, validator=_is_seconds, metadata={"meaning": "how long an answer may take that is not waited for on purpose"}
    )

    def connection(self) -> Connection:
        """A connection to the server, which says who asks."""
        headers = {"User-Agent": f"headrace/{headrace.__version__}"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        return Connection(self.url.rstrip("/"), headers, connect_seconds=self.connect_seconds)

    @contextmanager
    def open(self) -> Iterator[OpenClient]:
        with closing(self.connection()) as connection:
            # the port's methods come from its table when they are asked for, which no type checker sees
            yield cast(OpenClient, OpenHttpClient(connection, clock=SystemClock(), read_seconds=self.read_seconds))
