"""A folder of this machine in use as a storage.

It needs nothing but the standard library: importing fsspec takes 60 ms, a fifth of what a whole flow script may take, and fsspec neither flushes to the
disk nor renames within one folder. A value is written beside its place, flushed, and renamed: the file system shows the old or the new, never a part,
and after a power cut too.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from headrace.errors import NotStored, StorageAway, StorageUnusable, WrongKey
from headrace.ports.storage import Written
from headrace_files.keys import TAKEN, copied, right_key, sorted_keys, unfinished, unfinished_below

_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE})
"""What somebody may mend while this process goes on."""


class Folder:
    """Keeps each value in a file. The folder is made when something is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, key: str) -> BinaryIO:
        path = self._place(key)
        try:
            return open(path, "rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotStored(storage=f"folder {self._path}", key=key) from None
        except OSError as error:
            raise self._unusable(error) from error

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        path = self._place(key)
        beside = unfinished(path)
        with self._told(key):
            file = _made(beside)

        def write(chunk: bytes) -> None:
            with self._told(key):
                file.write(chunk)

        try:
            written = copied(chunks, write)
            with self._told(key):
                file.flush()
                os.fsync(file.fileno())
                file.close()
                os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                os.unlink(beside)
            raise
        return written

    def exists(self, key: str) -> bool:
        return os.path.isfile(self._place(key))

    def delete(self, key: str) -> None:
        path = self._place(key)
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            if not os.path.isdir(path):  # not every system says it in the same words
                raise self._unusable(error) from error

    def keys(self, prefix: str = "") -> Iterator[str]:
        return sorted_keys(self._names, prefix)

    def tidy(self, prefix: str, before: datetime, *, is_plan: bool = False) -> list[str]:
        """What is being written gets younger with each chunk, so only what nobody writes any more is old."""
        found = [name for name in unfinished_below(self._names, prefix) if self._is_older(name, before)]
        for name in () if is_plan else found:
            try:
                with suppress(FileNotFoundError):
                    os.unlink(self._path / name)
            except OSError as error:
                raise self._unusable(error) from error
        return found

    def _is_older(self, name: str, before: datetime) -> bool:
        try:
            return os.lstat(self._path / name).st_mtime < before.timestamp()
        except FileNotFoundError:  # its writer has ended
            return False
        except OSError as error:
            raise self._unusable(error) from error

    def _place(self, key: str) -> str:
        return f"{self._path}/{right_key(key)}"

    def _names(self, folder: str) -> list[str]:
        try:
            with os.scandir(self._path / folder) as entries:
                return [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from error

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """What the system refuses while it writes, in our words; around our own steps only, since chunks may raise such errors too."""
        try:
            yield
        except OSError as error:
            if isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)) and self._path.is_dir():
                raise WrongKey(key=key, why=TAKEN) from error
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> StorageUnusable:
        kind = StorageAway if error.errno in _PASSING else StorageUnusable
        advice = "; make room and try again" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return kind(where=f"folder {self._path}", why=f"{error.strerror or error}{advice}")


def _made(path: str) -> BinaryIO:
    """A new file; its folder is made where there is none."""
    try:
        return open(path, "xb")
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "xb")
