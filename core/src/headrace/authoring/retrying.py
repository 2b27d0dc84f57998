"""Delays before retries."""

from collections.abc import Callable
from typing import Any

from headrace.errors import InvalidOption


def exponential_backoff(factor: float) -> Callable[[int], list[float]]:
    """For `retry_delay_seconds`: `factor` seconds before the first retry, and twice as many before each that follows."""
    return lambda retries: [factor * 2**count for count in range(max(1, retries))]


def as_delays(where: str, given: Any, retries: int) -> tuple[float, ...]:
    """Delays in their one shape. Raises InvalidOption for what is no number of seconds."""
    made = given(retries) if callable(given) else given
    delays = tuple(made) if isinstance(made, (list, tuple)) else (made,)
    for delay in delays:
        if isinstance(delay, bool) or not isinstance(delay, (int, float)) or not 0 <= delay < float("inf"):
            why = "it must be seconds: a number that is not negative, a list of them, or a function that makes such a list"
            raise InvalidOption(where=where, option="retry_delay_seconds", value=given, why=why)
    return tuple(float(delay) for delay in delays) or (0.0,)
