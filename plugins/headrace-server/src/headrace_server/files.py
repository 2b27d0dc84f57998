"""Files: the storage of this server, where code and results of its clients go if they choose no other.

What is sent is first kept aside, so that a slow sender holds neither a thread nor a half-written file; and the folder has a bound, since whoever may run
flows may fill it.
"""

import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, NoReturn, cast

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from headrace.errors import NotStored
from headrace.instance import Instance
from headrace.model.tokens import Scope
from headrace.ports.client import Kind, Operation
from headrace.ports.storage import OpenStorage, Written, checked_key
from headrace_server.bodies import json_answer, parts, read_query

CHUNK = 1 << 20
MOST_KEYS = 1000
THE_SERVER = "the storage of the server"
BYTES = "application/octet-stream"
MOST_BYTES = 10 << 30
"""What the folder may hold, if nothing else is said."""

WRITE = Operation(name="write_file", method="PUT", path="/files/{key}", scope=Scope.RUN, kind=Kind.MOVE)
READ = Operation(name="read_file", method="GET", path="/files/{key}", scope=Scope.RUN, kind=Kind.ASK)
DELETE = Operation(name="delete_file", method="DELETE", path="/files/{key}", scope=Scope.RUN, kind=Kind.MOVE)
LIST = Operation(name="list_files", method="GET", path="/files", scope=Scope.RUN, kind=Kind.ASK)


class Files:
    """The storage of a house, for others. `in_thread` runs what takes its time; `most_bytes` bounds the storage where it is a folder."""

    def __init__(self, house: Instance, in_thread: Callable[..., Any], *, most_bytes: int = MOST_BYTES) -> None:
        self._house = house
        self._in_thread = in_thread
        self._bound = Bound(getattr(house.storage(), "path", None), most_bytes)

    async def write(self, request: Request, key: str) -> Response:
        """Keeps the body under a key."""
        checked_key(key)
        with SpooledTemporaryFile(max_size=CHUNK) as spool:
            size = 0
            async for part in parts(request):
                size += len(part)
                self._bound.check(size)
                await self._in_thread(spool.write, part) if size >= CHUNK else spool.write(part)
            written: Written = await self._in_thread(self._kept, key, cast(BinaryIO, spool), size)
        return json_answer({"result": attrs.asdict(written)})

    def _kept(self, key: str, file: BinaryIO, size: int) -> Written:
        file.seek(0)
        with self._bound.room(size), self._house.code_storage() as storage:
            return storage.write(key, iter(partial(file.read, CHUNK), b""))

    async def read(self, _: Request, key: str) -> Response:
        """What is stored under a key."""
        file: BinaryIO = await self._in_thread(self._asked, lambda storage: storage.open(key))
        return StreamingResponse(self._parts(file), media_type=BYTES)

    async def _parts(self, file: BinaryIO) -> AsyncIterator[bytes]:
        try:
            while part := await self._in_thread(file.read, CHUNK):
                yield part
        finally:
            file.close()

    async def is_there(self, _: Request, key: str) -> Response:
        """Whether something is stored under a key."""
        if not await self._in_thread(self._asked, lambda storage: storage.exists(key)):
            raise NotStored(key=key, storage=THE_SERVER)
        return Response(media_type=BYTES)

    async def delete(self, _: Request, key: str) -> Response:
        """Forgets a key."""
        await self._in_thread(self._asked, lambda storage: storage.delete(key))
        return json_answer({"result": None})

    async def keys(self, request: Request) -> Response:
        """Keys that start with a prefix, a page of them beyond `after`."""
        query = read_query(request)
        prefix, after = query.get("prefix", ""), query.get("after", "")
        found = await self._in_thread(
            self._asked, lambda storage: list(islice((key for key in storage.keys(prefix) if key > after), MOST_KEYS))
        )
        return json_answer({"result": found})

    def _asked(self, question: Callable[[OpenStorage], Any]) -> Any:
        try:
            with self._house.code_storage() as storage:
                return question(storage)
        except NotStored as error:  # where it would lie here is nobody else's business
            raise NotStored(key=error.key, storage=THE_SERVER) from None


class Bound:
    """How much a folder may hold; None: it is no folder of ours. What is in it is counted again when it seems full, and now and then."""

    def __init__(self, folder: Path | None, most: int) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._counted: int | None = None
        self._written = 0

    def check(self, size: int) -> None:
        """Raises HTTPException for what alone is more than the folder may hold."""
        if self._folder is not None and size > self._most:
            self._refuse()

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Room for so many bytes that are written meanwhile. Raises HTTPException where there is none."""
        with self._lock:
            if self._folder is not None and not self._fits(self._folder, size):
                self._refuse()
            self._written += size
        try:
            yield
        except BaseException:
            with self._lock:
                self._written -= size
            raise

    def _fits(self, folder: Path, size: int) -> bool:
        if self._counted is None or self._written > self._most // 10 or self._counted + self._written + size > self._most:
            self._counted, self._written = sum(_sizes(folder)), 0
        return self._counted + size <= self._most

    def _refuse(self) -> NoReturn:
        why = f"the server's storage is full: it may hold {self._most / (1 << 30):g} GiB"
        raise HTTPException(HTTPStatus.INSUFFICIENT_STORAGE, f"{why}; free some with `headrace store gc` there, or raise --storage-limit")


def _sizes(folder: Path) -> Iterator[int]:
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it was deleted meanwhile
                yield os.stat(os.path.join(place, name)).st_size
