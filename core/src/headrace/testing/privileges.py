"""Giving up privileges, so that permissions bind whoever tests, root as well."""

import ctypes
import os
from collections.abc import Callable

_SET_SECURE_BITS, _NO_ROOT, _LOCKED = 28, 1, 2


def giving_up() -> Callable[[], None]:
    """What a child calls before it becomes another program (`preexec_fn`): root is then as others are. Loaded before the fork; Linux only."""
    libc = ctypes.CDLL(None, use_errno=True)

    def give_up() -> None:
        if os.geteuid() == 0 and libc.prctl(_SET_SECURE_BITS, _NO_ROOT | _LOCKED, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "privileges cannot be given up")

    return give_up
