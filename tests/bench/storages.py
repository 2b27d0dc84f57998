"""Storages against the bare calls of the file systems under them, on servers of their kinds; and a tree of many files that is deployed again.

Ours and the bare call take turns, so that what else the machine does meets both. A folder of this machine is held against writing, flushing and renaming
with a hash of the bytes, which is what it promises.
"""

import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from servers import azure, gcs, s3

from headrace.ports.storage import OpenStorage

SIZES = {"1 kB": 1_000, "8 MB": 8_000_000, "64 MB": 64_000_000}
ROUNDS = {1_000: 60, 8_000_000: 15, 64_000_000: 5}
PIECE = 1_000_000


@attrs.frozen(kw_only=True)
class Pair:
    """What was measured: seconds of ours and of the bare call, each at the median."""

    what: str
    ours: float
    bare: float


@attrs.frozen(kw_only=True)
class Bare:
    """The same without us."""

    write: Callable[[str, bytes], object]
    read: Callable[[str], bytes]


def pairs(folder: Path) -> Iterator[Pair]:
    """All storages, one after the other."""
    for kind, opened in (("local", _local), ("s3", _s3), ("gcs", _gcs), ("azure", _azure)):
        with opened(folder / kind) as (storage, bare):
            for words, size in SIZES.items():
                yield from _measured(f"{kind}: %s {words}", storage, bare, size)


def _measured(what: str, storage: OpenStorage, bare: Bare, size: int) -> Iterator[Pair]:
    value = os.urandom(size)
    chunks = [value[start : start + PIECE] for start in range(0, size, PIECE)]

    def read() -> bytes:
        with storage.open("ours") as file:
            return file.read()

    yield _in_turns(what % "write", lambda: storage.write("ours", chunks), lambda: bare.write("bare", value), ROUNDS[size])
    assert read() == bare.read("bare") == value
    yield _in_turns(what % "read", read, lambda: bare.read("bare"), ROUNDS[size])


def _in_turns(what: str, ours: Callable[[], object], bare: Callable[[], object], rounds: int) -> Pair:
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(rounds + 2):
        acts = [("ours", ours), ("bare", bare)]
        for name, act in acts if number % 2 else reversed(acts):
            start = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - start)
    return Pair(what=what, ours=statistics.median(taken["ours"][2:]), bare=statistics.median(taken["bare"][2:]))


@contextmanager
def _local(folder: Path) -> Iterator[tuple[OpenStorage, Bare]]:
    from headrace_files.local import LocalStorage

    def write(key: str, value: bytes) -> None:
        beside = folder / f".{key}"
        with open(beside, "wb") as file:
            file.write(value)
            hashlib.sha256(value).hexdigest()
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, folder / key)

    folder.mkdir(parents=True)
    with LocalStorage(path=folder).open() as storage:
        yield storage, Bare(write=write, read=lambda key: (folder / key).read_bytes())


@contextmanager
def _s3(folder: Path) -> Iterator[tuple[OpenStorage, Bare]]:
    from headrace_s3.storage import S3Storage

    with s3.seaweed(folder) as server:
        key: dict[str, Any] = {"aws_access_key_id": s3.KEY, "aws_secret_access_key": s3.SECRET}
        with S3Storage(bucket=s3.BUCKET, endpoint_url=server.url, **key).open() as storage:
            yield storage, _of_files(storage, s3.BUCKET)


@contextmanager
def _gcs(folder: Path) -> Iterator[tuple[OpenStorage, Bare]]:
    from headrace_gcs.storage import GcsStorage

    with gcs.fake_gcs(folder) as server, GcsStorage(bucket=gcs.BUCKET, endpoint_url=server.url).open() as storage:
        yield storage, _of_files(storage, gcs.BUCKET)


@contextmanager
def _azure(folder: Path) -> Iterator[tuple[OpenStorage, Bare]]:
    from headrace_azure.storage import AzureStorage

    with azure.azurite(folder) as server:
        with AzureStorage(container=azure.CONTAINER, connection_string=server.connection_string).open() as storage:
            yield storage, _of_files(storage, azure.CONTAINER)


def _of_files(storage: Any, root: str) -> Bare:
    """The calls of the file system that a storage has open, so that both use one connection."""
    files = storage._files
    return Bare(write=lambda key, value: files.pipe_file(f"{root}/{key}", value), read=lambda key: bytes(files.cat_file(f"{root}/{key}")))


def again(home: Path, files: int) -> tuple[float, float]:
    """Seconds that a tree of so many files takes to be deployed for the first time, and again without a change, into a bucket; with the import in a
    process of its own."""
    import headrace
    from headrace.deploying.apply import applied
    from headrace.deploying.plan import planned
    from headrace.deploying.reading import read_specs
    from headrace.settings import load

    project = home / "project"
    project.mkdir(parents=True)
    (project / "leo.py").write_text("from headrace import flow\n\n@flow\ndef leo():\n    pass\n")
    for number in range(files):
        (project / f"data{number}.txt").write_text(f"{number}\n" * 50)
    with s3.rclone_s3(home / "bucket") as server:
        storage = {"type": "s3", "bucket": s3.BUCKET, "endpoint_url": server.url, "aws_access_key_id": s3.KEY}
        os.environ["BENCH_S3"] = s3.SECRET
        (home / "spec.yaml").write_text(
            "name: d\nentrypoint: leo:leo\nproject_root: project\nflow_storage: "
            + json.dumps({**storage, "aws_secret_access_key": "secret://env/BENCH_S3"})
        )
        taken = []
        with headrace.open(load({"HEADRACE_HOME": str(home / "home")}), lasting=True) as house:
            for _ in range(4):
                start = time.perf_counter()
                specs = read_specs(home / "spec.yaml", registry=house.registry, blocked=(), folder=home)
                plan = planned(house, specs, verifies=True, say=lambda words: None)
                applied(house, plan, say=lambda words: None)
                taken.append(time.perf_counter() - start)
    return taken[0], statistics.median(taken[1:])
