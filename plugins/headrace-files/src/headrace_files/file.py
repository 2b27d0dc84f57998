"""Any place that fsspec reaches, and file servers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from headrace.errors import InvalidOption, StorageAway, StorageUnusable
from headrace.ports.storage import OpenStorage
from headrace.settings import HIDDEN, hide_secrets
from headrace_files.addresses import without, without_password

_SERVERS = {
    "sftp": "sftp",
    "ssh": "sftp",
    "ftp": "ftp",
    "webdav": "webdav",
    "webdavs": "webdav",
    "webdav+http": "webdav",
    "webdav+https": "webdav",
    "dav": "webdav",
    "davs": "webdav",
    "http": "http",
    "https": "http",
}
"""Protocols of file servers, and the extra of this distribution that brings what each needs."""

_SHOWN = frozenset({"username", "host", "known_host", "encoding"})
"""Options that may be seen, and are too short to be looked for in a sentence."""

_READ_ONLY = frozenset({"http", "https", "zip", "tar", "libarchive", "github", "git"})


_OF_SFTP = frozenset(
    {
        *(
            "port",
            "username",
            "password",
            "private_key",
            "passphrase",
            "known_host",
            "known_hosts",
            "timeout",
            "client_keys",
            "client_certs",
            "agent_path",
        ),
        *("family", "local_addr", "keepalive_interval", "keepalive_count_max", "preferred_auth", "compression_algs", "encryption_algs"),
        *("kex_algs", "mac_algs", "server_host_key_algs", "signature_algs"),
    }
)
"""What may be said of a connection over SSH. Its library takes more, among it programs that it starts; who may describe a storage is not to run any."""

_STARTERS = frozenset({"reference"})
"""Protocols of fsspec whose options are programs, or templates of such."""


def _starts_nothing(storage: "FileStorage", field: "attrs.Attribute[Mapping[str, Any]]", options: Mapping[str, Any]) -> None:
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise InvalidOption(where="storage 'file'", option=field.name, value=HIDDEN, why="it must be a mapping, options by their names")
    protocol = storage.url.partition("://")[0]
    if protocol in _STARTERS:
        raise InvalidOption(
            where="storage 'file'", option="url", value=storage.url, why="that protocol runs what its options say, and is refused"
        )
    if _SERVERS.get(protocol) == "sftp" and (unknown := sorted(options.keys() - _OF_SFTP)):
        why = f"an sftp server is reached without {unknown[0]!r}; options are: {', '.join(sorted(_OF_SFTP))}"
        raise InvalidOption(where="storage 'file'", option=field.name, value=unknown[0], why=why)
    if "proxy_command" in options:
        raise InvalidOption(where="storage 'file'", option=field.name, value="proxy_command", why="a storage starts no programs")


def _without_password(storage: object, field: "attrs.Attribute[str]", url: str) -> None:
    shown = without_password(url)
    if shown != url:
        why = "a password in an address is seen by all who see the address; give it as options={'password': ...}"
        raise InvalidOption(where="storage 'file'", option=field.name, value=shown, why=why)
    if "://" not in url:
        raise InvalidOption(where="storage 'file'", option=field.name, value=url, why="it must have a protocol, as in sftp://host/folder")


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class FileStorage:
    """Keeps bytes, one file each, under an address: `sftp://host/folder`, `ftp://…`, `webdav+https://…`, `file:///folder`, whatever fsspec knows.

    Web servers (`https://…`) and archives (`zip://folder::file:///archive.zip`) are only read. Whether other machines see it is up to the address; but
    for those of this machine it is taken that they do.
    """

    url: str = attrs.field(
        validator=_without_password, metadata={"place": True, "meaning": "the address of the folder, without a password"}
    )
    options: Mapping[str, Any] = attrs.field(
        factory=dict,
        validator=_starts_nothing,
        metadata={"meaning": "what its file system wants besides: username, password, port, …", "secret": True},
    )

    @property
    def outlives_process(self) -> bool:
        return self._place != "memory"

    @property
    def reaches_others(self) -> bool:
        return self._place not in {"memory", "file", "local"}

    @property
    def _protocol(self) -> str:
        return self.url.partition("://")[0]

    @property
    def _place(self) -> str:
        """The protocol of what all others are in: of the file that is an archive."""
        protocol, separator, _ = self.url.rpartition("::")[2].partition("://")
        return protocol if separator else "file"

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        with self._opened() as storage:
            if self._protocol not in _READ_ONLY:
                yield storage
                return
            from headrace_files.read_only import ReadOnly

            yield ReadOnly(storage=storage, where=self.url)

    @contextmanager
    def _opened(self) -> Iterator[OpenStorage]:
        if self._protocol in {"file", "local"}:
            from headrace_files.folder import Folder

            yield Folder(Path(self.url.partition("://")[2]).expanduser())
        elif self._protocol in _SERVERS:
            with self._on_server() as storage:
                yield storage
        else:
            from headrace_files.fsspec_storage import FsspecStorage  # fsspec takes 60 ms
            from headrace_files.troubles import understood

            files, root = self._reached()
            try:
                yield FsspecStorage(files, root, where=self.url, understood=understood)
            finally:
                _leave(files)

    @contextmanager
    def _on_server(self) -> Iterator[OpenStorage]:
        from headrace_files.line import target
        from headrace_files.server_storage import ServerStorage
        from headrace_files.troubles import understood

        try:
            to = target(self.url, self.options)
            connect = _line(self._protocol)
        except ImportError as error:
            extra = _SERVERS[self._protocol]
            why = f"its protocol needs a library that is not installed here ({error}): pip install 'headrace-files[{extra}]'"
            raise StorageUnusable(where=self.url, why=why) from error
        except (ValueError, TypeError) as error:
            raise StorageUnusable(where=self.url, why=without(str(error), self.options)) from error
        storage = ServerStorage(partial(connect, to), to.path, where=self.url, understood=understood, hidden=_secrets(self.options))
        try:
            storage.reach()
            yield storage
        finally:
            storage.leave()

    def _reached(self) -> tuple[Any, str]:
        """The file system, live and used by nobody else, and the folder on it. Raises StorageUnusable."""
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        from headrace_files.fsspec_storage import Trouble
        from headrace_files.troubles import understood

        try:
            files, root = url_to_fs(self.url, skip_instance_cache=True, **self.options)
        except ImportError as error:
            why = f"its protocol needs a library that is not installed here ({error.__cause__ or error}): {error}; pip install it"
            raise StorageUnusable(where=self.url, why=why) from error
        except Exception as error:  # every protocol's library has errors of its own
            trouble = understood(error) or Trouble(why=f"{type(error).__name__}: {error}")
            raise (StorageAway if trouble.passes else StorageUnusable)(where=self.url, why=without(trouble.why, self.options)) from error
        return files, root


def _secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _SHOWN}


def _line(protocol: str) -> Callable[[Any], Any]:
    """What connects. Raises ImportError where what it needs is not installed."""
    if _SERVERS[protocol] == "sftp":
        from headrace_files.sftp import Sftp

        return Sftp
    if _SERVERS[protocol] == "ftp":
        from headrace_files.ftp import Ftp

        return Ftp
    if _SERVERS[protocol] == "webdav":
        from headrace_files.webdav import Webdav

        return Webdav
    from headrace_files.web import Web

    return Web


def _leave(files: Any) -> None:
    """Ends the connection now. fsspec has no word for it; those of its file systems that hold one call it so."""
    for name in ("ftp", "client"):
        close = getattr(getattr(files, name, None), "close", None)
        if callable(close):
            with suppress(Exception):  # it may be lost already
                close()
