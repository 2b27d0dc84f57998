"""WebDAV, as webdav4 speaks it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx
from webdav4.client import (  # type: ignore[import-untyped]
    Client,
    ClientError,
    IsACollectionError,
    IsAResourceError,
    ResourceAlreadyExists,
    ResourceNotFound,
)

from headrace_files.line import Target

_TRANSPORT = {"webdav": "http", "webdavs": "https", "dav": "http", "davs": "https", "webdav+http": "http", "webdav+https": "https"}


class _Client(Client):  # type: ignore[misc]
    """webdav4's own joins addresses and names as they are, and fails where a name has a character that means something in an address."""

    def join_url(self, path: str, add_trailing_slash: bool = False) -> httpx.URL:  # noqa: FBT001, FBT002 - as webdav4 calls it
        whole = f"{self.base_url.path.rstrip('/')}/{path.strip('/')}".rstrip("/")
        return httpx.URL(self.base_url).copy_with(raw_path=(quote(whole) + "/" * add_trailing_slash or "/").encode())


class Webdav:
    """A client of a server that one name and one password, or a header of one's own, opens."""

    def __init__(self, to: Target) -> None:
        self._client: Any = _Client(_base(to), auth=_who(to), timeout=to.seconds, **_more(to))

    def is_file(self, path: str) -> bool:
        with _told():
            return bool(self._client.isfile(path))

    def is_folder(self, path: str) -> bool:
        try:
            with _told():
                return bool(self._client.isdir(path or "/"))
        except FileNotFoundError:
            return False

    def names(self, folder: str) -> list[str]:
        with _told():
            entries = self._client.ls(folder or "/", detail=True, allow_listing_resource=False)
        return [f"{entry['name'].strip('/').rpartition('/')[2]}{'/' * (entry['type'] == 'directory')}" for entry in entries]

    def make_folder(self, folder: str) -> None:
        if not folder or self.is_folder(folder):
            return
        self.make_folder(folder.rpartition("/")[0])
        try:
            with _told():
                self._client.mkdir(folder)
        except ClientError as error:
            if self.is_folder(folder):  # somebody else was faster
                return
            if isinstance(error, ResourceAlreadyExists):  # webdav4 takes every "not allowed" for that
                raise PermissionError(f"no folder {folder} can be made") from error
            raise

    def fetch(self, path: str, file: BinaryIO) -> None:
        with _told():
            self._client.download_fileobj(path, file)

    def send(self, file: BinaryIO, path: str) -> None:
        size = file.seek(0, 2)
        file.seek(0)
        with _told():  # with its size told beforehand, since some servers keep nothing of what comes in chunks
            self._client.upload_fileobj(file, path, overwrite=True, size=size)

    def rename(self, path: str, to: str) -> None:
        with _told():
            self._client.move(path, to, overwrite=True)

    def remove(self, path: str) -> None:
        with _told():
            self._client.remove(path)

    def leave(self) -> None:
        with suppress(Exception):
            self._client.http.close()


def _base(to: Target) -> str:
    where = f"[{to.host}]" if ":" in to.host else to.host
    return str(to.more.get("base_url") or f"{_TRANSPORT[to.scheme]}://{where}{f':{to.port}' if to.port else ''}")


def _who(to: Target) -> Any:
    auth = to.more.get("auth")
    return tuple(auth) if isinstance(auth, list) else auth or ((to.username, to.password or "") if to.username else None)


def _more(to: Target) -> dict[str, Any]:
    return {name: value for name, value in to.more.items() if name not in ("auth", "base_url")}


@contextmanager
def _told() -> Iterator[None]:
    """What is not there, and what does not come, in the system's own words."""
    try:
        yield
    except (ResourceNotFound, IsAResourceError) as error:
        raise FileNotFoundError(str(error)) from error
    except IsACollectionError as error:
        raise IsADirectoryError(str(error)) from error
    except httpx.TimeoutException as error:
        raise TimeoutError(str(error)) from error
