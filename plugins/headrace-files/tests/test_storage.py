"""Each storage is one, and what is special about each."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem  # type: ignore[import-untyped]

from headrace.errors import InvalidOption, NotStored, StorageAway, StorageUnusable, WrongKey
from headrace.model.choices import Choice
from headrace.ports.storage import OpenStorage, Storage, Tidies
from headrace.testing.conformance.storage import StorageConformance, broken_off, read
from headrace_files.addresses import without
from headrace_files.file import FileStorage
from headrace_files.fsspec_storage import FsspecStorage
from headrace_files.keys import UNFINISHED
from headrace_files.local import LocalStorage
from headrace_files.object_storage import ObjectStorage
from headrace_files.temporary import TemporaryStorage


class TestLocalStorage(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(path=tmp_path / "not" / "made yet")


class TestTemporaryStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> Storage:
        return TemporaryStorage()


class TestFileStorageInMemory(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        # fsspec keeps one memory for the process, so each test takes a folder of its own and leaves nothing
        yield FileStorage(url=f"memory:/{tmp_path}")
        with_all = MemoryFileSystem()
        if with_all.exists(str(tmp_path)):
            with_all.rm(str(tmp_path), recursive=True)


class TestFileStorageOnThisMachine(StorageConformance):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return FileStorage(url=f"file://{tmp_path}/folder")


class Bucket(AbstractFileSystem):  # type: ignore[misc]
    """The plainest object store: names and bytes, no folders, uploads in parts that are seen when they are finished."""

    cachable = False

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__()
        self.objects = objects
        self.unfinished_uploads = 0

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "rb" and path not in self.objects:
            raise FileNotFoundError(path)
        return Upload(self, path, mode=mode, block_size=1_000_000, size=len(self.objects.get(path, b"")))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        start = path + "/"
        below = {name[len(start) :].partition("/")[:2] for name in tuple(self.objects) if name.startswith(start)}
        if not below and path not in self.objects:
            raise FileNotFoundError(path)
        return [{"name": start + name, "type": "directory" if slash else "file", "size": 0} for name, slash in below]

    def info(self, path: str, **options: Any) -> Any:
        if path in self.objects:
            return {"name": path, "type": "file", "size": len(self.objects[path])}
        self.ls(path)
        return {"name": path, "type": "directory", "size": 0}

    def rm_file(self, path: str) -> None:
        del self.objects[path]


class Upload(AbstractBufferedFile):  # type: ignore[misc]
    """An object being read, or one on its way there."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self.fs.objects[self.path][start:end])

    def _initiate_upload(self) -> None:
        self.parts: list[bytes] = []
        self.fs.unfinished_uploads += 1

    def _upload_chunk(self, final: bool = False) -> None:
        self.parts.append(self.buffer.getvalue())
        if final:
            self.fs.objects[self.path] = b"".join(self.parts)
            self.fs.unfinished_uploads -= 1

    def discard(self) -> None:
        if self.offset is not None:
            self.fs.unfinished_uploads -= 1


@attrs.frozen(kw_only=True)
class BucketStorage:
    """The plainest object store as a storage, as a plugin for one would write it."""

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = False

    objects: dict[str, bytes] = attrs.field(factory=dict)

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        files = Bucket(self.objects)
        yield ObjectStorage(files, "bucket/prefix", where="the bucket")
        assert files.unfinished_uploads == 0


class TestObjectStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> Storage:
        return BucketStorage()


# Local


def test_a_local_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the folder it meant when it was written, ~ means home, and text is a path: options come from files too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert LocalStorage(path="a/../b").path == tmp_path / "b"
    assert LocalStorage(path=Path("~/results")).path == Path("/home/somebody/results")
    choice = Choice("local", {"path": str(tmp_path)})
    assert LocalStorage(**choice.options) == LocalStorage(path=tmp_path)


def test_opening_makes_nothing(tmp_path: Path) -> None:
    """A folder is made by the first write; who only reads leaves no trace."""
    with LocalStorage(path=tmp_path / "folder").open() as storage:
        assert not storage.exists("key")
        assert list(storage.keys()) == []
        assert not (tmp_path / "folder").exists()
        storage.write("key", [b"value"])
    assert (tmp_path / "folder" / "key").read_bytes() == b"value"


def test_an_interrupted_write_leaves_no_file(tmp_path: Path) -> None:
    """Nothing remains on the disk of a value that was not finished."""
    with LocalStorage(path=tmp_path).open() as storage:
        with pytest.raises(Exception, match="^$"):
            storage.write("key", broken_off(1_000_000))
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from headrace_files.local import LocalStorage
from headrace_files.object_storage import ObjectStorage

def chunks():
    yield b"new" * 1_000_000
    os.kill(os.getpid(), signal.SIGKILL)

with LocalStorage(path=sys.argv[1]).open() as storage:
    storage.write("key", chunks())
"""


def test_a_killed_writer_changes_nothing(tmp_path: Path) -> None:
    """When a writer is killed in the middle the old value stays and no key appears, though its unfinished file remains on the disk."""
    with LocalStorage(path=tmp_path).open() as storage:
        storage.write("key", [b"old"])
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
        assert read(storage, "key") == b"old"
        assert list(storage.keys()) == ["key"]
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(UNFINISHED)]) == 1


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    """Once nobody has written to it for long, and below the prefix only; a value that is being written and keys stay, and a plan removes nothing."""
    now = datetime.now(UTC)
    long_ago = (now - timedelta(days=2)).timestamp()
    with LocalStorage(path=tmp_path).open() as storage:
        assert isinstance(storage, Tidies)
        assert storage.tidy("mine/", now) == []
        for key in ("mine/a/b", "mine/c", "others/d"):
            storage.write(key, [b"value"])
        left = ["mine/a/.writing-1", "mine/.writing-2", "others/.writing-3"]
        for place in [*left, "mine/a/b"]:
            (tmp_path / place).touch()
            os.utime(tmp_path / place, (long_ago, long_ago))
        (tmp_path / "mine" / ".writing-4").write_bytes(b"under way")
        before = now - timedelta(days=1)
        mine = sorted(left[:2])
        assert sorted(storage.tidy("mine/", before, is_plan=True)) == mine
        assert sorted(storage.tidy("mine/", before)) == mine
        assert storage.tidy("mine/", before) == []
        assert storage.tidy("", before) == left[2:]
        assert list(storage.keys()) == ["mine/a/b", "mine/c", "others/d"]
        assert (tmp_path / "mine" / ".writing-4").exists()


def test_names_of_unfinished_values_are_no_keys(tmp_path: Path) -> None:
    """A key that looks like the name of an unfinished value is refused, as it would not be told among the keys."""
    with LocalStorage(path=tmp_path).open() as storage, pytest.raises(WrongKey, match="for values being written"):
        storage.write(f"folder/{UNFINISHED}x", [b"value"])


def test_a_key_is_no_folder(tmp_path: Path) -> None:
    """On a file system a key cannot be both a value and a folder of others; who tries is told so, and nothing changes."""
    with LocalStorage(path=tmp_path).open() as storage:
        storage.write("a/b", [b"value"])
        for key in ("a", "a/b/c", "a/b/c/d"):
            with pytest.raises(WrongKey, match="choose another key"):
                storage.write(key, [b"other"])
        assert list(storage.keys()) == ["a/b"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """Where the folder cannot be made, the error says which and why."""
    (tmp_path / "file").write_text("in the way")
    with LocalStorage(path=tmp_path / "file").open() as storage:
        with pytest.raises(StorageUnusable, match=f"the storage at folder {tmp_path}/file cannot be used: "):
            storage.write("key", [b"value"])
        with pytest.raises(NotStored):
            storage.open("key")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is named with the system's words, the old value stays, and nothing else remains."""
    with LocalStorage(path=tmp_path).open() as storage:
        storage.write("key", [b"old"])
        monkeypatch.setattr("headrace_files.folder._made", lambda path: io.BufferedWriter(io.FileIO("/dev/full", "w")))
        with pytest.raises(StorageAway, match=os.strerror(errno.ENOSPC)):
            storage.write("key", [b"new"] * 100_000)
        assert read(storage, "key") == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_errors_of_the_chunks_pass(tmp_path: Path) -> None:
    """An error raised by the chunks is the caller's own and is not taken for one of the storage."""

    def chunks() -> Iterator[bytes]:
        yield b"value"
        raise FileExistsError("mine")

    for storage in (LocalStorage(path=tmp_path), FileStorage(url=f"memory:/{tmp_path}")):
        with storage.open() as opened, pytest.raises(FileExistsError, match="mine"):
            opened.write("key", chunks())


def test_local_does_not_load_fsspec(tmp_path: Path) -> None:
    """Using a local folder loads neither fsspec nor what it would bring: flows that keep results start fast."""
    program = f"""
import sys
from headrace_files.local import LocalStorage
from headrace_files.addresses import without
from headrace_files.file import FileStorage
for storage in (LocalStorage(path={str(tmp_path)!r}), FileStorage(url={f"file://{tmp_path}"!r})):
    with storage.open() as opened:
        opened.write("key", [b"value"])
        assert opened.open("key").read() == b"value"
assert not {{"fsspec", "asyncio", "tempfile"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# Temporary


def test_a_temporary_folder_goes() -> None:
    """Closing removes the folder with all that was written."""
    with TemporaryStorage().open() as storage:
        storage.write("a/b", [b"value"])
        file = storage.open("a/b")
        assert isinstance(file, io.BufferedReader)
        path = Path(file.name)
        file.close()
        assert path.exists()
    assert not path.parent.parent.exists()


# Addresses


def test_options_are_not_shown() -> None:
    """What is in the options, a password maybe, is not in the repr."""
    storage = FileStorage(url="sftp://host/folder", options={"username": "me", "password": "hunter2"})
    assert repr(storage) == "FileStorage(url='sftp://host/folder', options=***)"


@pytest.mark.parametrize("url", ["sftp://me:hunter2@host/folder", "sftp://:hunter2@host", "simplecache::sftp://me:hun@ter2@host/folder"])
def test_a_password_in_an_address_is_refused(url: str) -> None:
    """An address with a password is refused, without showing it, with a word on where to put it."""
    with pytest.raises(InvalidOption, match="options={'password'") as raised:
        FileStorage(url=url)
    assert "ter2" not in str(raised.value)


def test_an_address_without_a_protocol_is_refused() -> None:
    """A path is no address: the storage for that is another one."""
    with pytest.raises(InvalidOption, match="it must have a protocol"):
        FileStorage(url="/folder")


def test_no_option_is_shown_in_an_error() -> None:
    """What a library repeats of what it was given is hidden, wherever in the options it stands."""
    options = {"auth": ["leo", "hunter2"], "more": {"token": "hunter23"}, "port": 22, "empty": ""}
    assert without("TypeError: ['leo', 'hunter2'] hunter23 22", options) == "TypeError: ['***', '***'] *** 22"


def test_an_unknown_protocol_is_named() -> None:
    """An address that fsspec has never heard of is told with its protocol."""
    with pytest.raises(StorageUnusable, match="Protocol not known: pigeon"):
        with FileStorage(url="pigeon://coop/nest").open():
            pass


@pytest.mark.parametrize("key", ["a[1]*?.b", "*", "a/*/b", "%41#b"])
def test_keys_are_no_patterns(tmp_path: Path, key: str) -> None:
    """Characters that file systems read as patterns are characters: deleting `*` deletes the key of that name."""
    with FileStorage(url=f"memory:/{tmp_path}").open() as storage:
        storage.write("other", [b"other"])
        storage.write(key, [b"value"])
        assert read(storage, key) == b"value"
        storage.delete(key)
        assert list(storage.keys()) == ["other"]
        storage.delete("*")
        assert list(storage.keys()) == ["other"]
        storage.delete("other")


class Unreachable(MemoryFileSystem):  # type: ignore[misc]
    """A file system whose server is gone."""

    cachable = False

    def _fail(self, *arguments: Any, **options: Any) -> Any:
        raise ConnectionError("the server is gone")

    _open = ls = info = makedirs = isdir = rm_file = _fail


def test_a_lost_server_is_told() -> None:
    """No trouble on the way is taken for an absent key: every method says what happened, and where."""
    storage = FsspecStorage(Unreachable(), "/folder", where="nowhere://folder")
    for use in (
        lambda: storage.open("key"),
        lambda: storage.write("key", [b"value"]),
        lambda: storage.exists("key"),
        lambda: storage.delete("key"),
        lambda: list(storage.keys()),
    ):
        with pytest.raises(StorageAway, match="at nowhere://folder cannot be used: ConnectionError: the server is gone"):
            use()
