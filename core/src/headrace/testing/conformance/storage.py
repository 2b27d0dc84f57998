"""What every storage does."""

import hashlib
import threading
from collections.abc import Iterator

import attrs
import pytest

from headrace.errors import NotStored, WrongKey
from headrace.ports.storage import OpenStorage, Storage
from headrace.testing.conformance.facts import Facts

WRONG_KEYS = ["", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\\b", "a\0b"]
WRONG_PREFIXES = ["/", "/etc", "../", "../a", "a//", "a/../", "a\\", "a\0"]
CHUNK = bytes(range(256)) * 1024
SECONDS = 60


class Interrupted(Exception):
    """Raised by a test in the middle of a value."""


def read(storage: OpenStorage, key: str) -> bytes:
    """All that is stored under the key."""
    with storage.open(key) as file:
        return file.read()


def broken_off(size: int) -> Iterator[bytes]:
    """Chunks of this size in all, then an exception in place of the end."""
    for _ in range(0, size, len(CHUNK)):
        yield CHUNK
    raise Interrupted


class StorageConformance(Facts):
    """Facts about storages. Override the fixture `storage`: a storage value whose place is empty and belongs to this test alone."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError("override the fixture `storage`; it gives the storage to try")

    @pytest.fixture
    def opened(self, storage: Storage) -> Iterator[OpenStorage]:
        with storage.open() as opened:
            yield opened

    # Values

    def test_a_storage_is_a_value(self, storage: Storage) -> None:
        """A storage equals another one with the same fields; opening one changes nothing about that."""
        with storage.open():
            assert attrs.evolve(storage) == storage  # type: ignore[misc]

    def test_a_second_opening_sees_what_outlives_the_process(self, storage: Storage) -> None:
        """What is written is seen through another opening of an equal value, if the storage outlives the process."""
        with storage.open() as first, attrs.evolve(storage).open() as second:  # type: ignore[misc]
            first.write("key", [b"value"])
            assert second.exists("key") or not storage.outlives_process
            assert list(second.keys()) in (["key"], ["key"] * storage.outlives_process)
        with attrs.evolve(storage).open() as third:  # type: ignore[misc]
            assert third.exists("key") or not storage.outlives_process

    # Writing and reading

    @pytest.mark.parametrize("key", ["key", "folder/key", "a/b/c/d/e", ".hidden", "a.b/..c", "with space/ümläut-漢字", "k" * 100])
    def test_what_is_written_is_read(self, opened: OpenStorage, key: str) -> None:
        """Bytes come back as they were written, whatever a right key looks like."""
        opened.write(key, [b"one ", b"", b"\x00\xff", b" two"])
        assert read(opened, key) == b"one \x00\xff two"
        assert list(opened.keys()) == [key]

    @pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
    def test_an_empty_value_is_a_value(self, opened: OpenStorage, chunks: list[bytes]) -> None:
        """Nothing at all can be written and read; it is not the same as an absent key."""
        written = opened.write("empty", chunks)
        assert (written.size, written.sha256) == (0, hashlib.sha256().hexdigest())
        assert opened.exists("empty")
        assert read(opened, "empty") == b""

    def test_size_and_hash_are_right(self, opened: OpenStorage) -> None:
        """Writing 12 MB from an iterator tells their size and sha256, and they are read in pieces as they were written."""
        written = opened.write("big", (CHUNK for _ in range(48)))
        expected = CHUNK * 48
        assert written.size == len(expected) == 12 * 1024 * 1024
        assert written.sha256 == hashlib.sha256(expected).hexdigest()
        digest = hashlib.sha256()
        with opened.open("big") as file:
            while piece := file.read(100_000):
                assert len(piece) <= 100_000
                digest.update(piece)
        assert digest.hexdigest() == written.sha256

    def test_a_key_can_be_written_again(self, opened: OpenStorage) -> None:
        """The new value takes the place of the old one, be it longer or shorter."""
        for value in (b"first", b"the second, which is longer", b"3rd", b""):
            opened.write("key", [value])
            assert read(opened, "key") == value
        assert list(opened.keys()) == ["key"]

    def test_every_opening_reads_from_the_start(self, opened: OpenStorage) -> None:
        """Readers of one key do not disturb each other."""
        opened.write("key", [b"value"])
        with opened.open("key") as one, opened.open("key") as other:
            assert one.read(3) == b"val"
            assert other.read() == b"value"
            assert one.read() == b"ue"

    # What is not there

    def test_an_absent_key_cannot_be_read(self, opened: OpenStorage) -> None:
        """Reading what is not stored raises NotStored with its key, at the opening."""
        opened.write("folder/key", [b"value"])
        for key in ("absent", "absent/key", "folder/absent", "folder"):
            assert not opened.exists(key)
            with pytest.raises(NotStored) as raised:
                opened.open(key)
            assert raised.value.key == key

    def test_deleting_forgets(self, opened: OpenStorage) -> None:
        """A deleted key is gone and can be written anew; its neighbours stay."""
        for key in ("folder/key", "folder/key2", "folder2/key"):
            opened.write(key, [b"value"])
        opened.delete("folder/key")
        assert not opened.exists("folder/key")
        assert list(opened.keys()) == ["folder/key2", "folder2/key"]
        opened.write("folder/key", [b"again"])
        assert read(opened, "folder/key") == b"again"

    def test_deleting_what_is_not_there_is_no_error(self, opened: OpenStorage) -> None:
        """An absent key can be deleted, and what lies under a key as under a folder survives its deletion."""
        opened.write("folder/key", [b"value"])
        for key in ("absent", "absent/key", "folder", "folder/absent"):
            opened.delete(key)
        assert list(opened.keys()) == ["folder/key"]

    # Keys

    def test_keys_are_complete_and_sorted(self, opened: OpenStorage) -> None:
        """All keys are told, nested ones too, in the order of their characters."""
        keys = ["a-b", "a.b/c", "a/b", "a/b-c", "a/c/d/e", "ab", "b", "b-/a", "b0", "c/ä", "c/z", "Z"]
        for key in reversed(keys):
            opened.write(key, [b"value"])
        assert list(opened.keys()) == sorted(keys)

    def test_keys_by_prefix(self, opened: OpenStorage) -> None:
        """A prefix is the start of a text, whether or not it ends where a part does."""
        for key in ("a", "ab/c", "ab/cd", "ab/d", "abc", "b/ab/c"):
            opened.write(key, [b"value"])
        assert list(opened.keys("ab")) == ["ab/c", "ab/cd", "ab/d", "abc"]
        assert list(opened.keys("ab/")) == ["ab/c", "ab/cd", "ab/d"]
        assert list(opened.keys("ab/c")) == ["ab/c", "ab/cd"]
        assert list(opened.keys("a")) == ["a", "ab/c", "ab/cd", "ab/d", "abc"]
        assert list(opened.keys("absent")) == list(opened.keys("absent/key")) == list(opened.keys("a/")) == []

    def test_an_empty_storage_has_no_keys(self, opened: OpenStorage) -> None:
        """A place where nothing was ever written is no error."""
        assert list(opened.keys()) == list(opened.keys("folder/")) == []
        assert not opened.exists("key")
        opened.delete("key")

    @pytest.mark.parametrize("key", WRONG_KEYS)
    def test_wrong_keys_are_refused(self, opened: OpenStorage, key: str) -> None:
        """A key that is empty, absolute or climbing is refused by every method, before anything is done."""
        for method in (opened.open, opened.exists, opened.delete):
            with pytest.raises(WrongKey):
                method(key)
        with pytest.raises(WrongKey):
            opened.write(key, [b"value"])
        assert list(opened.keys()) == []

    @pytest.mark.parametrize("prefix", WRONG_PREFIXES)
    def test_wrong_prefixes_are_refused(self, opened: OpenStorage, prefix: str) -> None:
        """A prefix that no right key can start with is refused at once: it could look outside of the storage's place."""
        with pytest.raises(WrongKey):
            opened.keys(prefix)

    # Wholeness

    @pytest.mark.parametrize("size", [0, len(CHUNK), 12 * 1024 * 1024])
    def test_an_interrupted_write_changes_nothing(self, opened: OpenStorage, size: int) -> None:
        """Where the chunks end in an exception it reaches the writer, the old value stays, and no other key appears."""
        opened.write("key", [b"old"])
        for key in ("key", "new"):
            with pytest.raises(Interrupted):
                opened.write(key, broken_off(size))
        assert read(opened, "key") == b"old"
        assert list(opened.keys()) == ["key"]
        assert not opened.exists("new")

    def test_a_value_is_not_seen_before_it_is_whole(self, opened: OpenStorage) -> None:
        """While a value is being written, the old one is read, and only its key is told."""

        def chunks() -> Iterator[bytes]:
            for _ in range(24):
                yield CHUNK
            assert read(opened, "key") == b"old"
            assert not opened.exists("new")
            assert list(opened.keys()) == ["key"]
            yield b"end"

        opened.write("key", [b"old"])
        opened.write("key", chunks())
        assert read(opened, "key") == CHUNK * 24 + b"end"
        opened.write("key", [b"old"])
        opened.write("new", chunks())
        assert list(opened.keys()) == ["key", "new"]

    def test_concurrent_writers_and_readers_of_one_key(self, opened: OpenStorage) -> None:
        """Eight threads that write one key leave the whole value of one of them, and whoever reads meanwhile sees a whole value."""
        values = {bytes([65 + writer]) * 300_000 for writer in range(8)}
        opened.write("key", [b"A" * 300_000])
        barrier = threading.Barrier(8, timeout=SECONDS)
        faults: list[object] = []

        def use(value: bytes) -> None:
            try:
                barrier.wait()
                for _ in range(3):
                    opened.write("key", [value[:100_000], value[100_000:]])
                    seen = read(opened, "key")
                    if seen not in values:
                        faults.append(("mixed", len(seen), set(seen)))
            except BaseException as error:
                faults.append(error)

        threads = [threading.Thread(target=use, args=(value,)) for value in values]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert faults == []
        assert read(opened, "key") in values
        assert list(opened.keys()) == ["key"]

    def test_concurrent_writers_of_many_keys(self, opened: OpenStorage) -> None:
        """Eight threads that write into the same new folders lose nothing."""
        barrier = threading.Barrier(8, timeout=SECONDS)
        faults: list[BaseException] = []

        def use(writer: int) -> None:
            try:
                barrier.wait()
                for number in range(5):
                    opened.write(f"new/{number}/deep/{writer}", [b"value"])
            except BaseException as error:
                faults.append(error)

        threads = [threading.Thread(target=use, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert faults == []
        assert list(opened.keys()) == sorted(f"new/{number}/deep/{writer}" for number in range(5) for writer in range(8))
