"""What a run's process prints, line by line: anything that was not said through logging, its last words before a crash among it."""

import fcntl
import os
import select
import sys
import termios
from collections.abc import Callable
from logging import INFO

from headrace.clock import Clock
from headrace.model.logs import LogLine

LOGGER = "headrace.output"
LONGEST = 65_536
"""Bytes of a line; a longer one goes on in the next."""


class Output:
    """Reads one end of a pipe. Bytes that are no UTF-8 are written out, and the pipe is never waited for."""

    def __init__(
        self, descriptor: int, *, flow_run_id: str, clock: Clock, new_id: Callable[[], str], say: Callable[[LogLine], object]
    ) -> None:
        os.set_blocking(descriptor, False)
        self.descriptors = [descriptor]
        self._flow_run_id = flow_run_id
        self._clock = clock
        self._new_id = new_id
        self._say = say
        self._rest = b""

    def read(self) -> int:
        """Takes what is there, within bounds; how many bytes that were."""
        count = 0
        for descriptor in tuple(self.descriptors):
            try:
                content = os.read(descriptor, LONGEST)
            except BlockingIOError:
                continue
            if not content:
                self._close(descriptor)
            self._take(content)
            count += len(content)
        return count

    def catch_up(self) -> None:
        """Takes all that is there now, however fast more comes; a line that has no end yet is said as it is."""
        left = sum(map(_waiting, self.descriptors))
        while left > 0 and (count := self.read()):
            left -= count
        self._speak_rest()

    def drain(self, seconds: float) -> None:
        """Takes what is left, until nobody can write any more or nobody has for so long; then says the line that has no end."""
        while self.descriptors and select.select(self.descriptors, [], [], seconds)[0]:
            self.read()
        self._speak_rest()
        for descriptor in tuple(self.descriptors):
            self._close(descriptor)

    def _speak_rest(self) -> None:
        if self._rest:
            self._speak(self._rest)
            self._rest = b""

    def _close(self, descriptor: int) -> None:
        self.descriptors.remove(descriptor)
        os.close(descriptor)

    def _take(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._speak(line)
        while len(self._rest) >= LONGEST:
            self._speak(self._rest[:LONGEST])
            self._rest = self._rest[LONGEST:]

    def _speak(self, line: bytes) -> None:
        self._say(
            LogLine(
                id=self._new_id(),
                flow_run_id=self._flow_run_id,
                timestamp=self._clock.now(),
                level=INFO,
                logger=LOGGER,
                message=line.decode(errors="backslashreplace").rstrip("\r"),
            )
        )


def _waiting(descriptor: int) -> int:
    """How many bytes can be read from a pipe."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)
