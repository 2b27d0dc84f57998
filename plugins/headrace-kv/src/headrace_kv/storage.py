"""The storage of a server at an address."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, ClassVar

import attrs

from headrace.errors import ApiRefused, HeadraceError, NotAnApi, NotAuthenticated
from headrace.ports.storage import OpenStorage, key_prefix
from headrace.settings import hide_secrets
from headrace_client.options import is_address, is_token

WHERE = "storage 'kv'"
EXAMPLE = "http://127.0.0.1:4201/api"

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
"""How long an answer may take; a server copies a large value before it gives one."""


def _without_slash(address: Any) -> Any:
    return address.rstrip("/") if isinstance(address, str) else address


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class KVServerStorage:
    """Keeps bytes in a KV server (`headrace kv-server start`), or in the storage of any server of headrace.

    In a container, an address on loopback at which nobody listens there is looked for on the machine around it.
    """

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = True

    api_address: str = attrs.field(
        converter=_without_slash,
        validator=is_address(WHERE),
        metadata={"place": True, "meaning": f"the address of the server, as {EXAMPLE}"},
    )
    prefix: str = attrs.field(
        default="", converter=key_prefix, metadata={"place": True, "meaning": "what all keys there begin with, as in team/flows"}
    )
    token: str | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(is_token(WHERE)),
        metadata={"meaning": "the token that says who asks, where the server wants one", "secret": True},
    )

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        from headrace_client.connection import Connection, headers_with  # who only describes a storage does without HTTP
        from headrace_client.storage import OpenServerStorage
        from headrace_kv.below import Below
        from headrace_kv.containers import reached

        url, names = reached(self.api_address)
        with closing(Connection(url, headers_with(self.token or "") | names, connect_seconds=CONNECT_SECONDS)) as connection:
            opened = OpenServerStorage(connection, read_seconds=READ_SECONDS, words=_words)
            yield Below(opened, self.prefix) if self.prefix else opened


def _words(error: HeadraceError) -> str:
    """What an error of asking means for who chose this storage."""
    from headrace_client.storage import in_words

    if isinstance(error, NotAuthenticated):
        return f"it does not know who is asking: {error.why}; give as token one that it knows"
    is_elsewhere = isinstance(error, NotAnApi) or (isinstance(error, ApiRefused) and error.status in (404, 405))
    if not is_elsewhere:
        return in_words(error)
    said = error.why if isinstance(error, NotAnApi) else in_words(error)
    return f"there is no storage of headrace: {said}; look at api_address, which is like {EXAMPLE}"
