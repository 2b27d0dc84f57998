"""The storage is one, on a server that speaks as Azure does, and loses nothing when its server is lost."""

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.storage.blob.aio import BlobServiceClient
from servers.azure import AzureServer, azurite
from servers.object_stores import check_connections_are_closed, check_memory_of_a_large_value, check_two_values_are_never_mixed

from headrace.errors import StorageAway
from headrace.ports.storage import OpenStorage, Storage
from headrace.testing.conformance.storage import CHUNK, StorageConformance, broken_off, read
from headrace_azure.storage import AzureStorage

StorageOn = Callable[[AzureServer], AzureStorage]
LARGE = 40_000_000


class TestAzureStorage(StorageConformance):
    @pytest.fixture
    def storage(self, azure_server: AzureServer, storage_on: StorageOn) -> Storage:
        return storage_on(azure_server)


def test_keys_lie_under_the_prefix(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """Two storages of one container do not see each other, and one without a prefix sees both."""
    one = storage_on(azure_server)
    with one.open() as opened:
        opened.write("key", [b"value"])
        with AzureStorage(**_options(one) | {"prefix": f"{one.prefix}-other"}).open() as other:
            assert list(other.keys()) == []
        with AzureStorage(**_options(one) | {"prefix": ""}).open() as whole:
            assert list(whole.keys(f"{one.prefix}/")) == [f"{one.prefix}/key"]


def test_a_large_value_that_is_given_up_leaves_nothing(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """Parts that were sent of a value that was not finished become no value, also when all is closed."""
    storage = storage_on(azure_server)
    with storage.open() as opened, pytest.raises(Exception, match="^$"):
        opened.write("key", broken_off(LARGE))
    with storage.open() as opened:
        assert list(opened.keys()) == []


def test_two_values_are_never_mixed_in_one_reading(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """Who reads a large value while it is written anew reads the old one on, or is told to read again."""
    check_two_values_are_never_mixed(storage_on(azure_server))


def test_a_server_that_is_lost_in_a_write_is_told(tmp_path: Path, storage_on: StorageOn) -> None:
    """Where the server is lost in the middle of a value, the writer is told what it may try again; the old value is there when it comes back."""
    with azurite(tmp_path / "server") as server:
        storage = storage_on(server)
        with storage.open() as opened:
            opened.write("key", [b"old"])

            def chunks() -> Iterator[bytes]:
                yield from [CHUNK] * 100
                os.kill(server.pid, signal.SIGTERM)  # it keeps nothing that it wrote in the seconds before another end
                os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
                yield from [CHUNK] * 100

            with pytest.raises(StorageAway, match=f"at az://flows/{storage.prefix} cannot be used: it does not answer"):
                opened.write("key", chunks())
    with azurite(tmp_path / "server") as server, storage_on(server).open() as opened:
        assert read(opened, "key") == b"old"


def test_a_large_value_is_never_whole_in_memory(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """300 MB are written and read by a process whose memory grows by less than 180 MB meanwhile."""
    check_memory_of_a_large_value(AzureStorage, _options(storage_on(azure_server)))


def test_concurrent_writers_of_a_large_value(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """Of those who write one large value at once, whoever loses is told to write again, and the value is whole."""
    told: list[object] = []
    barrier = threading.Barrier(3, timeout=60)

    def write(opened: OpenStorage, value: bytes) -> None:
        try:
            barrier.wait()
            opened.write("key", [value] * 40)
        except Exception as error:
            told.append(error)

    with storage_on(azure_server).open() as opened:
        writers = [threading.Thread(target=write, args=(opened, letter * 1_000_000)) for letter in (b"a", b"b", b"c")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        value = read(opened, "key")
    assert len(value) == 40_000_000
    assert len(set(value)) == 1
    assert [error for error in told if not (isinstance(error, StorageAway) and "write it again" in str(error))] == []


def test_a_storage_leaves_no_client_behind(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """adlfs keeps every file system until the process ends; what is large about it is let go."""
    before = _clients()
    for _ in range(3):
        with storage_on(azure_server).open() as opened:
            assert not opened.exists("key")
    assert _clients() <= before


def test_a_storage_closes_its_connections(azure_server: AzureServer, storage_on: StorageOn) -> None:
    """Who opens it many times has no more files open than who opened it once."""
    check_connections_are_closed(storage_on(azure_server))


def _options(storage: AzureStorage) -> dict[str, object]:
    return {name: getattr(storage, name) for name in ("container", "prefix", "connection_string")}


def _clients() -> int:
    gc.collect()
    return sum(isinstance(each, BlobServiceClient) for each in gc.get_objects())
