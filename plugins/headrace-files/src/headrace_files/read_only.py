"""A storage of which one only reads."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NoReturn

import attrs

from headrace.errors import StorageUnusable
from headrace.ports.storage import OpenStorage, Written, checked_key

_WHY = "it can only be read; put there what it is to have with another tool, or choose another storage to write to"


@attrs.frozen(kw_only=True)
class ReadOnly:
    """Reads from another one, and refuses to change anything; `where` names it in errors."""

    storage: OpenStorage
    where: str

    def open(self, key: str) -> BinaryIO:
        return self.storage.open(key)

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        self._refuse(key)

    def exists(self, key: str) -> bool:
        return self.storage.exists(key)

    def delete(self, key: str) -> None:
        self._refuse(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return self.storage.keys(prefix)

    def _refuse(self, key: str) -> NoReturn:
        checked_key(key)
        raise StorageUnusable(where=self.where, why=_WHY)
