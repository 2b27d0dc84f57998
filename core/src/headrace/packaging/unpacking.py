"""Unpacking: an archive becomes a folder, once; nothing of it is believed before it was held against the manifest, and that against the address."""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, BinaryIO, cast

from headrace.errors import CodeUnusable, HeadraceError, NotStored
from headrace.model.deployments import Archive
from headrace.packaging.manifest import FOLDER, MANIFEST, Entry, Manifest
from headrace.packaging.tree import CHUNK, Tree
from headrace.ports.storage import OpenStorage

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo

MOST_MANIFEST_BYTES = 64 * 1024 * 1024
UNFINISHED = ".unpacking-"
ADDRESS = re.compile("[0-9a-f]{64}")

Content = Callable[[Entry], Iterable[bytes]]


def materialised(archive: Archive, storage: OpenStorage, into: Path, *, what: str = "") -> Path:
    """The folder `<into>/<sha256>` with the archive's files, read-only; unpacked unless it is there already.

    Any number of processes may ask for it at once. Raises CodeUnusable if the archive is gone, or is not what its address says; `what` names the code.
    """
    what = what or f"archive {archive.sha256[:12]}"
    if not ADDRESS.fullmatch(archive.sha256):
        raise CodeUnusable(what=what, why=f"{archive.sha256!r} is no address of an archive; deploy it again")
    target = into / archive.sha256
    if target.is_dir():
        return target
    with _opened(archive, storage, what) as (manifest, rest), _place_beside(target, what) as unfinished:
        lay_out(manifest, rest.content, unfinished, what=what)
        rest.must_end()
        _put_in_place(unfinished, target, what)
    return target


def read_manifest(archive: Archive, storage: OpenStorage) -> Manifest:
    """The archive's manifest alone. Raises CodeUnusable."""
    with _opened(archive, storage, f"archive {archive.sha256[:12]}") as (manifest, _):
        return manifest


def copied(tree: Tree, folder: Path) -> None:
    """Puts a tree into a folder that is there, as unpacking would. Raises CodeUnusable for a file that changes meanwhile."""
    lay_out(tree.manifest, tree.content, folder, what=tree.what)


def lay_out(manifest: Manifest, content: Content, folder: Path, *, what: str) -> None:
    """Writes the files of a manifest into an empty folder, each held against it. Raises CodeUnusable."""
    for entry in manifest.entries:
        digest, size = sha256(), 0
        with _created(folder / entry.path, entry, what) as file:
            for chunk in content(entry):
                digest.update(chunk)
                size += len(chunk)
                with _written(folder, what):
                    file.write(chunk)
            with _written(folder, what):
                file.flush()
                os.fsync(file.fileno())  # after a power cut the folder must not be there with empty files
        if size != entry.size or digest.hexdigest() != entry.sha256:
            raise CodeUnusable(what=what, why=f"{entry.path} in its archive is not what the manifest says; deploy it again")
        os.chmod(folder / entry.path, 0o555 if entry.is_executable else 0o444)


# Writing


@contextmanager
def _created(path: Path, entry: Entry, what: str) -> Iterator[BinaryIO]:
    with _written(path.parent, what):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "xb")  # noqa: SIM115 - closed below, apart from what opening raises
        except (FileExistsError, NotADirectoryError):
            raise CodeUnusable(what=what, why=f"{entry.path} and another of its files are one and the same on this machine") from None
    with file:
        yield file


@contextmanager
def _place_beside(target: Path, what: str) -> Iterator[Path]:
    """A folder beside the target, gone in the end if it did not take its place."""
    with _written(target.parent, what):
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(prefix=UNFINISHED, dir=target.parent))
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _put_in_place(unfinished: Path, target: Path, what: str) -> None:
    with _written(target.parent, what):
        try:
            os.rename(unfinished, target)
        except OSError:
            if not target.is_dir():  # else somebody was faster, and theirs is the same
                raise


@contextmanager
def _written(folder: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CodeUnusable(what=what, why=f"it cannot be unpacked into {folder}: {error.strerror or error}") from error


# Reading


@contextmanager
def _opened(archive: Archive, storage: OpenStorage, what: str) -> Iterator[tuple[Manifest, "_Rest"]]:
    """The archive's manifest, and what comes behind it."""
    import tarfile  # these cost milliseconds that a run whose code is there already need not pay
    from gzip import GzipFile

    try:
        stored = storage.open(archive.key)
    except NotStored as error:
        raise CodeUnusable(what=what, why=f"it is not in its storage ({error}); deploy it again") from error
    with stored, GzipFile(fileobj=stored, mode="rb") as plain:
        with _read(what):
            tar = tarfile.open(fileobj=plain, mode="r|", bufsize=CHUNK, encoding="utf-8")  # noqa: SIM115 - closed below
        with tar:
            rest = _Rest(tar, what)
            yield rest.manifest(archive), rest


class _Rest:
    """What of an archive has not been read yet."""

    def __init__(self, tar: "TarFile", what: str) -> None:
        self._tar = tar
        self._what = what

    def manifest(self, archive: Archive) -> Manifest:
        with _read(self._what):
            first = self._next()
            if first is None or first[0].name != MANIFEST or first[0].size > MOST_MANIFEST_BYTES:
                raise ValueError("it does not begin with a manifest")
            text = first[1].read()
            if sha256(text).hexdigest() != archive.sha256:
                raise ValueError("its manifest is another than its address says")
            return Manifest.from_bytes(text)

    def content(self, entry: Entry) -> Iterator[bytes]:
        """The next file, which must be that of the entry."""
        with _read(self._what):
            member = self._next()
            if member is None or member[0].name != FOLDER + entry.path or member[0].size != entry.size:
                raise ValueError(f"{entry.path} is not where its manifest says")
            chunk = member[1].read(CHUNK)
        while chunk:
            yield chunk
            with _read(self._what):
                chunk = member[1].read(CHUNK)

    def must_end(self) -> None:
        """Raises CodeUnusable if there is more."""
        with _read(self._what):
            if self._next() is not None:
                raise ValueError("it holds more than its manifest says")

    def _next(self) -> "tuple[TarInfo, BinaryIO] | None":
        member = self._tar.next()
        if member is None:
            return None
        file = self._tar.extractfile(member) if member.isreg() else None
        if file is None:
            raise ValueError(f"{member.name!r} in it is no file")
        return member, cast(BinaryIO, file)


@contextmanager
def _read(what: str) -> Iterator[None]:
    """What reading a damaged archive raises, in our words."""
    try:
        yield
    except HeadraceError:
        raise
    except Exception as error:  # which errors damage makes of it, the libraries do not say
        raise CodeUnusable(what=what, why=f"its archive is damaged ({error}); deploy it again") from error
