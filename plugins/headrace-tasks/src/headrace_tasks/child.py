"""A process that runs calls for this one, one at a time.

Both sides are joined by a socket, and a pickled `bytes` object is the envelope of every message, since pickles tell where they end. The system
closes the socket when this process ends, however it ends, and the child leaves when it has nothing left to do. That the child ended is asked of the
system too: what a call started may have outlived the child and hold its side of the socket open.
"""

import pickle
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import BinaryIO, cast

import attrs

from headrace.errors import CallLost

# -P, and the path of this process, so that no file in the current folder stands in for a module that is needed here
_START = """
import pickle, socket, sys
connection = socket.socket(fileno=int(sys.argv.pop()))
connection.set_inheritable(False)
stream = connection.makefile("rwb")
sys.path[:] = pickle.loads(pickle.load(stream))
from headrace_tasks.serving import serve
serve(stream)
"""

_LOOK_SECONDS = 1.0
"""How often it is asked whether a child that does not answer still lives."""

_LEAVE_SECONDS = 10.0
"""How long a child that was dismissed may take to end; threads and exit handlers of the calls may hold it."""


@attrs.frozen(kw_only=True)
class Child:
    """A child process and the line to it. One thread uses it at a time."""

    process: "subprocess.Popen[bytes]"
    connection: socket.socket
    stream: BinaryIO

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def run(self, call: bytes) -> bytes:
        """The answer to a pickled call. Raises CallLost where the child ended first."""
        try:
            self._send(call)
            self._await_answer()
            return cast(bytes, pickle.load(self.stream))
        except (OSError, EOFError, pickle.UnpicklingError):
            pass  # how it ended says more
        # the line is cut, so whatever still runs there can answer nobody
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LOOK_SECONDS)
        raise CallLost(how=_how_it_ended(self.process.poll()))

    def _send(self, content: bytes) -> None:
        pickle.dump(content, self.stream, protocol=pickle.HIGHEST_PROTOCOL)
        self.stream.flush()

    def _await_answer(self) -> None:
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        while not poll.poll(_LOOK_SECONDS * 1000):
            if not self.is_alive() and not poll.poll(0):
                raise EOFError

    def dismiss(self) -> None:
        """Tells it to leave."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def await_end(self) -> None:
        """Returns when it has left; one that does not leave is killed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LEAVE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Ends it now; there is nothing left of it afterwards."""
        self.process.kill()
        self.process.wait()
        with suppress(OSError):  # what could not be sent
            self.stream.close()
        self.connection.close()


def started() -> Child:
    """A new child. It imports nothing of the script, and finds modules where this process does."""
    connection, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
    except BaseException:
        connection.close()
        raise
    child = Child(process=process, connection=connection, stream=cast(BinaryIO, connection.makefile("rwb")))
    child._send(pickle.dumps(sys.path))
    return child


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "it closed its line and went on"
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"{name}, as the system sends it when memory runs out" if code == -signal.SIGKILL else name
