"""The clocks of a simulated world: one on the wall, which people set, and one that only goes on."""

from datetime import datetime, timedelta

from headrace.testing.clock import START


class VirtualClock:
    """Goes on when it is told to. `skew` is how far the one on the wall is off, in seconds."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.skew = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self._seconds + self.skew)

    def monotonic(self) -> float:
        return self._seconds

    def go_on_to(self, seconds: float) -> None:
        """Goes on to a reading of the monotonic clock; never back."""
        self._seconds = max(self._seconds, seconds)
