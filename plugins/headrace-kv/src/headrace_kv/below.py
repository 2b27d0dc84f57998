"""A part of a storage: the keys below a prefix, which who uses it does not see."""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, TypeVar

import attrs

from headrace.errors import NotStored, WrongKey
from headrace.ports.storage import OpenStorage, Written, checked_key

T = TypeVar("T")


class Below:
    """The keys of a storage that begin with `prefix/`."""

    def __init__(self, storage: OpenStorage, prefix: str) -> None:
        self._storage = storage
        self._start = f"{prefix}/"

    def open(self, key: str) -> BinaryIO:
        return self._asked(key, self._storage.open)

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        return self._asked(key, lambda place: self._storage.write(place, chunks))

    def exists(self, key: str) -> bool:
        return self._asked(key, self._storage.exists)

    def delete(self, key: str) -> None:
        self._asked(key, self._storage.delete)

    def keys(self, prefix: str = "") -> Iterator[str]:
        if prefix:
            checked_key(prefix.removesuffix("/"))
        return (key.removeprefix(self._start) for key in self._storage.keys(self._start + prefix))

    def _asked(self, key: str, question: Callable[[str], T]) -> T:
        """What there is to a key; errors name it as it was given."""
        place = self._start + checked_key(key)
        try:
            return question(place)
        except (NotStored, WrongKey) as error:
            if error.key != place:
                raise
            raise attrs.evolve(error, key=key) from None
