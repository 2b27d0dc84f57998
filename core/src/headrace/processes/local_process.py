"""The process of a run on this machine, as others see it."""

import os
import signal
import time
from contextlib import suppress

from headrace.clock import Clock, SystemClock
from headrace.model.orders import ExitStatus
from headrace.processes.births import Birth
from headrace.processes.kin import kill_kin, kill_left
from headrace.processes.process_file import ProcessFile

_PAUSE_SECONDS = 0.01
_LATE_SECONDS = 5.0
"""How long the process may take to end when the grace it gives the run is over."""
_WORDS = 2000


class LocalProcess:
    """Known by its file; by its birth too, where it was started here and has not got hold of its file yet.

    `remark` is what its run's log is to tell about its start.
    """

    def __init__(self, file: ProcessFile, birth: Birth | None = None, *, remark: str = "", clock: Clock | None = None) -> None:
        self._file = file
        self._birth = birth
        self._clock = clock or SystemClock()
        self._status: ExitStatus | None = None
        self._words = ""
        self.identity = file.identity
        self.remark = remark

    @property
    def last_words(self) -> str:
        """What it wrote to standard error before there was a run to log it, known once it has ended, and not with 0; else empty."""
        return self._words

    def wait(self, timeout: float) -> ExitStatus | None:
        """How it ended; None if it has not after so many seconds."""
        until = self._clock.monotonic() + timeout
        while not self.has_ended():
            left = until - self._clock.monotonic()
            if left <= 0:
                return None
            time.sleep(min(left, _PAUSE_SECONDS))
        return self._status

    def stop(self, grace: float) -> None:
        """Asks it to end, and ends it with all that it started when it has not after so many seconds. Returns when it has ended."""
        self._signal(signal.SIGTERM)
        patience = grace + _LATE_SECONDS
        while self.wait(patience) is None:
            self._kill()
            patience = 1.0

    # The end

    def has_ended(self) -> bool:
        """Whether it has."""
        if self._status is not None:
            return True
        look = self._file.look()
        if look.is_held or not (self._birth is None or self._birth.is_over(look)):
            return False
        look = self._file.look()  # it may have begun since, or begun and ended; or another one has, when both were started at once
        if look.is_held:
            return False
        if look.pid is not None and look.code is None:  # it was killed, and could end nothing
            kill_left(self.identity, look.child)
        known = look.code if self._birth is None or look.code is not None else self._birth.code
        self._status = ExitStatus(known)
        self._keep_words(self._status)
        return True

    def _keep_words(self, status: ExitStatus) -> None:
        with suppress(OSError):
            words = self._file.errors.read_bytes()[-_WORDS:].decode(errors="replace").strip()
            if status.is_clean or not words:
                self._file.errors.unlink()
            else:
                self._words = words

    # Signals

    def _signal(self, number: signal.Signals) -> None:
        """To the process that holds the file, or to what was just born. A process id counts only while one of both vouches for it."""
        look = self._file.look()
        with suppress(ProcessLookupError, PermissionError):
            if look.is_held and look.pid is not None:
                os.kill(look.pid, number)
            elif self._birth is not None and not self._birth.is_over(look):
                self._signal_born(self._birth.pid, number)

    def _signal_born(self, pid: int, number: signal.Signals) -> None:
        try:
            os.killpg(pid, number)  # what starts it may be another program
        except ProcessLookupError:  # it has no group of its own yet
            os.kill(pid, number)

    def _kill(self) -> None:
        """First what it has started: then it may still say how that ended."""
        look = self._file.look()
        if look.is_held and look.pid is not None:
            kill_kin(look.pid)
            if self.wait(_PAUSE_SECONDS * 10) is not None:
                return
        self._signal(signal.SIGKILL)
