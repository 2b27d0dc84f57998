"""The storage is one, on a server that speaks as Google's does, and loses nothing when its server is lost."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.gcs import GcsServer, fake_gcs
from servers.object_stores import check_connections_are_closed, check_memory_of_a_large_value, check_two_values_are_never_mixed

from headrace.errors import StorageAway
from headrace.ports.storage import Storage
from headrace.testing.conformance.storage import CHUNK, StorageConformance, broken_off, read
from headrace_gcs.storage import GcsStorage

StorageOn = Callable[[GcsServer], GcsStorage]
LARGE = 40_000_000


class TestGcsStorage(StorageConformance):
    @pytest.fixture
    def storage(self, gcs_server: GcsServer, storage_on: StorageOn) -> Storage:
        return storage_on(gcs_server)


def test_keys_lie_under_the_prefix(gcs_server: GcsServer, storage_on: StorageOn) -> None:
    """Two storages of one bucket do not see each other, and one without a prefix sees both."""
    one = storage_on(gcs_server)
    with one.open() as opened:
        opened.write("key", [b"value"])
        with GcsStorage(**_options(one) | {"prefix": f"{one.prefix}-other"}).open() as other:
            assert list(other.keys()) == []
        with GcsStorage(**_options(one) | {"prefix": ""}).open() as whole:
            assert list(whole.keys(f"{one.prefix}/")) == [f"{one.prefix}/key"]


@pytest.mark.parametrize("address", ["{}/", "{}"])
def test_an_address_is_written_in_any_way(gcs_server: GcsServer, storage_on: StorageOn, address: str) -> None:
    """A slash at its end means nothing."""
    with GcsStorage(**_options(storage_on(gcs_server)) | {"endpoint_url": address.format(gcs_server.url)}).open() as opened:
        opened.write("key", [b"value"])
        assert read(opened, "key") == b"value"


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_value_may_hold_what_parts_an_upload(gcs_server: GcsServer, storage_on: StorageOn, size: int) -> None:
    """The line that gcsfs parts the body of a small upload by is a value as any other."""
    value = b"a" * size + b"\n--==0==--\nand more" + b"b" * size
    with storage_on(gcs_server).open() as opened:
        opened.write("key", [value])
        assert read(opened, "key") == value


def test_a_large_value_that_is_given_up_leaves_nothing(gcs_server: GcsServer, storage_on: StorageOn) -> None:
    """Parts that were sent of a value that was not finished become no value, also when all is closed."""
    storage = storage_on(gcs_server)
    with storage.open() as opened, pytest.raises(Exception, match="^$"):
        opened.write("key", broken_off(LARGE))
    with storage.open() as opened:
        assert list(opened.keys()) == []


def test_two_values_are_never_mixed_in_one_reading(gcs_server: GcsServer, storage_on: StorageOn) -> None:
    """Who reads a large value while it is written anew reads the old one on, or is told to read again."""
    check_two_values_are_never_mixed(storage_on(gcs_server))


def test_a_server_that_is_killed_in_a_write_is_told(tmp_path: Path, storage_on: StorageOn) -> None:
    """Where the server is lost in the middle of a value, the writer is told what it may try again; the old value is there when it comes back."""
    with fake_gcs(tmp_path / "server") as server:
        storage = storage_on(server)
        with storage.open() as opened:
            opened.write("key", [b"old"])

            def chunks() -> Iterator[bytes]:
                yield from [CHUNK] * 100
                os.kill(server.pid, signal.SIGKILL)
                yield from [CHUNK] * 100

            with pytest.raises(StorageAway, match=f"at gs://flows/{storage.prefix} at {server.url} cannot be used: it does not answer"):
                opened.write("key", chunks())
    with fake_gcs(tmp_path / "server") as server, storage_on(server).open() as opened:
        assert read(opened, "key") == b"old"


def test_a_large_value_is_never_whole_in_memory(gcs_server: GcsServer, storage_on: StorageOn) -> None:
    """300 MB are written and read by a process whose memory grows by less than 180 MB meanwhile."""
    check_memory_of_a_large_value(GcsStorage, _options(storage_on(gcs_server)))


def test_a_storage_closes_its_connections(gcs_server: GcsServer, storage_on: StorageOn) -> None:
    """Who opens it many times has no more files open than who opened it once."""
    check_connections_are_closed(storage_on(gcs_server))


def _options(storage: GcsStorage) -> dict[str, object]:
    return {name: getattr(storage, name) for name in ("bucket", "prefix", "endpoint_url")}
