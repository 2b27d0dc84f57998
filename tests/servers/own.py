"""A server of headrace itself, and the environment that its commands are given in."""

import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of this process without those of headrace and Python, in a home."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
    return {**plain, "HEADRACE_HOME": str(home), **more}


@contextmanager
def headrace_server(home: Path, *options: str, folder: Path | None = None, **more: str) -> Iterator[str]:
    """The address of a server in a home, on a port that nobody has, started in a folder; it ends at once, without a last word."""
    process = subprocess.Popen(
        [COMMAND, "server", "start", "--port", "0", *options],
        env=environment(home, **more),
        cwd=folder,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        found = re.search(r"http://[\w.]+:\d+/api", process.stderr.readline())
        assert found, "it says where it is"
        yield found[0]
    finally:
        process.kill()
        process.communicate()
