"""What the tests of this dist share."""

import pytest


@pytest.fixture(autouse=True)
def tidy(nothing_left_behind: None) -> None:
    """Every test leaves things as it found them."""
