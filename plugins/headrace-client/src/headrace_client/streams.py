"""Streams of server-sent events, put together from the pieces in which they come."""

from collections.abc import Iterator

import attrs

MEDIA_TYPE = "text/event-stream"


@attrs.frozen(kw_only=True)
class ServerEvent:
    """An event that came whole: what it brings, and after which one the next will be."""

    id: str
    data: str


class ServerEvents:
    """Takes pieces of a stream."""

    def __init__(self) -> None:
        self._rest = b""
        self._id = ""
        self._data: list[str] = []

    def completed_by(self, piece: bytes) -> Iterator[ServerEvent]:
        """Events whose ends are in this piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").removesuffix("\r")
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                self._id = value
            elif name == "data":
                self._data.append(value)
            elif not text and self._data:
                yield ServerEvent(id=self._id, data="\n".join(self._data))
                self._data = []
