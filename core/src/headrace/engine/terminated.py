"""The signal to end, as an exception."""

import signal
from types import FrameType


class Terminated(BaseException):
    """Raised in the main thread of a run's process that was asked to end, wherever it is."""


def terminate(_signal: int, _frame: FrameType | None) -> None:
    """A signal handler: it ends what the main thread does, once. What is done about it, hooks among it, is not interrupted again."""
    signal.signal(signal.SIGTERM, _ignore)
    raise Terminated


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Unlike `SIG_IGN`, this does not go on in programs that are started."""
