"""A clock that stands still until it is told to go on."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


class FixedClock:
    """Tells the same moment until `advance` is called."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._seconds = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Goes on; never back."""
        assert seconds >= 0, "time goes forward"
        self._now += timedelta(seconds=seconds)
        self._seconds += seconds

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock on the wall, forward or back; the monotonic one takes no notice."""
        self._now += timedelta(seconds=seconds)
