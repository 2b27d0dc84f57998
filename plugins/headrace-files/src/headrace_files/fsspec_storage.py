"""A file system of fsspec in use as a storage, whatever it is.

fsspec promises little about writing: most of its files appear when they are closed, closed by an exception too; its transactions are ignored by some
(memory), gather in the server's /tmp for others (sftp). So a value is written beside its place and then moved there, which every file system can do.
Object stores need no move (`ObjectStorage`).

Nor does it promise anything about threads. File systems with an event loop of their own (object stores, http) take calls from any thread; the others
mostly talk over one connection, and two threads on it mix up each other's answers or wait for ever. So these take one step at a time, and what is
read from them is fetched whole before it is handed out.
"""

import io
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import attrs
from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]

from headrace.errors import HeadraceError, NotStored, StorageAway, StorageUnusable, WrongKey
from headrace.ports.storage import Written
from headrace_files.keys import TAKEN, copied, right_key, sorted_keys, unfinished

_TAKEN = (FileExistsError, NotADirectoryError, IsADirectoryError)


@attrs.frozen(kw_only=True)
class Trouble:
    """What is wrong with a storage, in a sentence, whether that may pass by itself, and whether it is the connection that is lost."""

    why: str
    passes: bool = False
    is_lost: bool = False


Understood = Callable[[Exception], Trouble | None]
"""What an error of a protocol's library means; None where it is nothing that the library has words of its own for."""


def plainly(error: Exception) -> Trouble | None:
    """What errors of the system's own kinds mean."""
    passes = isinstance(error, (ConnectionError, TimeoutError))
    return Trouble(why=f"{type(error).__name__}: {error}", passes=passes) if passes else None


class FsspecStorage:
    """Keeps each value in a file under `root` of a live file system; `where` names the place in errors, which `understood` reads."""

    def __init__(self, files: AbstractFileSystem, root: str, *, where: str, understood: Understood = plainly) -> None:
        self._files = files
        self._root = root.rstrip("/")
        self._where = where
        self._understood = understood
        self._turn: AbstractContextManager[Any] = nullcontext() if files.async_impl else threading.RLock()
        self._folders: set[str] = set()

    def open(self, key: str) -> BinaryIO:
        path = self._place(key)
        try:
            with self._told():
                file = self._files.open(path, "rb")
                details = getattr(file, "details", None) or self._files.info(path)
                if details["type"] == "directory":  # some open it, and fail or give nothing when it is read
                    file.close()
                    raise IsADirectoryError(path)
                return cast(BinaryIO, file) if self._files.async_impl else _fetched(file)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotStored(storage=self._where, key=key) from None

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        path = self._place(key)
        beside = unfinished(path)
        with self._told(key):
            self._make_folder(path.rpartition("/")[0])
            file = self._files.open(beside, "wb")
        try:
            written = self._copied(key, chunks, file)
            with self._told(key):
                file.close()
                self._move(beside, path)
        except BaseException:
            with suppress(Exception):
                file.close()
            with suppress(Exception):
                self._files.rm_file(beside)
            raise
        return written

    def exists(self, key: str) -> bool:
        path = self._place(key)
        try:
            with self._told():
                self._files.invalidate_cache()
                # fsspec's own `exists` takes every trouble for a no
                return bool(self._files.info(path)["type"] != "directory")
        except (FileNotFoundError, NotADirectoryError):
            return False

    def delete(self, key: str) -> None:
        path = self._place(key)
        if not self.exists(key):
            return
        with suppress(FileNotFoundError), self._told():
            self._files.rm_file(path)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return sorted_keys(self._names, prefix)

    def _place(self, key: str) -> str:
        return f"{self._root}/{right_key(key)}"

    def _names(self, folder: str) -> list[str]:
        path = f"{self._root}/{folder}".rstrip("/")
        try:
            with self._told():
                self._files.invalidate_cache()
                entries = self._files.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = ((entry["name"].rstrip("/"), entry["type"] == "directory") for entry in entries)
        # some list the folder itself, or a file of that name
        return [name.rpartition("/")[2] + "/" * is_folder for name, is_folder in names if name.strip("/") != path.strip("/")]

    def _copied(self, key: str, chunks: Iterable[bytes], file: Any) -> Written:
        def write(chunk: bytes) -> None:
            with self._told(key):
                file.write(chunk)

        return copied(chunks, write)

    def _make_folder(self, folder: str) -> None:
        if folder in self._folders:
            return
        try:
            self._files.makedirs(folder, exist_ok=True)
        except Exception:
            if not self._files.isdir(folder):  # else somebody else was faster
                raise
        self._folders.add(folder)

    def _move(self, path: str, to: str) -> None:
        if type(self._files).mv is not AbstractFileSystem.mv:
            self._files.mv(path, to)  # a rename
            return
        # the inherited one reads * and ? as patterns
        self._files.cp_file(path, to)
        self._files.rm_file(path)

    @contextmanager
    def _told(self, key: str | None = None) -> Iterator[None]:
        """What a file system refuses, in our words; around our own steps only, since chunks may raise too.

        Every protocol's library has errors of its own. Those that say that nothing is there pass through, for the caller to judge; in writing
        they mean that the key's place is taken.
        """
        try:
            with self._turn:
                yield
        except HeadraceError:
            raise
        except Exception as error:
            trouble = self._understood(error)
            if trouble is None and key is not None and isinstance(error, _TAKEN):
                raise WrongKey(key=key, why=TAKEN) from error
            if trouble is None and key is None and isinstance(error, (*_TAKEN, FileNotFoundError)):
                raise
            raise self._unusable(trouble or Trouble(why=f"{type(error).__name__}: {error}")) from error

    def _unusable(self, trouble: Trouble) -> StorageUnusable:
        return (StorageAway if trouble.passes else StorageUnusable)(where=self._where, why=trouble.why)


def _fetched(file: Any) -> BinaryIO:
    """All of the file: in memory, or in a temporary file if it is big."""
    if isinstance(file, io.BytesIO):  # fsspec's memory gives all readers one file, with one position
        return io.BytesIO(file.getvalue())
    content = SpooledTemporaryFile(max_size=8_000_000)  # noqa: SIM115 - the reader closes it
    try:
        with file:
            shutil.copyfileobj(file, content)
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return cast(BinaryIO, content)
