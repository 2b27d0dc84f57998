"""What headrace-files offers."""

from collections.abc import Iterator
from typing import Any

from headrace.hooks import Provider, hookimpl


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("local", "headrace_files.local:LocalStorage", "A folder of this machine")
    yield Provider("temporary", "headrace_files.temporary:TemporaryStorage", "A folder that is gone when the program ends")
    yield Provider("file", "headrace_files.file:FileStorage", "Any place with an address that fsspec knows, such as sftp://host/folder")
