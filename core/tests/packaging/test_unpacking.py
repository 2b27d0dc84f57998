"""Unpacking: an archive becomes files, whole, and only if it is what its address says."""

import gzip
import io
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import CodeUnusable, StorageUnusable
from headrace.model.deployments import Archive
from headrace.packaging.manifest import Entry, Manifest
from headrace.packaging.packing import write_archive
from headrace.packaging.tree import tree_of_folder
from headrace.packaging.unpacking import copied, read_manifest, unpacked
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
    write_archive(tree, tree.archive().key, storage)
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


def laid(archive: Archive, storage: OpenStorage, folder: Path, *, what: str = "") -> Path:
    """A folder with what is in the archive."""
    folder.mkdir()
    unpacked(archive, storage, folder, what=what)
    return folder


def test_what_was_packed_is_there(archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """Every file under its path; what could be executed still can, and whoever has unpacked it may write it."""
    root = laid(archive, storage, tmp_path / "new")
    assert read(root) == CONTENTS
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) | 0o022 for path in root.rglob("*") if path.is_file()}
    assert modes == {"x.py": 0o666, "y.py": 0o666, "run.sh": 0o777, "水.txt": 0o666}


def test_what_a_storage_says_is_passed_on(archive: Archive, tmp_path: Path) -> None:
    """A storage that cannot be reached is no damage of the archive."""
    with pytest.raises(StorageUnusable, match="it is closed"):
        laid(archive, _Closed(), tmp_path / "new")  # type: ignore[arg-type]


class _Closed:
    """A storage of which nothing can be read."""

    def open(self, key: str) -> BinaryIO:
        raise StorageUnusable(where="nowhere", why="it is closed")


def test_the_manifest_alone(files: Files, archive: Archive, storage: OpenStorage) -> None:
    """It can be read without unpacking anything."""
    assert read_manifest(archive, storage) == tree_of_folder(files(CONTENTS)).manifest


def test_a_tree_is_laid_out_as_if_unpacked(files: Files, archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """Whether it went through a storage or not, the same files are there."""
    (tmp_path / "copy").mkdir()
    copied(tree_of_folder(files(CONTENTS)), tmp_path / "copy")
    other = laid(archive, storage, tmp_path / "new")
    modes = [{path.relative_to(root): path.stat().st_mode for path in root.rglob("*")} for root in (tmp_path / "copy", other)]
    assert read(tmp_path / "copy") == read(other)
    assert modes[0] == modes[1]


def test_an_archive_that_is_gone(archive: Archive, storage: OpenStorage, tmp_path: Path) -> None:
    """It is said that it is, and what to do."""
    storage.delete(archive.key)
    with pytest.raises(CodeUnusable, match="the code of leo cannot be used: it is not in its storage .*; deploy it again"):
        laid(archive, storage, tmp_path / "new", what="leo")


# What is no archive of ours


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_never_believed(data: st.DataObject) -> None:
    """Whichever bytes are changed or cut off, the files are either as they were packed, or refused."""
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
                root = laid(archive, storage, into / "new")
            except CodeUnusable:
                pass
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
                root = laid(archive, storage, into / "new")
            except CodeUnusable:
                pass
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
    """Files that are missing, changed, moved or too many."""
    archive = put(storage, members)
    with pytest.raises(CodeUnusable, match=said):
        laid(archive, storage, tmp_path / "new")


def test_another_manifest_than_the_address_says(storage: OpenStorage, tmp_path: Path) -> None:
    """Whoever can write into the storage cannot put other code there."""
    archive = put(storage, [("manifest.json", GOOD), X, Y], address="0" * 64)
    with pytest.raises(CodeUnusable, match="its manifest is another than its address says"):
        laid(archive, storage, tmp_path / "new")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_files_are_taken(storage: OpenStorage, tmp_path: Path, kind: bytes) -> None:
    """No link, folder, pipe or device comes out of an archive."""
    manifest = Manifest.of([entry("x", b"")]).to_bytes()
    archive = put(storage, [("manifest.json", manifest), ("tree/x", b"")], type=kind, linkname="/etc/passwd")
    with pytest.raises(CodeUnusable, match="in it is no file"):
        laid(archive, storage, tmp_path / "new")


@pytest.mark.parametrize("path", ["/tmp/x", "../x", "a/../../x", "a\\x", ""])
def test_no_path_leads_out(storage: OpenStorage, tmp_path: Path, path: str) -> None:
    """A manifest with such a path is refused before anything is written."""
    manifest = Manifest.of([entry(path)]).to_bytes()
    archive = put(storage, [("manifest.json", manifest), (f"tree/{path}", b"one")])
    with pytest.raises(CodeUnusable, match="its manifest names"):
        laid(archive, storage, tmp_path / "new")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_is_also_a_folder(storage: OpenStorage, tmp_path: Path) -> None:
    """No machine has both."""
    manifest = Manifest.of([entry("a"), entry("a/b")]).to_bytes()
    archive = put(storage, [("manifest.json", manifest), ("tree/a", b"one"), ("tree/a/b", b"one")])
    with pytest.raises(CodeUnusable, match="a/b and another of its files are one and the same on this machine"):
        laid(archive, storage, tmp_path / "new")


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b""), gzip.compress(b"x" * 2000), bytes(100_000)], ids=range(5))
def test_what_is_no_archive(storage: OpenStorage, tmp_path: Path, content: bytes) -> None:
    """Bytes of any kind are refused in a sentence."""
    archive = Archive(sha256="0" * 64, files=1, size=1)
    storage.write(archive.key, [content])
    with pytest.raises(CodeUnusable, match="deploy it again"):
        laid(archive, storage, tmp_path / "new")


# What is too much


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([Entry(path="big", sha256="0" * 64, size=101 * 1024 * 1024)], "its 1 files have 101.0 MB, and at most 100.0 MB may travel"),
        ([entry(f"f/{n}", b"") for n in range(20_001)], "it has more than 20000 files"),
    ],
    ids=["bytes", "files"],
)
def test_more_than_may_travel(storage: OpenStorage, tmp_path: Path, entries: list[Entry], said: str) -> None:
    """An archive that somebody else has made is held to the bounds too, before anything of it is written."""
    archive = put(storage, [("manifest.json", Manifest.of(entries).to_bytes())])
    with pytest.raises(CodeUnusable, match=said):
        laid(archive, storage, tmp_path / "new")
    assert not any((tmp_path / "new").iterdir())


class _Counted:
    """A storage that counts what is read of it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = filter(None, chunks)
        self._rest = b""
        self.read_bytes = 0

    def open(self, key: str) -> "_Counted":
        return self

    def __enter__(self) -> "_Counted":
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        content, self._rest = self._rest[:size], self._rest[size:]
        self.read_bytes += len(content)
        return content


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME], ids=["pax", "global", "longname"])
@pytest.mark.parametrize("is_first", [True, False])
def test_zeros_without_end(tmp_path: Path, kind: bytes, *, is_first: bool) -> None:
    """A few bytes can be zipped zeros of any number; they are neither written nor all read, wherever in the archive they are."""
    manifest = Manifest.of([entry("x")]).to_bytes()
    bomb = tarfile.TarInfo("x")
    bomb.type, bomb.size = kind, 7 * 1024**3
    opened = io.BytesIO()
    with tarfile.open(fileobj=opened, mode="w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        tar.addfile(member, io.BytesIO(manifest))
    whole = -(-len(manifest) // 512) * 512 + 512

    def chunks() -> Iterator[bytes]:
        zipper = zlib.compressobj(1, wbits=31)
        yield zipper.compress(b"" if is_first else opened.getvalue()[:whole])
        yield zipper.compress(bomb.tobuf(tarfile.GNU_FORMAT))
        for _ in range(7 * 1024):
            yield zipper.compress(bytes(1024 * 1024))
        yield zipper.flush()

    storage = _Counted(chunks())
    with pytest.raises(CodeUnusable, match="it holds more than"):
        laid(Archive(sha256=sha256(manifest).hexdigest(), files=1, size=3), storage, tmp_path / "new")  # type: ignore[arg-type]
    assert storage.read_bytes < 4 * 1024 * 1024  # of the 30 that it has
    assert not any(path.stat().st_size for path in (tmp_path / "new").iterdir())
