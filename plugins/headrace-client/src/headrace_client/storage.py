"""The storage of a server: bytes kept where the orchestration is, so that machines that share it need nothing else to share."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, ClassVar, TypeVar, cast
from urllib.parse import quote

import attrs

from headrace.errors import ApiAway, ApiRefused, HeadraceError, NotAnApi, NotStored, StorageAway, StorageUnusable, WrongKey
from headrace.ports.storage import OpenStorage, Written, checked_key
from headrace_client.answers import result_in
from headrace_client.client import HttpClient
from headrace_client.connection import Answer, Asking, Connection

BYTES = {"Content-Type": "application/octet-stream"}
IN_MEMORY_BYTES = 8 << 20
MOST_IN_KEY = 1 << 14
"""Characters of a key as it is sent; servers take addresses of a bounded length."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class ServerStorage(HttpClient):
    """Keeps bytes in the storage of the server that the orchestration is reached by; address and token are those of the client."""

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = True

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:  # type: ignore[override]
        with closing(self.connection()) as connection:
            yield OpenServerStorage(connection, read_seconds=self.read_seconds)


class OpenServerStorage:
    """Asks a server for files. `words` says what an error of asking means for who chose the storage."""

    def __init__(self, connection: Connection, *, read_seconds: float, words: Callable[[HeadraceError], str] | None = None) -> None:
        self._connection = connection
        self._read_seconds = read_seconds
        self._words = words or in_words
        self._is_known = False

    def open(self, key: str) -> BinaryIO:
        """What is stored, fetched whole before it is read."""
        spool = _spool()
        try:
            self._told(lambda: self._fetch(key, spool))
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        return spool

    def _fetch(self, key: str, spool: BinaryIO) -> None:
        with closing(self._connection.pieces(self._asking("GET", key))) as pieces:
            for piece in pieces:
                if not isinstance(piece, Answer):
                    spool.write(piece)
                elif piece.status != HTTPStatus.OK:
                    result_in(piece, where=self._connection.url)

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        """Sends the bytes when all are there, since what breaks off is sent once more."""
        digest, size = hashlib.sha256(), 0
        with _spool() as spool:
            checked_key(key)
            for chunk in chunks:
                spool.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            asking = self._asking("PUT", key, body=spool, headers={**BYTES, "Content-Length": str(size)})
            kept = Written(**self._asked(asking))
        if kept != Written(size=size, sha256=digest.hexdigest()):
            raise StorageUnusable(where=self._connection.url, why=f"what came there under {key!r} is not what was sent; send it again")
        return kept

    def exists(self, key: str) -> bool:
        asking = self._asking("HEAD", key)
        answer = self._told(lambda: self._connection.asked(asking))
        if answer.status == HTTPStatus.OK or (answer.status == HTTPStatus.NOT_FOUND and self._is_known):
            return bool(answer.status == HTTPStatus.OK)
        found = self._listed({"prefix": key})  # what is no storage knows no such place either, and says so here
        self._is_known = True
        return key in found

    def delete(self, key: str) -> None:
        self._asked(self._asking("DELETE", key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        if prefix:
            _quoted(prefix.removesuffix("/"))
        return self._keys(prefix)

    def _keys(self, prefix: str) -> Iterator[str]:
        after = ""
        while page := self._listed({"prefix": prefix, "after": after}):
            yield from page
            after = page[-1]

    def _listed(self, query: Mapping[str, str]) -> list[str]:
        where = self._connection.url
        try:
            found: list[str] = self._asked(self._asking("GET", query=query))
        except NotStored:  # of lists there is always one
            why = self._words(NotAnApi(where=where, why="what answers there takes the end of the address for a key"))
            raise StorageUnusable(where=where, why=why) from None
        return found

    def _asking(self, method: str, key: str | None = None, **more: Any) -> Asking:
        path = "/files" if key is None else f"/files/{_quoted(key)}"
        return Asking(method=method, path=path, seconds=self._read_seconds, **more)

    def _asked(self, asking: Asking) -> Any:
        data: Mapping[str, Any] = self._told(lambda: result_in(self._connection.asked(asking), where=self._connection.url))
        return data["result"]

    def _told(self, question: Callable[[], T]) -> T:
        """What it gives; what is wrong is said as storages say it."""
        try:
            return question()
        except (NotStored, WrongKey):
            raise
        except StorageUnusable as error:
            raise attrs.evolve(error, where=self._connection.url) from error
        except ApiAway as error:
            raise StorageAway(where=error.where, why=error.why) from error
        except HeadraceError as error:
            raise StorageUnusable(where=self._connection.url, why=self._words(error)) from error


def in_words(error: HeadraceError) -> str:
    """What an error of asking says."""
    return error.detail if isinstance(error, ApiRefused) else str(error)


def _quoted(key: str) -> str:
    """The key as it is sent. Raises WrongKey."""
    try:
        quoted = quote(checked_key(key), safe="")
    except UnicodeEncodeError:
        raise WrongKey(key=key, why="it holds half of a surrogate pair, which cannot be sent") from None
    if len(quoted) > MOST_IN_KEY:
        raise WrongKey(key=key, why=f"it has {len(quoted)} characters as it is sent, and no more than {MOST_IN_KEY} are taken")
    return quoted


def _spool() -> BinaryIO:
    return cast(BinaryIO, SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))
