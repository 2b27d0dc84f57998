"""Delays before retries."""

from typing import Any

import pytest

from headrace import exponential_backoff, task
from headrace.errors import InvalidOption
from headrace.model.definitions import LONGEST


def delays(**options: Any) -> tuple[float, ...]:
    return task(**options)(lambda: None).definition.retry_delays


def test_a_copy_with_other_retries_has_other_delays() -> None:
    """What makes delays from the number of retries makes them anew."""
    first = task(retries=2, retry_delay_seconds=exponential_backoff(2))(lambda: None)
    assert first.definition.retry_delays == (2.0, 4.0)
    assert first.with_options(retries=6).definition.retry_delays == (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    assert first.with_options(retries=6).with_options(retries=1).definition.retry_delays == (2.0,)
    assert first.with_options(retry_delay_seconds=7).with_options(retries=3).definition.retry_delays == (7.0,)


def test_a_copy_may_have_another_backoff() -> None:
    """It is made for the retries that the task has already."""
    assert task(retries=3)(lambda: None).with_options(retry_delay_seconds=exponential_backoff(1)).definition.retry_delays == (1.0, 2.0, 4.0)


def test_backoff_grows_within_bounds() -> None:
    """However many retries there are, delays are soon as long as may be, and the last is repeated."""
    long = delays(retries=1_000_000, retry_delay_seconds=exponential_backoff(1))
    assert (long[-1], len(long) < 40) == (LONGEST, True)
    assert delays(retries=1_000_000, retry_delay_seconds=exponential_backoff(0)) == (0.0,)
    assert delays(retry_delay_seconds=exponential_backoff(3)) == (3.0,)


def test_jitter_stays_within_bounds() -> None:
    """A delay that jitter makes too long is as long as may be."""
    wild = task(retries=1, retry_delay_seconds=LONGEST, retry_jitter_factor=1e300)(lambda: None).definition
    assert wild.retry_delay(1, 0.5) == LONGEST


@pytest.mark.parametrize("factor", ["2", -1, float("nan"), True, None])
def test_a_factor_is_a_number_of_seconds(factor: Any) -> None:
    """Anything else is refused where it is written."""
    with pytest.raises(InvalidOption, match="exponential_backoff: factor="):
        exponential_backoff(factor)
