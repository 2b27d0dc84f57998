"""What keys mean in folders: each is a path, and while its value is being written that lies beside it under another name."""

import os
from collections.abc import Callable, Iterable, Iterator

from headrace.errors import WrongKey
from headrace.ports.storage import Written, checked_key

UNFINISHED = ".writing-"
"""How the names of unfinished values start; no key's last part may start so."""

TAKEN = "a part of it is the key of a value, or it is a folder with keys in it; choose another key"


def right_key(key: str) -> str:
    """The key, if it may be one here; else raises WrongKey."""
    if checked_key(key).rpartition("/")[2].startswith(UNFINISHED):
        raise WrongKey(key=key, why=f"names that start with {UNFINISHED} are for values being written")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise WrongKey(key=key, why="it holds half of a surrogate pair, which no name can hold") from None
    return key


def unfinished(path: str) -> str:
    """A name that nobody else uses, in the folder of the path."""
    return f"{path.rpartition('/')[0]}/{UNFINISHED}{os.urandom(8).hex()}"


def copied(chunks: Iterable[bytes], write: Callable[[bytes], object]) -> Written:
    """Hands on each chunk, and tells how much it was and its hash."""
    from hashlib import sha256  # costs milliseconds that a flow without results need not pay

    size, digest = 0, sha256()
    for chunk in chunks:
        write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return Written(size=size, sha256=digest.hexdigest())


Names = Callable[[str], Iterable[str]]
"""Tells what lies in a folder ("" or "a/b/"); names of folders end in /."""


def sorted_keys(names: Names, prefix: str) -> Iterator[str]:
    """All keys with the prefix, sorted."""
    return (path for path in _paths(names, prefix) if not _is_unfinished(path))


def unfinished_below(names: Names, prefix: str) -> Iterator[str]:
    """Where unfinished values lie whose keys start with the prefix, which ends in /, or is empty."""
    return filter(_is_unfinished, _paths(names, prefix))


def _is_unfinished(path: str) -> bool:
    return path.rpartition("/")[2].startswith(UNFINISHED)


def _paths(names: Names, prefix: str) -> Iterator[str]:
    if prefix:
        checked_key(prefix.removesuffix("/"))
    return _below(names, prefix, "")


def _below(names: Names, prefix: str, folder: str) -> Iterator[str]:
    # names of folders are sorted with their / so that what they hold falls into its place between the other keys
    for name in sorted(names(folder)):
        key = folder + name
        if key.endswith("/"):
            if key.startswith(prefix) or prefix.startswith(key):
                yield from _below(names, prefix, key)
        elif key.startswith(prefix):
            yield key
