"""The reference secrets: an environment variable (`secret://env/NAME`), or a file (`secret://file/run/secrets/token`)."""

import os
from pathlib import Path

from headrace.errors import SecretUnresolved

VARIABLE, FILE = "secret://env/", "secret://file/"
MOST_BYTES = 65_536


def found(reference: str) -> str | None:
    """The value; None for a reference of another kind. Raises SecretUnresolved."""
    if reference.startswith(VARIABLE):
        return _variable(reference)
    if reference.startswith(FILE):
        return _content(reference)
    return None


def _variable(reference: str) -> str:
    name = reference.removeprefix(VARIABLE)
    if not name or "=" in name or "\0" in name:
        raise SecretUnresolved(reference=reference, why="what follows secret://env/ must be the name of an environment variable")
    value = os.environ.get(name)
    if value is None:
        raise SecretUnresolved(reference=reference, why=f"the environment variable {name} is not set here")
    return value


def _content(reference: str) -> str:
    """The file's text, without the line end that editors put there."""
    path = _path(reference)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SecretUnresolved(reference=reference, why=f"the file {path} cannot be read: {_why(error)}") from None
    if len(content) > MOST_BYTES:
        raise SecretUnresolved(reference=reference, why=f"the file {path} is longer than {MOST_BYTES} bytes")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretUnresolved(reference=reference, why=f"the file {path} is no text in UTF-8") from None


def _path(reference: str) -> Path:
    """What follows is a path from the root, or from home if it begins with ~."""
    written = reference.removeprefix(FILE).lstrip("/")
    if not written:
        raise SecretUnresolved(reference=reference, why="what follows secret://file must be a path, as in secret://file/run/secrets/token")
    try:
        return Path(written).expanduser() if written.startswith("~") else Path("/", written)
    except RuntimeError:
        raise SecretUnresolved(reference=reference, why="nobody knows where that home is") from None


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
