"""A folder of this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import attrs

from headrace.ports.storage import OpenStorage
from headrace_files.folder import Folder


def _absolute(path: str | Path) -> Path:
    """Where it is from anywhere, as the value may be used from another folder than it was written in."""
    return Path(os.path.abspath(os.path.expanduser(path)))


@attrs.frozen(kw_only=True)
class LocalStorage:
    """Keeps bytes in a folder of this machine, one file each. Any number of processes may use it at once."""

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = False

    path: Path = attrs.field(
        converter=_absolute,
        metadata={"place": True, "meaning": "the folder; made when needed; a relative one starts from the current folder, ~ from home"},
    )

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        yield Folder(self.path)
