"""What an agent asks before it begins: whoever starts it need not know whether the orchestration is there yet."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from headrace.errors import HeadraceError, MayPass
from headrace.instance import Instance
from headrace.orchestration.undelivered import deliver

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two tries: at first, and at most."""

T = TypeVar("T")


def awaited(house: Instance, question: Callable[[], T], tell_trouble: Callable[[MayPass], object]) -> T:
    """The answer, for which is waited as long as what is wrong may pass; it is told once. Raises what else the question raises."""
    longest = 0.0
    while True:
        try:
            answer = question()
        except MayPass as error:
            if not longest:
                tell_trouble(error)
            longest = min(max(FIRST_PAUSE, 2 * longest), LONGEST_PAUSE)
            time.sleep(house.ids.random.uniform(longest / 2, longest))
            continue
        if longest:  # what could not be told when the house was opened
            with suppress(HeadraceError):
                deliver(house.settings.home, house.client, house.clock.now())
        return answer
