"""What a server does beside answering."""

import os
import threading
from datetime import datetime, timedelta
from typing import Any

import attrs

from headrace.instance import Instance
from headrace.ports.client import OpenClient
from headrace.services.rounds import Rounds
from headrace_server.beside import Beside
from headrace_server.in_process import in_process

SECONDS = 30


@attrs.frozen
class Ticking:
    """A service that is due again at once, and tells each round."""

    rounds: Any = attrs.field(factory=lambda: threading.Semaphore(0))

    def step(self, client: OpenClient, now: datetime) -> datetime:
        self.rounds.release()
        return now + timedelta(milliseconds=1)


def mark(house: Instance) -> str | None:
    with in_process(house.client).store.reading() as reading:
        return reading.mark("served")


def test_services_step(house: Instance) -> None:
    """Services do their rounds as they are due, until the server ends and no longer."""
    service = Ticking()
    with Beside(house, Rounds(house, {"ticking": service})).stepping():
        for _ in range(3):
            assert service.rounds.acquire(timeout=SECONDS)
    while service.rounds.acquire(blocking=False):
        pass
    assert not service.rounds.acquire(timeout=0.05)


def test_what_an_earlier_server_left_is_removed(house: Instance) -> None:
    """What it was writing into its storage when it was killed goes once it is a day old; in the folder of this store, and no other."""
    service, folder = Ticking(), house.client.read_place().folder
    left = [house.settings.home / "storage" / place / ".writing-1" for place in (folder, "another")]
    for path in left:
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (0, 0))
    with Beside(house, Rounds(house, {"ticking": service})).stepping():
        assert service.rounds.acquire(timeout=SECONDS)
    assert [path.exists() for path in left] == [False, True]


def test_the_store_is_told_before_anybody_is_answered(house: Instance) -> None:
    """The store knows that it is served as soon as it is, without services too."""
    assert mark(house) is None
    with Beside(house, None).stepping():
        assert mark(house) is not None


def test_the_store_is_told_again_and_again(house: Instance) -> None:
    """The mark is kept several times in the time of a lease."""
    settings = attrs.evolve(house.settings, lease_seconds=0.05)
    with Beside(attrs.evolve(house, settings=settings), None).stepping():
        first = mark(house)
        for _ in range(SECONDS * 100):
            if mark(house) != first:
                return
            threading.Event().wait(0.01)
    raise AssertionError("it was told once")
