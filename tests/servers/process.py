"""A server as a process of its own: started, waited for, and ended by its pid."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST_START = 60


@contextmanager
def served(command: Sequence[str], port: int, folder: Path, *, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """The pid of a server that takes connections on the port; what it prints goes into its folder. It ends at once, without a last word."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, cwd=folder, env=environment, start_new_session=True
        )
    try:
        _wait(process, port, folder / "printed")
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_ports(count: int, *, beside: int = 0) -> list[int]:
    """Ports that nobody listens on; nor on those that lie `beside` further, where that is asked for."""
    found: list[int] = []
    with _Held() as held:
        while len(found) < count:
            port = held.bound(0)
            if not beside or (port + beside < 65_536 and held.bound(port + beside)):
                found.append(port)
    return found


class _Held:
    """Ports that stay taken while others are looked for."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> "_Held":
        return self

    def __exit__(self, *error: object) -> None:
        for each in self._sockets:
            each.close()

    def bound(self, port: int) -> int:
        """The port, taken now; 0 if somebody else has it."""
        found = socket.socket()
        try:
            found.bind(("127.0.0.1", port))
        except OSError:
            found.close()
            return 0
        self._sockets.append(found)
        return int(found.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", port: int, printed: Path) -> None:
    until = time.monotonic() + LONGEST_START
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args} does not listen on {port}:\n{printed.read_text(errors='replace')[-2000:]}")
