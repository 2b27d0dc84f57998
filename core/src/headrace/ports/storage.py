"""The port of storages: where flow code and results are kept, as bytes under keys."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import BinaryIO, Protocol, runtime_checkable

import attrs

from headrace.errors import InvalidOption, WrongKey


@attrs.frozen(kw_only=True)
class Written:
    """What was written: size in bytes, and sha256 as 64 hexadecimal digits."""

    size: int
    sha256: str


class OpenStorage(Protocol):
    """A storage in use. Keys are relative and posix-like (`results/ab12`); any number of threads may use it at once.

    Every method refuses a wrong key at once, and may raise StorageUnusable, or StorageAway for what may pass by itself; a storage may refuse, as a
    WrongKey, one that is a folder of others.
    """

    def open(self, key: str) -> BinaryIO:
        """What is stored under the key, to be read from the start and closed by the reader. Raises NotStored."""
        ...

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        """Keeps the bytes under the key, in place of what was there.

        A reader sees the old or the new, never a part; if it is interrupted, or `chunks` raises, the old stays.
        """
        ...

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Forgets the key; one that is not there is no error."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that starts with the prefix, sorted."""
        ...


@runtime_checkable
class Tidies(Protocol):
    """An addition, for an open storage in which something is left of a value whose writer was killed."""

    def tidy(self, prefix: str, before: datetime, *, is_plan: bool = False) -> list[str]:
        """Removes what is left of such values under keys that start with the prefix, and that nobody has written to since; answers with where it lay, below
        the storage's place. A plan only looks."""
        ...


class Storage(Protocol):
    """A storage as a value: its fields are its options.

    `outlives_process`: another process on this machine reads what was written. `reaches_others`: so does another machine.
    """

    @property
    def outlives_process(self) -> bool: ...

    @property
    def reaches_others(self) -> bool: ...

    def open(self) -> AbstractContextManager[OpenStorage]: ...


def checked_key(key: str) -> str:
    """The key, if it may be one. Raises WrongKey for an empty, absolute or climbing one, which could leave the storage's place."""
    if not key or key.endswith("/"):
        raise WrongKey(key=key, why="it must name something")
    if "\\" in key or "\0" in key:
        raise WrongKey(key=key, why="its parts are parted by / and hold no \\ or NUL")
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise WrongKey(key=key, why="it must be relative, without empty parts, . or ..")
    return key


def key_prefix(written: str | None) -> str:
    """A prefix of keys without / at its ends; a converter, for storages that share a place with others. Raises InvalidOption."""
    prefix = (written or "").strip("/")
    try:
        return checked_key(prefix) if prefix else ""
    except WrongKey as error:
        raise InvalidOption(where="storage", option="prefix", value=written, why=error.why) from None
