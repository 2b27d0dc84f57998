"""adlfs as a storage wants it: with a client of ours, which no variable of the environment changes, and with one question where one does."""

import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import attrs
from adlfs import AzureBlobFileSystem  # type: ignore[import-untyped]
from adlfs.spec import AzureBlobFile  # type: ignore[import-untyped]
from azure.core import MatchConditions
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobServiceClient
from fsspec.asyn import sync  # type: ignore[import-untyped]

from headrace_files.uploads import Part, Upload

logging.getLogger("azure").addHandler(logging.NullHandler())  # it warns of what it raises as well

_RETRIES: dict[str, Any] = {"initial_backoff": 1, "increment_base": 1, "random_jitter_range": 1, "retry_total": 2}
"""Three tries, with one to three seconds between them; Azure's own would be tried for more than a minute."""

_AT_ONCE = 1024 * 1024


class _Transport(AioHttpTransport):  # type: ignore[misc]
    """Azure's own, but a large body is sent bit by bit; else others would not have a turn meanwhile, which aiohttp warns of."""

    async def send(self, request: Any, **options: Any) -> Any:
        data = request.data
        if isinstance(data, (bytes, memoryview)) and len(data) > _AT_ONCE:
            request.data = _slices(data)
        try:
            return await super().send(request, **options)
        finally:
            request.data = data  # it may be sent again


async def _slices(data: bytes | memoryview) -> AsyncIterator[memoryview]:
    for start in range(0, len(data), _AT_ONCE):
        yield memoryview(data)[start : start + _AT_ONCE]


class _File(AzureBlobFile):  # type: ignore[misc]
    """A large blob; all that is read of it is of the blob that it was when it was opened."""

    def _fetch_range(self, start: int, end: int) -> Any:
        return sync(self.loop, self._part, start, min(end, self.size) - start)

    async def _part(self, start: int, length: int) -> bytes:
        unchanged = {"etag": self.details["etag"], "match_condition": MatchConditions.IfNotModified}
        stream = await self.container_client.download_blob(blob=self.blob, offset=start, length=length, max_concurrency=4, **unchanged)
        return bytes(await stream.readall())


class Files(AzureBlobFileSystem):  # type: ignore[misc]
    """The containers that a client reaches."""

    cachable = False

    def __init__(self, client: Any) -> None:
        self._client = client
        # with a credential, adlfs looks for none of its own, and makes no client for it in do_connect
        super().__init__(credential=client.credential, max_concurrency=4, use_listings_cache=False)

    def do_connect(self) -> None:
        self.service_client = self._client

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        """A path is none of a URL here: ? and # are characters as others are."""
        return path

    def split_path(self, path: str, **options: Any) -> tuple[str, str, None]:
        container, _, key = path.partition("/")
        return container, key, None

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return _File(self, path, mode, **{"cache_type": "readahead"} | options)

    async def _info(self, path: str, **options: Any) -> Any:
        """What adlfs asks besides is whether it is a folder; there are none. It would also take a missing container for a missing blob."""
        container, key, _ = self.split_path(path)
        try:
            return (await self._details([await self.service_client.get_blob_client(container, key).get_blob_properties()]))[0]
        except ResourceNotFoundError as error:
            raise FileNotFoundError(path) from error

    async def _find(self, path: str, **options: Any) -> list[str]:
        """As adlfs does, but a missing container is no empty one."""
        container, key, _ = self.split_path(path)
        listed = self.service_client.get_container_client(container).list_blob_names(name_starts_with=f"{key}/" if key else None)
        try:
            return [f"{container}/{name}" async for name in listed]
        except ResourceNotFoundError as error:
            raise FileNotFoundError(path) from error


@attrs.frozen
class BlockUploads:
    """Blobs that are made of blocks: four are on their way at once, and 50,000, which are 200 GB, fit into one. What is never made is removed by Azure."""

    files: Files
    part_bytes: int = 4 * 1024 * 1024
    at_once: int = 4

    def begin(self, path: str) -> Upload:
        container, key, _ = self.files.split_path(path)
        return _BlockUpload(self.files.service_client.get_blob_client(container, key), self.files.loop)


@attrs.define
class _BlockUpload:
    blob: Any
    loop: Any
    blocks: int = 0
    """How many there are."""
    upload: str = attrs.field(factory=lambda: uuid4().hex)
    """Others may write to the same blob meanwhile, and each commits blocks of its own."""

    def send(self, part: Part) -> None:
        if part.is_last:
            self.blocks = part.number
        sync(self.loop, self.blob.stage_block, self._block(part.number), part.content)

    def finish(self) -> None:
        blocks = [BlobBlock(self._block(number + 1)) for number in range(self.blocks)]
        sync(self.loop, self.blob.commit_block_list, blocks)

    def give_up(self) -> None:
        """Blocks that no blob is made of are gone after a week."""

    def _block(self, number: int) -> str:
        return f"{self.upload}{number:06}"


class _Closed:
    """Stands where a client was that is closed: adlfs keeps every file system until the process ends, and closes its client then."""

    async def close(self) -> None:
        """Nothing is open."""


def client_of_connection(connection_string: str) -> BlobServiceClient:
    """The client that a connection string describes. Raises ValueError with what is wrong with it."""
    return BlobServiceClient.from_connection_string(connection_string, transport=_transport(), **_RETRIES)


def client_of_account(url: str, *, name: str, key: str | None, sas_token: str | None) -> BlobServiceClient:
    """A client of an account: with a key, or a token, or as whoever this machine is for Azure."""
    credential: Any
    if key is not None:
        credential = {"account_name": name, "account_key": key}
    elif sas_token is not None:
        credential = AzureSasCredential(sas_token.removeprefix("?"))
    else:
        credential = DefaultAzureCredential()
    return BlobServiceClient(url, credential=credential, transport=_transport(), **_RETRIES)


def _transport() -> _Transport:
    return _Transport(connection_timeout=10, read_timeout=60, connection_data_block_size=_AT_ONCE)


def leave(files: Files) -> None:
    """Ends its connections now."""
    for each in (files.service_client, files.credential):
        if hasattr(each, "close"):
            with suppress(Exception):  # it may be lost already
                sync(files.loop, each.close)
    files.service_client, files.credential, files._client, files.storage_args = _Closed(), None, None, ()
