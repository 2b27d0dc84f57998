"""Unpacking: an archive becomes a folder once, whole, and only if it is what its address says."""

import gzip
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import CodeUnusable, StorageUnusable
from headrace.model.deployments import Archive
from headrace.packaging.manifest import Entry, Manifest
from headrace.packaging.packing import write_archive
from headrace.packaging.tree import tree_of_folder
from headrace.packaging.unpacking import copied, materialised, read_manifest
from headrace.ports.storage import OpenStorage
from headrace.reference.storage import MemoryStorage

Files = Callable[..., Path]
CONTENTS = {"a/b/x.py": "one", "a/y.py": "", "run.sh": "#!/bin/sh\n", "ä/水.txt": "水"}


@pytest.fixture
def storage() -> Iterator[OpenStorage]:
    """A storage in memory."""
    with MemoryStorage().open() as opened:
        yield opened


@pytest.fixture
def archive(files: Files, storage: OpenStorage) -> Archive:
    """An archive in it."""
    root = files(CONTENTS)
    (root / "run.sh").chmod(0o755)
    tree = tree_of_folder(root)
    write_archive(tree, storage)
    return tree.archive()


def read(root: Path) -> dict[str, str]:
    """All files below, by their paths."""
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def put(storage: OpenStorage, members: list[tuple[str, bytes]], address: str = "", **about: object) -> Archive:
    """An archive made by hand; the first member is the manifest, and gives the address if nothing else is said."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for field, value in about.items():
                setattr(member, field, value if name != "manifest.json" else getattr(member, field))
            tar.addfile(member, io.BytesIO(content))
    archive = Archive(sha256=address or sha256(members[0][1]).hexdigest(), files=1, size=1)
    storage.write(archive.key, [packed.getvalue()])
    return archive


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for one example."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def entry(path: str, content: bytes = b"one") -> Entry:
    """A file in a manifest."""
    return Entry(path=path, sha256=sha256(content).hexdigest(), size=len(content))


def test_what_was_packed_is_there(archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """Every file under its path, in a folder that is called by the address; nobody may write them, and what could be executed still can."""
    root = materialised(archive, storage, tmp_path / "cache")
    assert root == tmp_path / "cache" / archive.sha256
    assert read(root) == CONTENTS
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()}
    assert modes == {"x.py": 0o444, "y.py": 0o444, "run.sh": 0o555, "水.txt": 0o444}
    assert os.listdir(tmp_path / "cache") == [archive.sha256]


class _Closed:
    """A storage of which nothing can be read."""

    def open(self, key: str) -> BinaryIO:
        raise StorageUnusable(where="nowhere", why="it is closed")


def test_what_is_there_is_not_fetched_again(archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """The second time nothing is asked of the storage."""
    root = materialised(archive, storage, tmp_path)
    assert materialised(archive, _Closed(), tmp_path) == root  # type: ignore[arg-type]


def test_what_a_storage_says_is_passed_on(archive: Archive, tmp_path: Path) -> None:
    """A storage that cannot be reached is no damage of the archive."""
    with pytest.raises(StorageUnusable, match="it is closed"):
        materialised(archive, _Closed(), tmp_path)  # type: ignore[arg-type]


def test_many_at_once(archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """All of them get the same folder, whole, and nothing else is left beside it."""
    together = Barrier(8)

    def fetch(_: int) -> Path:
        together.wait()
        return materialised(archive, storage, tmp_path / "cache")

    with ThreadPoolExecutor(8) as pool:
        roots = set(pool.map(fetch, range(8)))
    assert [read(root) for root in roots] == [CONTENTS]
    assert os.listdir(tmp_path / "cache") == [archive.sha256]


def test_the_manifest_alone(files: Files, archive: Archive, storage: OpenStorage) -> None:
    """It can be read without unpacking anything."""
    assert read_manifest(archive, storage) == tree_of_folder(files(CONTENTS)).manifest


def test_a_tree_is_laid_out_as_if_unpacked(files: Files, archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """Whether it went through a storage or not, the same files are there."""
    (tmp_path / "copy").mkdir()
    copied(tree_of_folder(files(CONTENTS)), tmp_path / "copy")
    unpacked = materialised(archive, storage, tmp_path)
    modes = [{path.relative_to(root): path.stat().st_mode for path in root.rglob("*")} for root in (tmp_path / "copy", unpacked)]
    assert read(tmp_path / "copy") == read(unpacked)
    assert modes[0] == modes[1]


def test_an_archive_that_is_gone(archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """It is said that it is, and what to do."""
    storage.delete(archive.key)
    with pytest.raises(CodeUnusable, match="the code of leo cannot be used: it is not in its storage .*; deploy it again"):
        materialised(archive, storage, tmp_path, what="leo")


# What is no archive of ours


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_never_believed(data: st.DataObject) -> None:
    """Whichever bytes are changed or cut off, the files are either as they were packed, or refused and not there."""
    manifest = Manifest.of([entry("a/x.py"), entry("y.py", b"two" * 400)])
    with MemoryStorage().open() as storage:
        archive = put(storage, [("manifest.json", manifest.to_bytes()), ("tree/a/x.py", b"one"), ("tree/y.py", b"two" * 400)])
        with storage.open(archive.key) as stored:
            packed = bytearray(stored.read())
        if data.draw(st.booleans()):
            packed = packed[: data.draw(st.integers(0, len(packed) - 1))]
        else:
            packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
        storage.write(archive.key, [bytes(packed)])
        with _folder() as into:
            try:
                root = materialised(archive, storage, into)
            except CodeUnusable:
                assert not any(into.rglob("*"))
            else:
                assert read(root) == {"a/x.py": "one", "y.py": "two" * 400}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_inside_is_never_believed(data: st.DataObject) -> None:
    """Neither is damage that gzip does not see, since it was packed afterwards."""
    manifest = Manifest.of([entry("a/x.py"), entry("y.py", b"two")])
    with MemoryStorage().open() as storage:
        archive = put(storage, [("manifest.json", manifest.to_bytes()), ("tree/a/x.py", b"one"), ("tree/y.py", b"two")])
        with storage.open(archive.key) as stored:
            tar = bytearray(gzip.decompress(stored.read()))
        tar[data.draw(st.integers(0, 6 * 512))] ^= data.draw(st.integers(1, 255))
        storage.write(archive.key, [gzip.compress(tar)])
        with _folder() as into:
            try:
                root = materialised(archive, storage, into)
            except CodeUnusable:
                assert not any(into.rglob("*"))
            else:
                assert read(root) == {"a/x.py": "one", "y.py": "two"}


GOOD = Manifest.of([entry("a/x.py"), entry("y.py", b"two")]).to_bytes()
X, Y = ("tree/a/x.py", b"one"), ("tree/y.py", b"two")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([X, Y], "does not begin with a manifest"),
        ([("manifest.json", b"{}"), X, Y], "its manifest cannot be read"),
        ([("manifest.json", GOOD), X], "y.py is not where its manifest says"),
        ([("manifest.json", GOOD), Y, X], "a/x.py is not where its manifest says"),
        ([("manifest.json", GOOD), X, ("tree/y.py", b"tow")], "y.py in its archive is not what the manifest says"),
        ([("manifest.json", GOOD), X, ("tree/y.py", b"twoo")], "y.py is not where its manifest says"),
        ([("manifest.json", GOOD), X, ("y.py", b"two")], "y.py is not where its manifest says"),
        ([("manifest.json", GOOD), X, Y, ("tree/z.py", b"")], "holds more than its manifest says"),
        ([("manifest.json", GOOD), X, Y, Y], "holds more than its manifest says"),
    ],
)
def test_what_is_refused(storage: OpenStorage, tmp_path: Path, members: list[tuple[str, bytes]], said: str) -> None:
    """Files that are missing, changed, moved or too many; and nothing of the archive stays."""
    archive = put(storage, members)
    with pytest.raises(CodeUnusable, match=said):
        materialised(archive, storage, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == [] if (tmp_path / "cache").exists() else True


def test_another_manifest_than_the_address_says(storage: OpenStorage, tmp_path: Path) -> None:
    """Whoever can write into the storage cannot put other code there."""
    archive = put(storage, [("manifest.json", GOOD), X, Y], address="0" * 64)
    with pytest.raises(CodeUnusable, match="its manifest is another than its address says"):
        materialised(archive, storage, tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_files_are_taken(storage: OpenStorage, tmp_path: Path, kind: bytes) -> None:
    """No link, folder, pipe or device comes out of an archive."""
    manifest = Manifest.of([entry("x", b"")]).to_bytes()
    archive = put(storage, [("manifest.json", manifest), ("tree/x", b"")], type=kind, linkname="/etc/passwd")
    with pytest.raises(CodeUnusable, match="in it is no file"):
        materialised(archive, storage, tmp_path)


@pytest.mark.parametrize("path", ["/tmp/x", "../x", "a/../../x", "a\\x", ""])
def test_no_path_leads_out(storage: OpenStorage, tmp_path: Path, path: str) -> None:
    """A manifest with such a path is refused before anything is written."""
    manifest = Manifest.of([entry(path)]).to_bytes()
    archive = put(storage, [("manifest.json", manifest), (f"tree/{path}", b"one")])
    with pytest.raises(CodeUnusable, match="its manifest names"):
        materialised(archive, storage, tmp_path / "in" / "cache")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_is_also_a_folder(storage: OpenStorage, tmp_path: Path) -> None:
    """No machine has both."""
    manifest = Manifest.of([entry("a"), entry("a/b")]).to_bytes()
    archive = put(storage, [("manifest.json", manifest), ("tree/a", b"one"), ("tree/a/b", b"one")])
    with pytest.raises(CodeUnusable, match="a/b and another of its files are one and the same on this machine"):
        materialised(archive, storage, tmp_path)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b""), gzip.compress(b"x" * 2000), bytes(100_000)], ids=range(5))
def test_what_is_no_archive(storage: OpenStorage, tmp_path: Path, content: bytes) -> None:
    """Bytes of any kind are refused in a sentence."""
    archive = Archive(sha256="0" * 64, files=1, size=1)
    storage.write(archive.key, [content])
    with pytest.raises(CodeUnusable, match="deploy it again"):
        materialised(archive, storage, tmp_path)


def test_a_place_that_cannot_be_written(archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """A file where the cache is to be is no damage of the archive."""
    (tmp_path / "cache").touch()
    with pytest.raises(CodeUnusable, match="it cannot be unpacked into .*cache"):
        materialised(archive, storage, tmp_path / "cache")


@pytest.mark.parametrize("address", ["", "..", "/etc", "a" * 63, "A" * 64, f"../{'a' * 61}"])
def test_an_address_that_is_none(storage: OpenStorage, tmp_path: Path, address: str) -> None:
    """It becomes part of a path, so it must be one."""
    with pytest.raises(CodeUnusable, match="is no address of an archive"):
        materialised(Archive(sha256=address, files=1, size=1), storage, tmp_path)
