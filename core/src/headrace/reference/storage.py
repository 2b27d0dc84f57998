"""The reference storage: bytes in this process's memory."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, ClassVar

import attrs

from headrace.errors import NotStored
from headrace.ports.storage import OpenStorage, Written, checked_key


class _Memory:
    """Bytes by key. A value is put in its place whole, by one assignment, so no lock is needed."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def open(self, key: str) -> BinaryIO:
        value = self._values.get(checked_key(key))
        if value is None:
            raise NotStored(storage="memory", key=key)
        return io.BytesIO(value)

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        from hashlib import sha256  # costs milliseconds that a flow without results need not pay

        checked_key(key)
        value = b"".join(chunks)
        self._values[key] = value
        return Written(size=len(value), sha256=sha256(value).hexdigest())

    def exists(self, key: str) -> bool:
        return checked_key(key) in self._values

    def delete(self, key: str) -> None:
        self._values.pop(checked_key(key), None)

    def keys(self, prefix: str = "") -> Iterator[str]:
        if prefix:
            checked_key(prefix.removesuffix("/"))
        return iter(sorted(key for key in tuple(self._values) if key.startswith(prefix)))


@attrs.frozen(kw_only=True)
class MemoryStorage:
    """Keeps bytes in memory. Every `open()` gives an empty one of its own, which is gone when it is closed."""

    outlives_process: ClassVar[bool] = False
    reaches_others: ClassVar[bool] = False

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        yield _Memory()
