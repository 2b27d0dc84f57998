"""How a process comes into being: what whoever started it knows of it before it is known by its file."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from headrace.processes.process_file import Look


class Birth(Protocol):
    """A process that was just started."""

    @property
    def pid(self) -> int: ...

    @property
    def code(self) -> int | None:
        """Its exit code once it is over, if it can be known."""
        ...

    def is_over(self, look: Look) -> bool:
        """Whether it has ended, given what its file said."""
        ...


class Child:
    """A process that is a child of this one. It owns itself, so nobody is warned when it is let go while it lives."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.pid = process.pid

    @property
    def code(self) -> int | None:
        # whoever says 0 has told its file how it ended, or has left the run to somebody else
        return self._process.returncode or None

    def is_over(self, look: Look) -> bool:
        """Asks the system, which also takes the ended child out of its table."""
        return self._process.poll() is not None

    def __del__(self) -> None:
        if self._process.returncode is None:
            self._process.returncode = 0


def born(command: Sequence[str], environment: Mapping[str, str], *, folder: Path, errors: Path) -> Child:
    """Starts a child in a session of its own, its standard error in a file. Raises OSError."""
    file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            start_new_session=True,
        )
    finally:
        os.close(file)
    return Child(process)
