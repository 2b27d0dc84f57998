"""The reference event sink: a file to which events are added, one line of JSON each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import attrs

from headrace.errors import EventSinkFailed
from headrace.model.events import Event
from headrace.ports.event_sink import OpenEventSink


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))


class _Lines:
    """The open file. Nothing is buffered: a line is written whole, by one call, so that those of several processes do not mix."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def receive(self, event: Event) -> None:
        from headrace.wire.plain import to_text  # cattrs takes long to import

        line = f"{to_text(event)}\n".encode(errors="backslashreplace")
        try:
            written = self._file.write(line)
        except OSError as error:
            raise _failed(self._path, error.strerror or str(error)) from error
        if written != len(line):
            raise _failed(self._path, f"only {written} of {len(line)} bytes found room")


@attrs.frozen(kw_only=True)
class FileEventSink:
    """Adds every event to a file, as a line of JSON. An event that comes twice is there twice: `sequence` tells."""

    path: Path = attrs.field(
        converter=_absolute,
        metadata={"meaning": "the file; made when needed, in a folder that is there; a relative one starts from the current folder"},
    )

    @contextmanager
    def open(self) -> Iterator[OpenEventSink]:
        try:
            file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise _failed(self.path, error.strerror or str(error)) from error
        with file:
            yield _Lines(self.path, file)


def _failed(path: Path, why: str) -> EventSinkFailed:
    return EventSinkFailed(sink="file", why=f"{path} cannot be written: {why}")
