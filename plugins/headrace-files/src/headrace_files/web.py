"""HTTP: what somebody publishes on a web server, read as httpx does."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import BinaryIO, NoReturn
from urllib.parse import quote

import httpx

from headrace_files.line import Target

_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_NO_HEAD = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


class NotTold(Exception):
    """Raised where a web server is asked for what only a file server knows."""


class Web:
    """A client that reads; a web server neither takes anything nor tells what it has."""

    def __init__(self, to: Target) -> None:
        where = f"[{to.host}]" if ":" in to.host else to.host
        self._base = f"{to.scheme}://{where}{f':{to.port}' if to.port else ''}"
        who = (to.username, to.password or "") if to.username else None
        self._client = httpx.Client(auth=who, timeout=to.seconds, follow_redirects=True, **to.more)

    def is_file(self, path: str) -> bool:
        with _told():
            answer = self._client.head(self._url(path))
            if answer.status_code in _NO_HEAD:
                with self._client.stream("GET", self._url(path)) as answer:
                    pass
        if answer.status_code in _ABSENT:
            return False
        answer.raise_for_status()
        return True

    def fetch(self, path: str, file: BinaryIO) -> None:
        # as it is, since the size and the hash are those of the bytes that lie there
        with _told(), self._client.stream("GET", self._url(path), headers={"Accept-Encoding": "identity"}) as answer:
            if answer.status_code in _ABSENT:
                raise FileNotFoundError(path)
            answer.raise_for_status()
            file.writelines(answer.iter_bytes())

    def is_folder(self, path: str) -> bool:
        return False

    def names(self, folder: str) -> NoReturn:
        raise NotTold("a web server does not tell what it has")

    def make_folder(self, folder: str) -> NoReturn:
        raise NotTold("a web server takes nothing")

    def send(self, file: BinaryIO, path: str) -> NoReturn:
        raise NotTold("a web server takes nothing")

    def rename(self, path: str, to: str) -> NoReturn:
        raise NotTold("a web server takes nothing")

    def remove(self, path: str) -> NoReturn:
        raise NotTold("a web server takes nothing")

    def leave(self) -> None:
        with suppress(Exception):
            self._client.close()

    def _url(self, path: str) -> str:
        return self._base + quote(path)


@contextmanager
def _told() -> Iterator[None]:
    """What does not come, in the system's own words."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise TimeoutError(str(error)) from error
