"""SFTP, as asyncssh speaks it.

fsspec's own file system for it uses paramiko, which waits for an answer to every 32 kB that it writes, and where it does not wait (prefetching),
sends from two threads at once over one channel: the server then reads what nobody wrote, and both wait for ever. It also takes any host for the
right one.
"""

import asyncio
import errno
import os
from collections.abc import Awaitable, Coroutine, Iterable
from contextlib import suppress
from stat import S_ISDIR
from typing import Any, BinaryIO, TypeVar, cast

import asyncssh
from fsspec.asyn import get_loop, sync  # type: ignore[import-untyped]

from headrace_files.line import Target

T = TypeVar("T")
BLOCK_BYTES = 32 * 1024
"""How much goes with one request: what every server takes."""

PIECE_BYTES = 32 * BLOCK_BYTES
"""How much is on its way at once. asyncssh does that too, but when the connection is lost it leaves requests behind, of which asyncio then complains."""


class UnknownHost(Exception):
    """Raised where a host shows a key that nobody here knows; it says what to do."""


class _Asker(asyncssh.SSHClient):
    """Remembers the key of a host that is not known, to be told."""

    shown: str | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = " ".join(key.export_public_key().decode().split()[:2])
        return False


class Sftp:
    """A connection over SSH. Without `password` and `private_key`, one is known as to `ssh`: by its agent, its keys and its settings."""

    def __init__(self, to: Target) -> None:
        self._to = to
        self._loop = get_loop()
        self._connection, self._client = self._done(self._connected())

    def is_file(self, path: str) -> bool:
        return not self._done(self._is_folder(path))

    def is_folder(self, path: str) -> bool:
        try:
            return self._done(self._is_folder(path))
        except FileNotFoundError:
            return False

    def names(self, folder: str) -> list[str]:
        return self._done(self._names(folder))

    def make_folder(self, folder: str) -> None:
        self._done(self._make_folder(folder))

    def fetch(self, path: str, file: BinaryIO) -> None:
        self._done(self._fetch(path, file))

    def send(self, file: BinaryIO, path: str) -> None:
        self._done(self._send(file, path))

    def rename(self, path: str, to: str) -> None:
        self._done(self._soon(self._client.posix_rename(path, to)))

    def remove(self, path: str) -> None:
        self._done(self._soon(self._client.remove(path)))

    def leave(self) -> None:
        with suppress(Exception):
            self._done(self._left())

    def _done(self, step: Coroutine[Any, Any, T]) -> T:
        """What a step gives. It is done on fsspec's loop, since who asks may be on one of its own."""
        try:
            done: T = sync(self._loop, lambda: step)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
            raise FileNotFoundError(str(error)) from error
        return done

    async def _soon(self, answer: Awaitable[T]) -> T:
        """An answer that comes while one may wait for it."""
        return await asyncio.wait_for(answer, self._to.seconds)

    async def _connected(self) -> tuple[asyncssh.SSHClientConnection, asyncssh.SFTPClient]:
        asker = _Asker()
        try:
            connection = await asyncssh.connect(self._to.host, client_factory=lambda: asker, **_options(self._to))
        except asyncssh.HostKeyNotVerifiable as error:
            raise UnknownHost(_unknown(asker.shown, error)) from error
        try:
            return connection, await self._soon(connection.start_sftp_client())
        except BaseException:
            connection.abort()
            raise

    async def _left(self) -> None:
        self._connection.abort()
        await self._connection.wait_closed()

    async def _is_folder(self, path: str) -> bool:
        return S_ISDIR((await self._soon(self._client.stat(path))).permissions or 0)

    async def _names(self, folder: str) -> list[str]:
        entries = await self._soon(self._client.readdir(folder))
        return [
            f"{entry.filename!s}{'/' * S_ISDIR(entry.attrs.permissions or 0)}" for entry in entries if entry.filename not in (".", "..")
        ]

    async def _make_folder(self, folder: str) -> None:
        if not folder:
            return
        try:
            if await self._is_folder(folder):
                return
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await self._make_folder(folder.rpartition("/")[0])
        try:
            await self._soon(self._client.mkdir(folder))
        except asyncssh.SFTPError:
            if not await self._is_folder(folder):  # else somebody else was faster
                raise

    async def _fetch(self, path: str, file: BinaryIO) -> None:
        about = await self._soon(self._client.stat(path))
        if S_ISDIR(about.permissions or 0):
            raise IsADirectoryError(path)
        # where something fails it is not closed: that too would be waited for
        remote: Any = await self._soon(self._client.open(path, "rb", block_size=BLOCK_BYTES))
        start, is_over = 0, False
        while not is_over:
            # how much there is only tells how much to ask for: what is opened may be another value by now
            count = min(PIECE_BYTES, max(0, (about.size or 0) - start)) // BLOCK_BYTES + 1
            for block in await self._at_once(_block(remote, start + number * BLOCK_BYTES) for number in range(count)):
                file.write(block)
                is_over = len(block) < BLOCK_BYTES
            start += count * BLOCK_BYTES
        await self._soon(remote.close())

    async def _send(self, file: BinaryIO, path: str) -> None:
        remote: Any = await self._soon(self._client.open(path, "wb", block_size=BLOCK_BYTES))
        start = 0
        try:
            while piece := file.read(PIECE_BYTES):
                parts = range(0, len(piece), BLOCK_BYTES)
                await self._at_once(remote.write(piece[part : part + BLOCK_BYTES], start + part) for part in parts)
                start += len(piece)
            await self._soon(remote.close())
        except asyncssh.SFTPFailure as error:
            if await self._is_full(path):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise

    async def _at_once(self, answers: Iterable[Awaitable[T]]) -> list[T]:
        """All of the answers, or the first trouble when nothing is on its way any more."""
        found = await self._soon(asyncio.gather(*answers, return_exceptions=True))
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return cast(list[T], found)

    async def _is_full(self, path: str) -> bool:
        """Whether there is room for no more than a piece; most servers have one word for all that fails, but tell this if they are asked."""
        try:
            room = await self._soon(self._client.statvfs(path))
        except asyncssh.SFTPError:
            return False
        return room.bavail * room.frsize < PIECE_BYTES


async def _block(remote: Any, start: int) -> bytes:
    """A block of a file, shorter only at its end; a server may give less than it is asked for."""
    found = b""
    while len(found) < BLOCK_BYTES and (more := await remote.read(BLOCK_BYTES - len(found), start + len(found))):
        found += more
    return found


def _options(to: Target) -> dict[str, Any]:
    """What asyncssh is told."""
    options = dict(to.more)
    known_host, private_key = options.pop("known_host", None), options.pop("private_key", None)
    options |= {"connect_timeout": to.seconds, "login_timeout": to.seconds}
    options |= {name: value for name, value in (("port", to.port), ("username", to.username), ("password", to.password)) if value}
    if known_host:
        options["known_hosts"] = ([asyncssh.import_public_key(known_host)], [], [])
    if private_key:
        options["client_keys"] = [asyncssh.import_private_key(private_key, options.get("passphrase"))]
    elif to.password and "client_keys" not in options:
        options |= {"client_keys": None, "agent_path": None}  # else each key of this machine counts as a failed attempt
    return options


def _unknown(shown: str | None, error: Exception) -> str:
    if shown is None:
        return f"{error}; correct known_host in the options, or the line of this host in ~/.ssh/known_hosts"
    advice = "give it as known_host in the options, or add it to ~/.ssh/known_hosts"
    return f"it shows a key that is not known here; if {shown!r} is the right one, {advice}"
