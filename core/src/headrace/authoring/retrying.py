"""Delays before retries."""

from collections.abc import Callable
from typing import Any

from headrace.errors import InvalidOption
from headrace.model.definitions import LONGEST


def exponential_backoff(factor: float) -> Callable[[int], list[float]]:
    """For `retry_delay_seconds`: `factor` seconds before the first retry, and twice as many before each that follows."""
    if not _is_delay(factor):
        raise InvalidOption(
            where="exponential_backoff", option="factor", value=factor, why="it must be a number of seconds that is not negative"
        )

    def delays(retries: int) -> list[float]:
        made = [float(factor)]
        while len(made) < retries and 0 < made[-1] < LONGEST:  # the last one is repeated
            made.append(min(made[-1] * 2, LONGEST))
        return made

    return delays


def delays_of(where: str, given: Any, retries: int) -> tuple[float, ...]:
    """Delays in their one shape. Raises InvalidOption for what is no number of seconds."""
    if callable(given):
        try:
            made = given(retries)
        except Exception as error:
            why = f"as a function of the number of retries ({retries}) it failed: {type(error).__name__}: {error}"
            raise InvalidOption(where=where, option="retry_delay_seconds", value=given, why=why) from error
    else:
        made = given
    delays = tuple(made) if isinstance(made, (list, tuple)) else (made,)
    if not delays or not all(map(_is_delay, delays)):
        why = "it must be seconds: a number that is not negative, a list of them, or a function that makes such a list of the number of retries"
        raise InvalidOption(where=where, option="retry_delay_seconds", value=given if made is given else made, why=why)
    return tuple(map(float, delays))


def _is_delay(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LONGEST
