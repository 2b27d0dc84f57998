"""The overview."""

from typing import Any


def test_nothing_yet(site: Any) -> None:
    """It tells how one begins."""
    said = site.text()
    assert "Nothing ran here yet" in said
    assert "headrace deployment create" in said
