"""A folder for as long as it is open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import attrs

from headrace.ports.storage import OpenStorage
from headrace_files.folder import Folder


@attrs.frozen(kw_only=True)
class TemporaryStorage:
    """Keeps bytes in a new folder among the system's temporary files. Every `open()` gives one of its own; closing removes it."""

    outlives_process: ClassVar[bool] = False
    reaches_others: ClassVar[bool] = False

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        from tempfile import TemporaryDirectory  # costs milliseconds that only its users need pay

        with TemporaryDirectory(prefix="headrace-", ignore_cleanup_errors=True) as path:
            yield Folder(Path(path))
