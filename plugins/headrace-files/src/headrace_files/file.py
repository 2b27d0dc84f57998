"""Any place that fsspec reaches."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from headrace.errors import InvalidOption, StorageUnusable
from headrace.ports.storage import OpenStorage
from headrace.settings import hide_secrets
from headrace_files.addresses import without, without_password


def _without_password(storage: object, field: "attrs.Attribute[str]", url: str) -> None:
    shown = without_password(url)
    if shown != url:
        why = "a password in an address is seen by all who see the address; give it as options={'password': ...}"
        raise InvalidOption(where="storage 'file'", option=field.name, value=shown, why=why)
    if "://" not in url:
        raise InvalidOption(where="storage 'file'", option=field.name, value=url, why="it must have a protocol, as in sftp://host/folder")


@attrs.frozen(kw_only=True, field_transformer=hide_secrets)
class FileStorage:
    """Keeps bytes, one file each, under an address that fsspec knows: `sftp://host/folder`, `smb://…`, `webdav+https://…`, `file:///folder`.

    Whether other machines see it is up to the address; but for those of this machine it is taken that they do.
    """

    url: str = attrs.field(validator=_without_password, metadata={"meaning": "the address of the folder, without a password"})
    options: Mapping[str, Any] = attrs.field(
        factory=dict, metadata={"meaning": "what its file system wants besides: username, password, port, …", "secret": True}
    )

    @property
    def outlives_process(self) -> bool:
        return self._protocol != "memory"

    @property
    def reaches_others(self) -> bool:
        return self._protocol not in {"memory", "file", "local"}

    @property
    def _protocol(self) -> str:
        return self.url.partition("://")[0]

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        if self._protocol in {"file", "local"}:
            from headrace_files.folder import Folder

            yield Folder(Path(self.url.partition("://")[2]).expanduser())
            return
        from headrace_files.fsspec_storage import FsspecStorage  # fsspec takes 60 ms

        files, root = self._reached()
        try:
            yield FsspecStorage(files, root, where=self.url)
        finally:
            _leave(files)

    def _reached(self) -> tuple[Any, str]:
        """The file system, live and used by nobody else, and the folder on it. Raises StorageUnusable."""
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        try:
            files, root = url_to_fs(self.url, skip_instance_cache=True, **self.options)
        except ImportError as error:
            why = f"its protocol needs a library that is not installed here ({error.__cause__ or error}): {error}; pip install it"
            raise StorageUnusable(where=self.url, why=why) from error
        except Exception as error:  # every protocol's library has errors of its own
            raise StorageUnusable(where=self.url, why=without(f"{type(error).__name__}: {error}", self.options)) from error
        return files, root


def _leave(files: Any) -> None:
    """Ends the connection now. fsspec has no word for it; those of its file systems that hold one call it so (sftp, ftp, webdav)."""
    for name in ("ftp", "client"):
        close = getattr(getattr(files, name, None), "close", None)
        if callable(close):
            with suppress(Exception):  # it may be lost already
                close()
