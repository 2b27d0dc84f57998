"""What headrace-keys offers."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.hooks import Provider, hookimpl
from headrace.hooks.secrets import SEALED

if TYPE_CHECKING:
    from headrace.model.deployments import Signature


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("keys", "headrace_keys.command:keys", "Make and look after keys: they seal secrets, and sign what is run")


@hookimpl
def headrace_seal(secret: str, keys: Path | None) -> str:
    from headrace_keys.folders import folder_of  # who needs no keys does without
    from headrace_keys.sealing import sealed

    return sealed(secret, folder_of(keys))


@hookimpl
def headrace_secret(reference: str, keys: Path | None) -> str | None:
    if not reference.startswith(SEALED):
        return None
    from headrace_keys.folders import folder_of
    from headrace_keys.sealing import opened

    return opened(reference, folder_of(keys))


@hookimpl
def headrace_sign(statement: bytes, key: str, keys: Path | None) -> "Signature":
    from headrace_keys.folders import folder_of
    from headrace_keys.signing import signed

    return signed(statement, key, folder_of(keys))


@hookimpl
def headrace_verify(statement: bytes, signature: "Signature", keys: Path | None) -> str | None:
    from headrace_keys.folders import folder_of
    from headrace_keys.signing import signer

    return signer(statement, signature, folder_of(keys))
