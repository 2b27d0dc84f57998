"""Who runs on this machine, in one home."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from headrace.clock import Clock, SystemClock
from headrace.processes.births import Birth
from headrace.processes.local_process import LocalProcess
from headrace.processes.process_file import ERRORS, LOCK, ProcessFile

_KEPT_SECONDS = 3600
"""How long what nobody asked for is kept: how a process ended, and what it had to say."""


class Roster:
    """The processes whose files are in a folder, and those started here that may have none yet."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._started: dict[str, LocalProcess] = {}

    def start(self, file: ProcessFile, begin: Callable[[], tuple[Birth, str]]) -> LocalProcess:
        """The process of that file. `begin` is called if there is none, and none has told how it ended; it gives a remark for the run's log too."""
        self._started = {identity: process for identity, process in self._started.items() if not process.is_told}
        known = self._started.get(file.identity)
        if known is not None:
            return known
        look = file.look()
        if look.is_held or look.code is not None:
            return LocalProcess(file)
        file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.remove_lost()
        birth, remark = begin()
        process = self._started[file.identity] = LocalProcess(file, birth, remark=remark)
        return process

    def find(self, identity: str) -> LocalProcess | None:
        """The process of that identity if it lives."""
        known = self._started.get(identity)
        if known is not None and not known.has_ended():
            return known
        file = ProcessFile(self._folder, identity)
        return LocalProcess(file) if file.is_held() else None

    def running(self) -> Iterator[str]:
        """The identities of all that live. What was left behind long ago is removed in passing."""
        born = [identity for identity, process in tuple(self._started.items()) if not process.has_ended()]
        yield from born
        for name in _names(self._folder):
            identity, suffix = os.path.splitext(name)
            if suffix not in (LOCK, ERRORS) or identity in born:
                continue
            file = ProcessFile(self._folder, identity)
            if file.is_held():
                if suffix == LOCK:
                    yield identity
            elif self._is_old(self._folder / name):
                self._remove(file, suffix)

    def _remove(self, file: ProcessFile, suffix: str) -> None:
        if suffix == LOCK:
            file.remove()
        else:
            file.errors.unlink(missing_ok=True)

    def _is_old(self, path: Path) -> bool:
        try:
            return path.stat().st_mtime < self._clock.now().timestamp() - _KEPT_SECONDS
        except OSError:
            return False


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
