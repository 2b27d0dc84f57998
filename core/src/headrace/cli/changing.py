"""Changing what somebody else may change at the same time: their change is kept, and this one goes on top of it."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from headrace.errors import ChangedMeanwhile

T = TypeVar("T")
MOST_TRIES = 50
"""How often a change is made anew that others have come before; each time, one of them is done."""


def on_top(known: T, put: Callable[[T], T], read: Callable[[], T]) -> T:
    """What `put` makes of the newest shape, which is `known` or is read anew. Raises ChangedMeanwhile where others are always faster."""
    for _ in range(MOST_TRIES - 1):
        with suppress(ChangedMeanwhile):
            return put(known)
        known = read()
    return put(known)
