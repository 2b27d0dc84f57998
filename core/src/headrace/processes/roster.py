"""Who runs on this machine, in one home."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from headrace.clock import Clock, SystemClock
from headrace.processes.births import Birth
from headrace.processes.local_process import LocalProcess
from headrace.processes.process_file import ERRORS, LOCK, ProcessFile

KEPT_SECONDS = 600.0
"""How long it is known how a process ended, and what it had to say: for who asks late, and for who begins the same once more, and late."""

_SWEEP_SECONDS = 60.0


class Roster:
    """The processes whose files are in a folder, and those started here that may have none yet. Old files are removed in passing."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._started: dict[str, LocalProcess] = {}
        self._swept: float | None = None

    def start(self, file: ProcessFile, begin: Callable[[], tuple[Birth, str]]) -> LocalProcess:
        """The process of that file. `begin` is called if there is none, and none has told how it ended; it gives a remark for the run's log too."""
        self._sweep()
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
        """The identities of all that live."""
        self._sweep()
        born = [identity for identity, process in tuple(self._started.items()) if not process.has_ended()]
        yield from born
        for name in _names(self._folder):
            identity, suffix = os.path.splitext(name)
            if suffix == LOCK and identity not in born and ProcessFile(self._folder, identity).is_held():
                yield identity

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        if self._swept is None or now >= self._swept + _SWEEP_SECONDS:
            self._swept = now
            self._started = {identity: process for identity, process in self._started.items() if not process.has_ended()}
            sweep(self._folder, self._clock)


def sweep(folder: Path, clock: Clock) -> None:
    """Removes the files of processes that ended a while ago."""
    before = clock.now().timestamp() - KEPT_SECONDS
    for name in _names(folder):
        identity, suffix = os.path.splitext(name)
        with suppress(FileNotFoundError):  # another one sweeps too
            if suffix not in (LOCK, ERRORS) or (folder / name).stat().st_mtime >= before:
                continue
            file = ProcessFile(folder, identity)
            if suffix == LOCK:
                file.remove()
            elif not file.is_held():
                file.errors.unlink()


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
