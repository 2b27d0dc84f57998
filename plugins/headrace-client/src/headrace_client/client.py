"""The client that asks the web API of a server."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import cast

import attrs

from headrace.clock import SystemClock
from headrace.ports.client import OpenClient
from headrace_client.connection import Connection, headers_with
from headrace_client.open_client import OpenHttpClient
from headrace_client.options import is_address, is_seconds, is_token

WHERE = "client 'http'"


@attrs.frozen(kw_only=True)
class HttpClient:
    """Asks the orchestration of another machine, or of another process, over HTTP."""

    url: str = attrs.field(validator=is_address(WHERE), metadata={"meaning": "the address of the web API, as http://127.0.0.1:4200/api"})
    token: str = attrs.field(
        default="", validator=is_token(WHERE), repr=False, metadata={"meaning": "the token that says who asks; empty: none", "secret": True}
    )
    connect_seconds: float = attrs.field(
        default=5.0, validator=is_seconds(WHERE), metadata={"meaning": "how long it may take until there is a connection"}
    )
    read_seconds: float = attrs.field(
        default=30.0, validator=is_seconds(WHERE), metadata={"meaning": "how long an answer may take that is not waited for on purpose"}
    )

    def connection(self) -> Connection:
        """A connection to the server, which says who asks."""
        return Connection(self.url.rstrip("/"), headers_with(self.token), connect_seconds=self.connect_seconds)

    @contextmanager
    def open(self) -> Iterator[OpenClient]:
        with closing(self.connection()) as connection:
            # the port's methods come from its table when they are asked for, which no type checker sees
            yield cast(OpenClient, OpenHttpClient(connection, clock=SystemClock(), read_seconds=self.read_seconds))
