"""Who performs plain calls of a run in threads of a task runner: code there hears of no signal, and is told by an exception that the run is to end."""

import ctypes
import threading
from collections.abc import Callable
from typing import Any

from headrace.engine.terminated import Terminated


class Performers:
    """Of a root flow run and all that is part of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[int] = set()
        self._is_interrupted = False

    def perform(self, call: Callable[[], Any]) -> Any:
        """Performs it in this thread. Once the run is to end, nothing is begun."""
        me = threading.get_ident()
        with self._lock:
            if self._is_interrupted:
                raise Terminated
            self._threads.add(me)
        try:
            return call()
        finally:
            with self._lock:
                self._threads.discard(me)

    def interrupt(self) -> None:
        """Raises Terminated in all that is performed, at the next bytecode: a blocking call in C is not interrupted."""
        with self._lock:
            self._is_interrupted = True
            for thread in self._threads:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Terminated))
