"""The signal to end, as an exception."""

from types import FrameType


class Terminated(BaseException):
    """Raised in the main thread of a run's process that was asked to end, wherever it is."""


def terminate(_signal: int, _frame: FrameType | None) -> None:
    """A signal handler: it ends what the main thread does."""
    raise Terminated
