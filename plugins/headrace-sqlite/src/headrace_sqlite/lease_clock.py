"""The clock of leases: which boot of the machine this is, and the seconds that its processes share.

The monotonic clock is the same in all processes of one boot. Setting the machine's clock does not move it, and it stands still while the machine
sleeps, so that closing the lid expires nothing. It starts anew with every boot, so a lease remembers the boot that it was given in.
"""

import time
from pathlib import Path
from typing import Self

import attrs

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@attrs.frozen
class LeaseClock:
    """Tells lease time; readings of different boots cannot be compared. `boot` is empty where the system has no word for it."""

    boot: str

    @classmethod
    def of_this_machine(cls) -> Self:
        try:
            return cls(_BOOT_ID.read_text().strip())
        except OSError:
            return cls("")

    def seconds(self) -> float:
        """Seconds that only grow, the same in all processes."""
        return time.monotonic()
