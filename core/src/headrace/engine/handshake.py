"""What a run's process and its supervisor say to each other, through two pipes that are older than the process.

The process asks that all it has printed be kept, and waits until it is; and it says that the run is over, and with which exit code it will end.
"""

import os
import select
from collections.abc import Iterator
from contextlib import suppress

import attrs

PATIENCE = 5.0
"""Seconds for which an answer is waited for; a supervisor that is gone or does not listen holds nobody up."""

_KEEP, _OVER = b"k", b"o"


@attrs.frozen
class Keep:
    """The question whether all that was printed is kept, by its number."""

    number: int


@attrs.frozen
class Over:
    """The run is over."""

    code: int


class ToSupervisor:
    """The end of the run's process, whose code may close files that it does not know."""

    def __init__(self, says: int, hears: int) -> None:
        self._says = says
        self._hears = hears
        self._known = (_identity(says), _identity(hears))
        self._asked = 0

    def is_cut(self) -> bool:
        """Whether these files were closed here. Then others were too, and their numbers may mean anything by now."""
        return (_identity(self._says), _identity(self._hears)) != self._known

    def keep_printed(self) -> None:
        """Returns when all that was written to the standard streams until now is kept, or nobody answers."""
        self._asked = (self._asked + 1) % 256
        if not self._say(_KEEP, self._asked):
            return
        while select.select([self._hears], [], [], PATIENCE)[0]:
            answer = os.read(self._hears, 1)
            if not answer or answer[0] == self._asked:  # else it is that of a question which was given up
                return

    def say_over(self, code: int) -> None:
        """What this process does from now on is of no importance to the run."""
        self._say(_OVER, code & 0xFF)

    def _say(self, kind: bytes, number: int) -> bool:
        if self.is_cut():
            return False
        with suppress(BrokenPipeError):
            return os.write(self._says, kind + bytes((number,))) > 0
        return False

    def close(self) -> None:
        """For the supervisor, to whom this end does not belong."""
        os.close(self._says)
        os.close(self._hears)


class ToRun:
    """The end of the supervisor. `descriptors` are those to wait for."""

    def __init__(self, says: int, hears: int) -> None:
        os.set_blocking(says, False)
        os.set_blocking(hears, False)
        self._says = says
        self.descriptors = [hears]

    def heard(self) -> Iterator[Keep | Over]:
        """What was said since."""
        for descriptor in tuple(self.descriptors):
            try:
                said = os.read(descriptor, 4096)
            except BlockingIOError:
                continue
            if not said:
                self.descriptors.remove(descriptor)
                os.close(descriptor)
            for at in range(0, len(said), 2):  # two bytes are written at once, so they are read at once
                yield Keep(said[at + 1]) if said[at : at + 1] == _KEEP else Over(said[at + 1])

    def answer(self, question: Keep) -> None:
        """All is kept that was written when that was asked."""
        with suppress(BrokenPipeError, BlockingIOError):
            os.write(self._says, bytes((question.number,)))

    def close(self) -> None:
        """From then on nobody answers."""
        os.close(self._says)
        while self.descriptors:
            os.close(self.descriptors.pop())


def joined() -> tuple[ToRun, ToSupervisor]:
    """Both ends. Each process closes the one that is not its own."""
    run_hears, supervisor_says = os.pipe()
    supervisor_hears, run_says = os.pipe()
    return ToRun(supervisor_says, supervisor_hears), ToSupervisor(run_says, run_hears)


def _identity(descriptor: int) -> tuple[int, int] | None:
    """What a descriptor means; None where it means nothing any more."""
    try:
        known = os.fstat(descriptor)
    except OSError:
        return None
    return known.st_dev, known.st_ino
