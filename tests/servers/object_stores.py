"""What every storage in buckets is tried with, beside what the conformance kit says of all storages."""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from headrace.errors import StorageAway
from headrace.ports.storage import Storage
from headrace.testing.conformance.storage import read

_LARGE_VALUE = """
import hashlib, importlib, resource, sys

module, name, options = sys.argv[1:]
with getattr(importlib.import_module(module), name)(**eval(options)).open() as opened:
    opened.write("small", [b"value"])
    with opened.open("small") as file:
        file.read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chunk = bytes(1_000_000)
    written = opened.write("large", (chunk for _ in range(300)))
    digest = hashlib.sha256()
    with opened.open("large") as file:
        while piece := file.read(1_000_000):
            digest.update(piece)
    assert (written.size, written.sha256) == (300_000_000, digest.hexdigest())
    opened.delete("large")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 180, f"it grew by {grown:.0f} MB"
"""


def check_memory_of_a_large_value(kind: type, options: Mapping[str, Any]) -> None:
    """300 MB are written and read by a process whose memory grows by less than 180 MB meanwhile."""
    command = [sys.executable, "-c", _LARGE_VALUE, kind.__module__, kind.__name__, repr(dict(options))]
    subprocess.run(command, check=True, timeout=120)


def check_two_values_are_never_mixed(storage: Storage) -> None:
    """Who reads a large value while it is written anew reads the old one on, or is told to read again."""
    with storage.open() as opened:
        opened.write("key", (b"a" * 1_000_000 for _ in range(40)))
        with opened.open("key") as file:
            start = file.read(1_000_000)
            opened.write("key", (b"b" * 1_000_000 for _ in range(40)))
            try:
                rest = file.read()
            except StorageAway as error:
                assert "was written anew while it was read; read it again" in str(error)  # noqa: PT017 - either may be
                rest = b"a"
        assert set(start + rest) == set(b"a")
        assert set(read(opened, "key")) == set(b"b")


def check_connections_are_closed(storage: Storage) -> None:
    """Who opens it many times has no more files open than who opened it once."""

    def used() -> int:
        with storage.open() as opened:
            opened.write("key", [b"value"])
            assert read(opened, "key") == b"value"
        return len(os.listdir("/proc/self/fd"))

    first = used()
    assert max(used() for _ in range(5)) <= first + 1
