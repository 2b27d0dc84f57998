"""Secrets of storages on their way out and in: over TLS, or within this machine; and who got them is told by who the server knows them to be."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from headrace.errors import NotAllowed
from headrace.hooks.secrets import writes_out
from headrace.model.storages import SEALED
from headrace.ports.client import OpenClient, Operation
from headrace_server.names import is_loopback

OPENS, BRINGS = "open_storage", "put_storage"
CONCERNED = frozenset({OPENS, BRINGS})


def check_way(request: Request, operation: Operation, arguments: Mapping[str, Any], who: str, client: OpenClient) -> None:
    """Raises NotAllowed for secrets that others on the way could read. Who cannot be told to be on this machine is taken to be elsewhere."""
    is_near = request.client is not None and is_loopback(request.client.host)
    if is_near or request.url.scheme == "https":
        return
    if _has_secrets(operation, arguments, client):
        why = "secrets travel over TLS only; give the server a certificate (--ssl-certfile), or refer to secrets where they are used (secret://env/NAME)"
        raise NotAllowed(who=who, what=operation.name, why=why)


def _has_secrets(operation: Operation, arguments: Mapping[str, Any], client: OpenClient) -> bool:
    if operation.name == BRINGS:
        return writes_out(arguments["secrets"])
    return any(SEALED in repr(storage.choice.options) for storage in client.read_storages() if storage.name == arguments["name"])


def told(operation: Operation, arguments: dict[str, Any], who: str) -> dict[str, Any]:
    """The arguments, with who asks as the server knows them before what they say of themselves."""
    return {**arguments, "user": f"{who}, who says: {arguments['user']}"} if operation.name == OPENS else arguments
