"""The last turn of a run's code, when the run is over: what Python gives a script that has come to its end."""

import atexit
import threading
from collections.abc import Callable
from typing import Any

from headrace.engine.terminated import Terminated

# Python has no other name for what it does at the end; `multiprocessing` ends its forked children in the same way
_join_threads: Callable[[], Any] = threading._shutdown  # type: ignore[attr-defined]
_call_exit_handlers: Callable[[], Any] = atexit._run_exitfuncs


def last_turn(*, waits_for_threads: bool) -> None:
    """Waits for threads that are no daemons, and calls what was registered with `atexit`; a signal to end ends the waiting."""
    for part in (_join_threads, _call_exit_handlers) if waits_for_threads else (_call_exit_handlers,):
        try:
            part()
        except (Terminated, KeyboardInterrupt, SystemExit):
            continue
