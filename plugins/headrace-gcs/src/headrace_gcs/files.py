"""gcsfs as a storage wants it: it gives up in seconds, asks one question where one does, and never mixes two values in one reading.

`gcsfs.GCSFileSystem` is another class than that of `gcsfs.core`, which is taken here: it first asks of what kind a bucket is, by a protocol of its own
that few servers but Google's speak, and for a minute where there is no answer.
"""

import logging
from contextlib import suppress
from typing import Any

import attrs
from aiohttp import ClientTimeout
from fsspec.asyn import sync  # type: ignore[import-untyped]
from gcsfs.core import GCSFile, GCSFileSystem, UnclosableBytesIO, initiate_upload  # type: ignore[import-untyped]
from gcsfs.retry import retry_request  # type: ignore[import-untyped]

from headrace_files.uploads import Part, Upload

logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # it prints a traceback of what it raises as well

_TRIES = 3
"""Seconds lie between them: one to two, then two to three."""

_AT_ONCE = 1024 * 1024

_BOUNDARY = b"\n--==0=="
"""What parts the body of an upload in one piece."""


class Rewritten(Exception):
    """The object that is being read is there no more."""


class _File(GCSFile):  # type: ignore[misc]
    """A large object; all that is read of it is of the object that it was when it was opened."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if "r" in self.mode:
            self.generation = self.details.get("generation")

    def _fetch_range(self, start: int, end: int) -> Any:
        return sync(self.fs.loop, self._async_fetch_range, start, end - start)

    async def _async_fetch_range(self, start: int, size: int, split_factor: int = 1) -> Any:
        try:
            return await self.fs._cat_file_concurrent(
                self.path, start=start, end=start + size, concurrency=split_factor, generation=self.generation
            )
        except FileNotFoundError as error:
            raise Rewritten(self.path) from error


class Files(GCSFileSystem):  # type: ignore[misc]
    """Buckets, with a session of its own."""

    cachable = False

    @retry_request(retries=_TRIES)  # type: ignore[untyped-decorator]
    async def _request(self, method: str, path: str, *arguments: Any, data: Any = None, **options: Any) -> Any:
        if isinstance(data, (bytes, memoryview)) and len(data) > _AT_ONCE:  # all at once, others would not have a turn meanwhile
            data = UnclosableBytesIO(data)
        return await GCSFileSystem._request.__wrapped__(self, method, path, *arguments, data=data, **options)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return _File(self, path, mode, **options)

    async def _info(self, path: str, generation: str | None = None, **options: Any) -> Any:
        """What gcsfs asks besides is whether it is a folder; there are none."""
        return await self._get_object(path)

    async def _pipe_file(self, path: str, data: bytes, **options: Any) -> Any:
        if _BOUNDARY in data:  # what follows would be lost, so it goes as an upload in parts does, in one
            options["chunksize"] = len(data)
        return await super()._pipe_file(path, data, **options)


@attrs.frozen
class ResumableUploads:
    """Objects that arrive in parts, one after the other, which Google's uploads want; so parts are large."""

    files: Files
    part_bytes: int = 32 * 1024 * 1024
    at_once: int = 1

    def begin(self, path: str) -> Upload:
        bucket, key, _ = self.files.split_path(path)
        return _ResumableUpload(self.files, sync(self.files.loop, initiate_upload, self.files, bucket, key))


@attrs.frozen
class _ResumableUpload:
    files: Files
    address: str

    def send(self, part: Part) -> None:
        """The server says how much it has, which may be less than it was sent."""
        start, size = part.start, part.end if part.is_last else "*"
        while True:
            content = part.content[start - part.start :]
            place = f"bytes {start}-{part.end - 1}/{size}"
            answer, _ = self.files.call("POST", self.address, headers={"Content-Range": place}, data=content)
            if "Range" not in answer and part.is_last:
                return
            arrived = int(answer["Range"].rpartition("-")[2]) + 1 if "Range" in answer else 0
            if arrived == part.end:
                return
            if arrived <= start:
                raise ConnectionError(f"of bytes {start} to {part.end - 1} none arrived")
            start = arrived

    def finish(self) -> None:
        """The last part finished it."""

    def give_up(self) -> None:
        self.files.call("DELETE", self.address)


def reached(credentials: Any, *, project: str | None, endpoint_url: str | None) -> Files:
    """The buckets that the credentials reach; nothing is asked yet."""
    return Files(
        project=project or "",
        token=credentials or "anon",
        endpoint_url=endpoint_url.rstrip("/") if endpoint_url else None,
        requests_timeout=ClientTimeout(total=None, sock_connect=10, sock_read=60),
        use_listings_cache=False,
    )


def leave(files: Files) -> None:
    """Ends its connections now."""
    if files._session is not None:
        with suppress(Exception):  # it may be lost already
            sync(files.loop, files._session.close)
