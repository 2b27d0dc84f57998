"""Packing: an archive is the same wherever it is made, and is made as it is written."""

import io
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from headrace.errors import CodeUnusable
from headrace.packaging.packing import write_archive
from headrace.packaging.tree import CHUNK, tree_of_folder
from headrace.ports.storage import OpenStorage, Written
from headrace.reference.storage import MemoryStorage

Files = Callable[..., Path]
CONTENTS = {"a/x.py": "one", "run.sh": "#!/bin/sh\n", "empty": "", "ä/水.txt": "水", f"deep/{'long' * 40}.txt": "x"}


def packed(root: Path) -> bytes:
    """The archive of a folder."""
    tree = tree_of_folder(root)
    with MemoryStorage().open() as storage:
        assert write_archive(tree, tree.archive().key, storage)
        with storage.open(tree.archive().key) as stored:
            return stored.read()


def test_an_archive_is_plain_tar(files: Files) -> None:
    """Anybody can look into it: the manifest first, then the files in order, with no trace of who packed them, where and when."""
    root = files(CONTENTS)
    (root / "run.sh").chmod(0o700)
    with tarfile.open(fileobj=io.BytesIO(packed(root)), mode="r:gz") as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == ["manifest.json", *(f"tree/{path}" for path in sorted(CONTENTS))]
        assert {path: tar.extractfile(f"tree/{path}").read().decode() for path in CONTENTS} == CONTENTS  # type: ignore[union-attr]
        modes = {member.name: member.mode for member in members}
        assert (modes["tree/run.sh"], modes["tree/a/x.py"]) == (0o755, 0o644)
        assert {(member.mtime, member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, 0, "", "")}


def test_equal_folders_make_equal_archives(files: Files) -> None:
    """Byte by byte, whenever their files were written."""
    one, other = files(CONTENTS), files(CONTENTS, "elsewhere")
    os.utime(other / "a/x.py", (0, 0))
    assert packed(one) == packed(other)


class _Watched:
    """A storage in memory that notes how big the pieces are that it is given."""

    def __init__(self, storage: OpenStorage) -> None:
        self._storage = storage
        self.sizes: list[int] = []

    def exists(self, key: str) -> bool:
        return self._storage.exists(key)

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        return self._storage.write(key, self._noted(chunks))

    def _noted(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        for chunk in chunks:
            self.sizes.append(len(chunk))
            yield chunk


def test_it_is_made_in_pieces(files: Files) -> None:
    """A big file never lies in memory whole."""
    tree = tree_of_folder(files({"big": os.urandom(5 * CHUNK)}))
    with MemoryStorage().open() as storage:
        watched = _Watched(storage)
        write_archive(tree, tree.archive().key, watched)  # type: ignore[arg-type]
    assert sum(watched.sizes) > 5 * CHUNK
    assert max(watched.sizes) < 2 * CHUNK


def test_what_is_there_is_not_written_again(files: Files) -> None:
    """Equal addresses are equal code."""
    tree = tree_of_folder(files({"x.py": "one"}))
    with MemoryStorage().open() as storage:
        storage.write(tree.archive().key, [b"there"])
        assert not write_archive(tree, tree.archive().key, storage)
        with storage.open(tree.archive().key) as stored:
            assert stored.read() == b"there"


def test_a_file_that_changes_leaves_no_archive(files: Files) -> None:
    """Nothing is kept that is not what its address says."""
    root = files({"x.py": "one"})
    tree = tree_of_folder(root)
    (root / "x.py").write_text("two")
    with MemoryStorage().open() as storage:
        with pytest.raises(CodeUnusable, match="was changed while it was packed"):
            write_archive(tree, tree.archive().key, storage)
        assert not storage.exists(tree.archive().key)
