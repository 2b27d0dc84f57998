"""How processes end is told by one to the other, as shells and containers do."""

import pytest

from headrace.model.orders import ExitStatus


@pytest.mark.parametrize(("code", "told"), [(0, 0), (1, 1), (127, 127), (-1, 129), (-9, 137), (-15, 143), (-64, 192), (255, 255)])
def test_there_and_back(code: int, told: int) -> None:
    """A signal is its number and 128, and the last codes stay what they are."""
    assert ExitStatus(code).to_tell == told
    assert ExitStatus.told(told) == ExitStatus(code)


@pytest.mark.parametrize("told", [128, 193, 254])
def test_what_is_no_signal(told: int) -> None:
    """Codes that no signal has are codes."""
    assert ExitStatus.told(told) == ExitStatus(told)


def test_what_nobody_knows() -> None:
    """An end that nobody saw is told as a good one would be, since nothing is known against it."""
    assert ExitStatus(None).to_tell == 0
