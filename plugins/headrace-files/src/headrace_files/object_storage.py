"""An object store of fsspec in use as a storage.

An upload is seen when it is finished and not before, and can be given up, so nothing has to be moved; a small value goes with one request. There are
no folders: whatever has a prefix is listed at once, and what is not there is deleted as well as what is.
"""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from itertools import chain
from typing import Any, BinaryIO

from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]

from headrace.errors import NotStored, StorageUnusable
from headrace.ports.storage import Written, checked_key
from headrace_files.fsspec_storage import FsspecStorage, Understood, plainly
from headrace_files.keys import copied
from headrace_files.uploads import FileUploads, Part, Upload, Uploads, parts_of

READ_BYTES = 8 * 1024 * 1024
"""How much of an object is asked for at once: of one whose size is not known, to begin with, and of a large one again and again; with what was asked for
ahead, twice as much is in memory."""

BUFFERED_BYTES = 1024 * 1024
"""How much is taken of that at once by who reads a little."""

HASHED_ASIDE = 256 * 1024
"""From this size on, a value is hashed while it is on its way."""


class ObjectStorage(FsspecStorage):
    """Keeps each value in an object under `root`, a bucket with or without a prefix; large ones arrive by way of `uploads`."""

    def __init__(
        self, files: AbstractFileSystem, root: str, *, where: str, understood: Understood = plainly, uploads: Uploads | None = None
    ) -> None:
        super().__init__(files, root, where=where, understood=understood)
        self._uploads = uploads or FileUploads(files)

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
        path, parts = self._place(key), parts_of(chunks, self._uploads.part_bytes)
        first = next(parts)
        return self._whole(key, path, first.content) if first.is_last else self._in_parts(key, path, chain([first], parts))

    def _whole(self, key: str, path: str, value: bytes) -> Written:
        with _hashed(value) as written:
            with self._told(key):
                self._files.pipe_file(path, value)
            return written()

    def _in_parts(self, key: str, path: str, parts: Iterable[Part]) -> Written:
        with self._told(key):
            upload = self._uploads.begin(path)
        try:
            return self._sent(key, upload, parts)
        except BaseException:
            with suppress(Exception):
                upload.give_up()
            raise

    def _sent(self, key: str, upload: Upload, parts: Iterable[Part]) -> Written:
        """Sends the parts; while some are on their way, the next one is gathered and hashed."""

        def send(part: Part) -> None:
            with self._told(key):
                upload.send(part)

        size, digest = 0, sha256()
        under_way = deque[Future[None]]()
        with ThreadPoolExecutor(self._uploads.at_once) as aside:
            for part in parts:
                if len(under_way) == self._uploads.at_once:
                    under_way.popleft().result()
                under_way.append(aside.submit(send, part))
                digest.update(part.content)
                size += len(part.content)
            for each in under_way:
                each.result()
        with self._told(key):
            upload.finish()
        return Written(size=size, sha256=digest.hexdigest())

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
        """The rest with one question, since who asks has room for it; putting pieces together takes as long as they took to come."""
        start, end = self._file.tell(), self._file.size
        if start >= end:
            return b""
        with self._told():
            rest = bytes(self._file._fetch_range(start, end))
        self._file.seek(end)
        return rest

    def readinto(self, buffer: Any) -> int:
        with self._told():
            piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()
