"""The fork-server as its runner has it: a process from which the processes of runs are forked, and the line to it."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from headrace.processes.process_file import Look

SERVER = ("-m", "headrace.engine.fork_server")

_READY_SECONDS, _ANSWER_SECONDS = 10.0, 5.0
_MOST_FAILURES = 3
_MOST_SECONDS, _MOST_GROWTH = 3600.0, 64 << 20
"""How old one may become, and how many bytes more it may have than when it was ready: it sees no user code, so this is for what nobody thinks of."""
_READ_AT_START = ("PYTHON", "LD_", "MALLOC_", "LC_")
_ALSO_READ_AT_START = frozenset({"LANG", "GLIBC_TUNABLES"})
"""How the variables begin that a program reads when it starts and never again, and such variables."""


class NotForked(Exception):
    """The fork-server did not do it; its text says why."""


@attrs.frozen
class Forked:
    """A process that the fork-server has forked. `server` leads the session that it was born into; it leads one of its own soon."""

    pid: int
    server: int
    code: None = None

    def is_over(self, look: Look) -> bool:
        """Once it has been seen with its file, only that counts: its id may be somebody else's by now."""
        return look.pid is not None or not self._lives()

    def _lives(self) -> bool:
        try:
            return os.getsid(self.pid) in (self.pid, self.server)
        except (ProcessLookupError, PermissionError):
            return False


class _Line:
    """One fork-server, and the line to it."""

    def __init__(self, python: str, environment: Mapping[str, str], folder: Path) -> None:
        self._socket, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = subprocess.Popen(
                    [python, *SERVER, str(theirs.fileno())],
                    env=environment,
                    cwd=folder,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except BaseException:
            self._socket.close()
            raise
        self._rest = b""
        self._is_ready = False
        self._begun = time.monotonic()
        self._memory_when_ready = 0

    def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Its answer. Raises NotForked, OSError, EOFError, ValueError; after all of these it is of no use any more."""
        self.await_ready()
        self._socket.settimeout(_ANSWER_SECONDS)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        return self._read(_ANSWER_SECONDS)

    def await_ready(self) -> None:
        """Raises as `ask` does."""
        if self._is_ready:
            return
        greeting = self._read(_READY_SECONDS)
        if "error" in greeting:
            raise NotForked(greeting["error"])
        self._is_ready = True
        self._memory_when_ready = _memory_of(self.process.pid)

    def has_greeted(self) -> bool:
        """Whether there is something to be heard of it, its end among that; nothing is waited for."""
        return self._is_ready or bool(select.select([self._socket], [], [], 0)[0])

    def is_worn(self) -> bool:
        """Whether it has become too old, or too big."""
        is_old = time.monotonic() >= self._begun + _MOST_SECONDS
        return is_old or (self._is_ready and _memory_of(self.process.pid) > self._memory_when_ready + _MOST_GROWTH)

    def _read(self, seconds: float) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while b"\n" not in self._rest:
            self._socket.settimeout(max(0.001, until - time.monotonic()))
            content = self._socket.recv(65536)
            if not content:
                raise EOFError("it has ended")
            self._rest += content
        line, _, self._rest = self._rest.partition(b"\n")
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """What it has forked goes on."""
        self._socket.close()
        self.process.kill()
        self.process.wait()


def _memory_of(pid: int) -> int:
    """How many bytes of memory a process has; 0 where the system does not say it like Linux."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


class ForkServer:
    """Kept ready from `warm_up` to `close`: begun anew when it is lost, though not for ever; and replaced when it is worn, by one that is ready.

    `python` says which Python it is, and raises InvalidOption where that is not there.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], python: Callable[[], str] = lambda: sys.executable) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._python = python
        self._next: _Line | None = None
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._failures = 0
        self._why = ""

    def differing(self, environment: Mapping[str, str]) -> tuple[str, ...]:
        """The variables that would have to be set before a process begins, and are not as they are here."""
        names = {name for name in {*environment, *self._environment} if name.startswith(_READ_AT_START) or name in _ALSO_READ_AT_START}
        return tuple(sorted(name for name in names if environment.get(name) != self._environment.get(name)))

    @property
    def is_begun(self) -> bool:
        """Whether it was begun, or is not to be any more."""
        return self._line is not None or self._failures > 0

    def warm_up(self) -> None:
        """Begins to make it ready, and does not wait for it; where no process can be started now, the first run will say so, or there is one then."""
        with self._lock, suppress(OSError):
            self._begin()

    def fork(self, environment: Mapping[str, str], *, folder: Path, errors: Path) -> Forked:
        """Forks a process for a run. Raises NotForked."""
        with self._lock:
            try:
                return self._forked({"environment": dict(environment), "folder": str(folder), "errors": str(errors)})
            except (OSError, EOFError, ValueError) as error:
                self._why = (
                    "it did not answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or str(error)
                )
                self._begin_anew()
                raise NotForked(f"the fork-server was lost: {self._why}") from error
            except NotForked as error:
                self._why = str(error)
                self._begin_anew()
                raise

    def _forked(self, request: Mapping[str, object]) -> Forked:
        self._begin()
        if self._line is None:
            raise NotForked(f"the fork-server failed {_MOST_FAILURES} times, and is not tried again: {self._why}")
        line = self._replaced(self._line)
        answer = line.ask(request)
        if "pid" not in answer:
            raise NotForked(f"the fork-server could not fork: {answer.get('error')}")
        self._failures = 0
        return Forked(answer["pid"], line.process.pid)

    def _begin(self) -> None:
        if self._line is None and self._failures < _MOST_FAILURES:
            self._line = self._new()

    def _new(self) -> _Line:
        return _Line(self._python(), self._environment, self._folder)

    def _replaced(self, line: _Line) -> _Line:
        """The line, or the one in its place: that is begun when this is worn, and takes its place when it is ready, so that nobody waits."""
        if self._next is None:
            if line.is_worn():
                with suppress(OSError):
                    self._next = self._new()
        elif self._next.has_greeted():
            following, self._next = self._next, None
            try:
                following.await_ready()
            except (NotForked, OSError, EOFError, ValueError):  # the worn one does it for now
                following.close()
                return line
            line.close()
            self._line = line = following
        return line

    def _begin_anew(self) -> None:
        """For the next one. What was asked may have been done: then the run's process has its file, and another one leaves it alone."""
        if self._line is None:
            return
        self._line.close()
        self._line = None
        self._failures += 1
        with suppress(OSError):
            self._begin()

    def close(self) -> None:
        """Ends it; what it has forked goes on."""
        with self._lock:
            for line in (self._line, self._next):
                if line is not None:
                    line.close()
            self._line = self._next = None
            self._failures = _MOST_FAILURES
