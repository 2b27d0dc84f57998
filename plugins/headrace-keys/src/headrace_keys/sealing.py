"""Sealing: a secret becomes a reference that holds it in a form which only the key opens."""

from pathlib import Path

from cryptography.fernet import InvalidToken

from headrace.errors import KeysUnusable, SecretUnresolved
from headrace.hooks.secrets import SEALED, shown_reference
from headrace_keys.sealing_keys import file_of, first_key, known_keys

ANEW = "write the secret anew with `headrace storage update NAME`"


def sealed(secret: str, folder: Path) -> str:
    """The reference: the id of the key, and what it made of the secret. Raises KeysUnusable."""
    key = first_key(folder)
    return f"{SEALED}{key.id}/{key.fernet.encrypt(secret.encode()).decode()}"


def opened(reference: str, folder: Path) -> str:
    """The secret. Raises SecretUnresolved, which tells of the reference no more than which key it needs."""
    key_id, _, text = reference.removeprefix(SEALED).partition("/")
    shown = shown_reference(reference)
    try:
        keys = {key.id: key for key in known_keys(folder)}
    except KeysUnusable as error:
        raise SecretUnresolved(reference=shown, why=str(error)) from None
    if key_id not in keys:
        why = f"the key {key_id!r} that it was sealed with is not in the file {file_of(folder)}; restore that file, or {ANEW}"
        raise SecretUnresolved(reference=shown, why=why)
    try:
        return keys[key_id].fernet.decrypt(text).decode()
    except (InvalidToken, ValueError):
        raise SecretUnresolved(reference=shown, why=f"what was sealed has been changed or cut since; {ANEW}") from None
