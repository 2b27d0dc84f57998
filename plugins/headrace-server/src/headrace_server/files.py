"""Files: a storage for others, such as that of a server, where code and results of its clients go if they choose no other.

What is sent is first kept aside, so that a slow sender holds neither a thread nor a half-written file; and the folder has a bound, since whoever may run
flows may fill it.
"""

import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from headrace.errors import NotStored, StorageAway, StorageUnusable
from headrace.model.tokens import Scope
from headrace.ports.client import Kind, Operation
from headrace.ports.storage import OpenStorage, Written, checked_key
from headrace_server.bodies import json_answer, parts, read_query
from headrace_server.routing import Handler, places

CHUNK = 1 << 20
MOST_KEYS = 1000
THE_SERVER, ITS_FOLDER = "the storage of the server", "the server"
BYTES = "application/octet-stream"
MOST_BYTES = 10 << 30
"""What the folder may hold, if nothing else is said."""

WRITE = Operation(name="write_file", method="PUT", path="/files/{key}", scope=Scope.RUN, kind=Kind.MOVE)
READ = Operation(name="read_file", method="GET", path="/files/{key}", scope=Scope.RUN, kind=Kind.ASK)
DELETE = Operation(name="delete_file", method="DELETE", path="/files/{key}", scope=Scope.RUN, kind=Kind.MOVE)
LIST = Operation(name="list_files", method="GET", path="/files", scope=Scope.RUN, kind=Kind.ASK)


T = TypeVar("T")
Admitted = Callable[[Request, Operation, dict[str, Any] | None], Awaitable[object]]
"""Lets in who asks, or raises why not; asked first without arguments, before anything of a request is read, then with them."""


class Files:
    """A storage, which `opened` opens, for others. `in_thread` runs what takes its time."""

    def __init__(self, opened: Callable[[], AbstractContextManager[OpenStorage]], in_thread: Callable[..., Any], bound: "Bound") -> None:
        self._opened = opened
        self._in_thread = in_thread
        self._bound = bound

    def routes(self, admitted: Admitted, guarded: Callable[[Handler], Handler]) -> Iterator[Route]:
        """Its routes; the first that fits answers, so that of HEAD comes before that of GET."""

        def route(operation: Operation, answer: Callable[..., Awaitable[Response]]) -> Route:
            async def handle(request: Request) -> Response:
                await admitted(request, operation, None)
                in_path = places(request)
                await admitted(request, operation, in_path)
                return await answer(request, **in_path)

            return Route(operation.path, guarded(handle), methods=[operation.method])

        yield route(attrs.evolve(READ, method="HEAD"), self.is_there)
        yield route(READ, self.read)
        yield route(WRITE, self.write)
        yield route(DELETE, self.delete)
        yield route(LIST, self.keys)

    async def write(self, request: Request, key: str) -> Response:
        """Keeps the body under a key."""
        checked_key(key)
        self._bound.check(_told_size(request))
        with SpooledTemporaryFile(max_size=CHUNK) as spool:
            size = 0
            async for part in parts(request):
                size += len(part)
                self._bound.check(size)
                try:
                    await self._in_thread(spool.write, part) if size >= CHUNK else spool.write(part)
                except OSError as error:
                    why = f"its folder of temporary files: {error.strerror or error}; make room and try again"
                    raise StorageAway(where=ITS_FOLDER, why=why) from error
            written: Written = await self._in_thread(self._kept, key, cast(BinaryIO, spool), size)
        return json_answer({"result": attrs.asdict(written)})

    def _kept(self, key: str, file: BinaryIO, size: int) -> Written:
        file.seek(0)
        with self._bound.room(size):
            return self._asked(lambda storage: storage.write(key, iter(partial(file.read, CHUNK), b"")))

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

    def _asked(self, question: Callable[[OpenStorage], T]) -> T:
        """What the storage says; where it lies here is nobody else's business."""
        try:
            with self._opened() as storage:
                return question(storage)
        except NotStored as error:
            raise NotStored(key=error.key, storage=THE_SERVER) from None
        except StorageUnusable as error:
            raise attrs.evolve(error, where=ITS_FOLDER) from None


def _told_size(request: Request) -> int:
    """How much is to come, where it is said."""
    told = request.headers.get("content-length", "")
    return int(told) if told.isdigit() else 0


class Bound:
    """How much a folder may hold; None: it is no folder of ours. What is in it is counted again when it seems full, and now and then. `advice` is what who
    looks after it can do when it is."""

    def __init__(self, folder: Path | None, most: int, *, advice: str) -> None:
        self._folder = folder
        self._most = most
        self._advice = advice
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
        raise HTTPException(HTTPStatus.INSUFFICIENT_STORAGE, f"{why}; {self._advice}")


def _sizes(folder: Path) -> Iterator[int]:
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it was deleted meanwhile
                yield os.stat(os.path.join(place, name)).st_size
