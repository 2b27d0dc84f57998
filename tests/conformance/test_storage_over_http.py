"""The storage of a server is a storage like any other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace
from headrace.errors import NotStored, StorageAway, StorageUnusable
from headrace.instance import Instance
from headrace.ports.storage import Storage
from headrace.settings import load
from headrace.testing.conformance.storage import StorageConformance
from headrace_client.storage import ServerStorage
from headrace_server.serving import Address, Serving, in_a_thread, served


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Instance]:
    with headrace.open(load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})) as opened:
        yield opened


class TestServerStorage(StorageConformance):
    """Over a folder of the server."""

    @pytest.fixture
    def storage(self, house: Instance) -> Iterator[Storage]:
        with served(house) as url:
            yield ServerStorage(url=url)


def test_what_is_kept_lies_in_the_servers_folder(house: Instance) -> None:
    """The server itself, and who works in its home without it, find it there."""
    with served(house) as url, ServerStorage(url=url).open() as storage:
        storage.write("results/a/b", [b"value"])
    with house.code_storage() as storage, storage.open("results/a/b") as file:
        assert file.read() == b"value"


def test_where_it_lies_is_told_to_nobody(house: Instance) -> None:
    """What is not there is not there: no error names a folder of the server."""
    with served(house) as url, ServerStorage(url=url).open() as storage:
        with pytest.raises(NotStored) as caught:
            storage.open("results/a/b")
    assert str(caught.value) == "nothing is stored under key 'results/a/b' in the storage of the server"


def test_the_folder_is_bounded(house: Instance) -> None:
    """What does not fit is refused with a sentence, and what is there stays."""
    with in_a_thread(Serving(house, Address(), storage_bytes=100)) as serving, ServerStorage(url=serving.url).open() as storage:
        storage.write("one", [b"x" * 60])
        for size in (41, 101):
            with pytest.raises(
                StorageUnusable, match="the server's storage is full: it may hold .*; free some with `headrace store gc` there"
            ):
                storage.write("two", [b"y" * size])
        storage.delete("one")
        storage.write("two", [b"y" * 100])
        assert list(storage.keys()) == ["two"]


def test_a_server_that_is_away_may_come_back(house: Instance) -> None:
    """That is what who waits for a storage is told."""
    with served(house) as url:
        pass
    with ServerStorage(url=url).open() as storage:
        for ask in (lambda: storage.exists("key"), lambda: storage.open("key"), lambda: storage.write("key", [b"value"])):
            with pytest.raises(StorageAway, match="127.0.0.1"):
                ask()
