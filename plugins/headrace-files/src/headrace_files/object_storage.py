"""An object store of fsspec in use as a storage.

An upload is seen when it is finished and not before, and can be given up, so nothing has to be moved; a small value goes with one request. There are
no folders: whatever has a prefix is listed at once, and what is not there is deleted as well as what is.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain
from typing import Any, BinaryIO

from headrace.errors import NotStored, StorageUnusable
from headrace.ports.storage import Written, checked_key
from headrace_files.fsspec_storage import FsspecStorage
from headrace_files.keys import copied

READ_BYTES = 8 * 1024 * 1024
"""How much of an object is asked for at once: of one whose size is not known, to begin with, and of a large one again and again; with what was asked for
ahead, twice as much is in memory."""

BUFFERED_BYTES = 1024 * 1024
"""How much is taken of that at once by who reads a little."""

HASHED_ASIDE = 256 * 1024
"""From this size on, a value is hashed while it is on its way."""

WRITE_BYTES = 16 * 1024 * 1024
"""How large a part of an upload is, and so how large an object is that goes in one piece. S3 takes 10,000 parts, which are 160 GB then."""


class ObjectStorage(FsspecStorage):
    """Keeps each value in an object under `root`, a bucket with or without a prefix."""

    def open(self, key: str) -> BinaryIO:
        path = self._place(key)
        try:
            start = self._start(path)
            return io.BytesIO(start) if len(start) < READ_BYTES else self._opened(path)
        except (FileNotFoundError, IsADirectoryError):
            raise NotStored(storage=self._where, key=key) from None

    def _start(self, path: str) -> bytes:
        """The first bytes, which are all of a small object: that takes one question in place of two."""
        with self._told():
            try:
                return bytes(self._files.cat_file(path, start=0, end=READ_BYTES))
            except FileNotFoundError:
                raise
            except Exception as error:  # an empty object has no first byte, and servers say so in many ways
                if self._understood(error):
                    raise
                details = self._files.info(path)
                if details["type"] == "directory":
                    raise FileNotFoundError(path) from None
                if details["size"]:
                    raise
                return b""

    def _opened(self, path: str) -> BinaryIO:
        with self._told():
            file = self._files.open(path, "rb", block_size=READ_BYTES)
        return io.BufferedReader(_Pieces(file, self._told), BUFFERED_BYTES)

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        path, pieces = self._place(key), iter(chunks)
        start = _start_of(pieces)
        if sum(map(len, start)) >= WRITE_BYTES:
            return self._streamed(key, path, chain(start, pieces))
        value = b"".join(start)
        with _hashed(value) as written:
            with self._told(key):
                self._files.pipe_file(path, value)
            return written()

    def _streamed(self, key: str, path: str, chunks: Iterable[bytes]) -> Written:
        """Writes in parts what is too large for one piece."""
        with self._told(key):
            file = self._files.open(path, "wb", block_size=WRITE_BYTES)
        try:
            written = self._copied(key, chunks, file)
        except BaseException:
            with suppress(Exception):
                file.discard()
            file.closed = True  # else it would be finished when it is collected
            raise
        with self._told(key):
            file.close()
        return written

    def delete(self, key: str) -> None:
        path = self._place(key)
        try:
            with suppress(FileNotFoundError), self._told():
                self._files.rm_file(path)
        except StorageUnusable:  # some servers fail where there is nothing to delete
            if self.exists(key):
                raise

    def keys(self, prefix: str = "") -> Iterator[str]:
        if prefix:
            checked_key(prefix.removesuffix("/"))
        return self._keys(prefix)

    def _keys(self, prefix: str) -> Iterator[str]:
        root, folder = f"{self._root}/", prefix.rpartition("/")[0]
        try:
            with self._told():
                found = self._files.find(f"{root}{folder}".rstrip("/"))
        except FileNotFoundError:
            return
        names = (name.removeprefix(root) for name in found if name.startswith(root))
        yield from sorted(name for name in names if name.startswith(prefix) and not name.endswith("/"))


def _start_of(chunks: Iterator[bytes]) -> list[bytes]:
    """The first chunks: all of them, where they fit into one piece."""
    start, size = [], 0
    for chunk in chunks:
        start.append(chunk)
        size += len(chunk)
        if size >= WRITE_BYTES:
            break
    return start


@contextmanager
def _hashed(value: bytes) -> Iterator[Callable[[], Written]]:
    """What tells the size and the hash of a value; a large one is hashed meanwhile."""
    if len(value) < HASHED_ASIDE:
        yield lambda: copied([value], len)
        return
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(copied, [value], len).result


class _Pieces(io.RawIOBase):
    """A large object, read piece by piece; what its library raises meanwhile is told as from everywhere else."""

    def __init__(self, file: Any, told: Callable[[], AbstractContextManager[None]]) -> None:
        self._file = file
        self._told = told

    def readable(self) -> bool:
        return True

    def readall(self) -> bytes:
        """The rest, in large pieces; the inherited one takes 8 KB at a time."""
        pieces: list[bytes] = []
        while True:
            with self._told():
                piece = self._file.read(READ_BYTES)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)

    def readinto(self, buffer: Any) -> int:
        with self._told():
            piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()
