"""A file server in use as a storage.

A value is gathered in a temporary file of this machine, goes over in one piece, beside its place, and is given its name there: who reads sees the old
or the new. There is one connection, which one thread at a time uses; one that is lost is made anew when it is needed next, so that a storage that is
open for hours outlives the patience of a server, and its restart.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeVar

from headrace.errors import HeadraceError, NotStored, StorageAway, StorageUnusable, WrongKey
from headrace.ports.storage import Written
from headrace_files.addresses import without
from headrace_files.fsspec_storage import Trouble, Understood
from headrace_files.keys import TAKEN, copied, right_key, sorted_keys, unfinished
from headrace_files.line import Line

T = TypeVar("T")
IN_MEMORY_BYTES = 8_000_000
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class ServerStorage:
    """Keeps each value in a file under `root` of a server; `connect` makes a connection, `understood` reads its errors, `where` names the place in them.

    What is `hidden` is not shown in them either: libraries repeat what they were given.
    """

    def __init__(self, connect: Callable[[], Line], root: str, *, where: str, understood: Understood, hidden: Mapping[str, Any]) -> None:
        self._connect = connect
        self._root = root.rstrip("/")
        self._where = where
        self._understood = understood
        self._hidden = hidden
        self._turn = threading.RLock()
        self._line: Line | None = None

    def open(self, key: str) -> BinaryIO:
        path = self._place(key)
        content: BinaryIO = _spool()
        try:
            self._asked(lambda line: _fetched(line, path, content))
        except _ABSENT:
            content.close()
            raise NotStored(storage=self._where, key=key) from None
        except BaseException:
            content.close()
            raise
        content.seek(0)
        return content

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        path = self._place(key)
        with _spool() as gathered:

            def gather(chunk: bytes) -> None:
                try:
                    gathered.write(chunk)
                except OSError as error:
                    why = f"its values are gathered in a temporary file of this machine, which cannot be written: {error}"
                    raise self._unusable(Trouble(why=why, passes=True)) from error

            written = copied(chunks, gather)
            try:
                self._asked(lambda line: self._sent(line, gathered, path))
            except StorageAway:
                raise
            except (StorageUnusable, *_ABSENT) as error:
                if self._is_taken(key):
                    raise WrongKey(key=key, why=TAKEN) from error
                if isinstance(error, StorageUnusable):
                    raise
                why = f"the server takes nothing there; see to the folder, and to the rights of this user ({error})"
                raise self._unusable(Trouble(why=why)) from error
        return written

    def exists(self, key: str) -> bool:
        path = self._place(key)
        try:
            return self._asked(lambda line: line.is_file(path))
        except _ABSENT:
            return False

    def delete(self, key: str) -> None:
        path = self._place(key)
        with suppress(*_ABSENT):
            self._asked(lambda line: line.remove(path) if line.is_file(path) else None)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return sorted_keys(self._names, prefix)

    def reach(self) -> None:
        """Connects now. Raises StorageUnusable."""
        self._asked(lambda line: None)

    def leave(self) -> None:
        """Ends the connection, if there is one."""
        with self._turn:
            line, self._line = self._line, None
            if line is not None:
                line.leave()

    def _place(self, key: str) -> str:
        if "\n" in key or "\r" in key:
            raise WrongKey(key=key, why="on a file server a name is one line")
        return f"{self._root}/{right_key(key)}"

    def _names(self, folder: str) -> list[str]:
        path = f"{self._root}/{folder}".rstrip("/")
        try:
            return list(self._asked(lambda line: line.names(path)))
        except _ABSENT:
            return []

    def _sent(self, line: Line, gathered: BinaryIO, path: str) -> None:
        folder, beside = path.rpartition("/")[0], unfinished(path)
        line.make_folder(folder)
        gathered.seek(0)
        try:
            line.send(gathered, beside)
            if line.is_folder(path):  # some servers would put the value in its place, and lose all that is in it
                raise IsADirectoryError(path)
            line.rename(beside, path)
        except Exception as error:
            if not self._is_lost(error):
                with suppress(Exception):
                    line.remove(beside)
            raise

    def _is_taken(self, key: str) -> bool:
        """Whether a part of the key is the key of a value, or all of it a folder."""
        parts = key.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        try:
            return any(self.exists(each) for each in above) or f"{parts[-1]}/" in self._names("/".join([*parts[:-1], ""]))
        except StorageUnusable:
            return False

    def _asked(self, step: Callable[[Line], T]) -> T:
        """What a step gives. One that finds the connection lost is done once more, on a new one. What is not there is for the caller to judge."""
        with self._turn:
            for is_new in (self._line is None, True):
                try:
                    if self._line is None:
                        self._line = self._connect()
                    return step(self._line)
                except (HeadraceError, *_ABSENT):
                    raise
                except BaseException as error:
                    self.leave()  # nobody knows where in a conversation it was
                    if not isinstance(error, Exception):
                        raise
                    if is_new or isinstance(error, TimeoutError) or not self._is_lost(error):
                        trouble = self._understood(error) or Trouble(why=f"{type(error).__name__}: {error}")
                        raise self._unusable(trouble) from error
        raise AssertionError("a step is done, or tells why not")

    def _is_lost(self, error: Exception) -> bool:
        trouble = self._understood(error)
        return trouble is not None and trouble.is_lost

    def _unusable(self, trouble: Trouble) -> StorageUnusable:
        return (StorageAway if trouble.passes else StorageUnusable)(where=self._where, why=without(trouble.why, self._hidden))


def _fetched(line: Line, path: str, content: BinaryIO) -> None:
    content.seek(0)
    content.truncate()
    line.fetch(path, content)


def _spool() -> Any:
    """A file of this machine: in memory, or on its disk if it is big."""
    return SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)
