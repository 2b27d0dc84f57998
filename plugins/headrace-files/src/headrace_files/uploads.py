"""How object stores take what is too large for one piece: in parts, and some of them at once where a store can do that.

fsspec's own files gather what is written, copy it more than once, and send one part after the other; a protocol whose uploads are better brings them.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Protocol

import attrs
from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]


@attrs.frozen(kw_only=True)
class Part:
    """Bytes of a value: the part's number, from 1, and where it starts. Every part but the last has the same size."""

    number: int
    start: int
    content: bytes
    is_last: bool

    @property
    def end(self) -> int:
        """Where the next part starts."""
        return self.start + len(self.content)


class Upload(Protocol):
    """A value on its way, of which nothing is seen before it is finished."""

    def send(self, part: Part) -> None:
        """Sends a part; `Uploads.at_once` threads do so at once."""
        ...

    def finish(self) -> None:
        """Makes the object of what was sent, which is all of it."""
        ...

    def give_up(self) -> None:
        """Leaves nothing behind of what was sent."""
        ...


class Uploads(Protocol):
    """How an object store takes values in parts, which are `part_bytes` large."""

    @property
    def part_bytes(self) -> int: ...

    @property
    def at_once(self) -> int: ...

    def begin(self, path: str) -> Upload: ...


def parts_of(chunks: Iterable[bytes], size: int) -> Iterator[Part]:
    """The bytes in parts of a size; there is one at least, which may be empty."""
    number, start, held, room = 1, 0, list[memoryview](), size
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            if not room:
                yield Part(number=number, start=start, content=b"".join(held), is_last=False)
                number, start, held, room = number + 1, start + size, [], size
            held.append(rest[:room])
            rest = rest[room:]
            room -= len(held[-1])
    yield Part(number=number, start=start, content=b"".join(held), is_last=True)


@attrs.frozen
class FileUploads:
    """The uploads of any file system of fsspec: by way of a file, to which one part after the other is written."""

    files: AbstractFileSystem
    part_bytes: int = 16 * 1024 * 1024
    at_once: int = 1

    def begin(self, path: str) -> Upload:
        return _FileUpload(self.files.open(path, "wb", block_size=self.part_bytes))


class _FileUpload:
    def __init__(self, file: Any) -> None:
        self._file = file

    def send(self, part: Part) -> None:
        self._file.write(part.content)

    def finish(self) -> None:
        self._file.close()

    def give_up(self) -> None:
        with suppress(Exception):
            self._file.discard()
        self._file.closed = True  # else it would be finished when it is collected
