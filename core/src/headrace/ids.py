"""Identities: time-ordered UUIDs (version 7) from one seeded generator per process.

The generator is seeded once from the system, since asking the system for each id costs up to 80 µs on virtual machines. A forked child seeds
anew, so that parent and child never make the same id. The 12 bits after the milliseconds are parts of one, a quarter of a microsecond each, so that
ids of several processes of one machine stand in the order in which they were made. Ids of one generator grow strictly: where the clock has not gone
on, they count up, and past the end borrow from the next millisecond.
"""

import os
import random
import threading
from datetime import datetime

from headrace.clock import Clock

_PARTS_A_SECOND = 1000 << 12


class Ids:
    """Makes ids. Give `seed` for a repeatable sequence, as tests and `Sim` do."""

    def __init__(self, clock: Clock, seed: int | None = None) -> None:
        self._clock = clock
        self._seed = seed
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._random = random.Random(seed)
        self._last = 0

    @property
    def random(self) -> random.Random:
        """The process's generator, for names and jitter: seeded like the ids."""
        self._reseed_after_fork()
        return self._random

    def new(self) -> str:
        """The next id, as 36 characters."""
        with self._lock:
            self._reseed_after_fork()
            parts = int(self._clock.now().timestamp() * _PARTS_A_SECOND)
            self._last = max(self._last + 1, parts)
            return _text(self._last, self._random.getrandbits(62))

    def _reseed_after_fork(self) -> None:
        if os.getpid() != self._process:
            self._process = os.getpid()
            self._random.seed(None if self._seed is None else self._seed + self._process)


def derived_id(moment: datetime, *names: str) -> str:
    """The id that these names have at that moment, always the same; it stands among others as if it had been made then."""
    from hashlib import sha256  # hardly anybody needs it

    digest = sha256("\n".join((moment.isoformat(), *names)).encode()).digest()
    return _text(max(0, int(moment.timestamp() * _PARTS_A_SECOND)), int.from_bytes(digest[:8]) >> 2)


def _text(ordered: int, noise: int) -> str:
    """48 bits of milliseconds and 12 of parts of one, then 62 bits of noise, with version and variant in their places."""
    number = (ordered >> 12) << 80 | 0x7 << 76 | (ordered & 0xFFF) << 64 | 0b10 << 62 | noise
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
