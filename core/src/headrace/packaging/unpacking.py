"""Unpacking: the files of an archive are written; nothing of it is believed before it was held against the manifest, and that against the address."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from headrace.errors import CodeUnusable, HeadraceError, NotStored
from headrace.model.deployments import Archive
from headrace.packaging.manifest import FOLDER, MANIFEST, Entry, Manifest
from headrace.packaging.sizes import number_fault, size_fault
from headrace.packaging.tree import CHUNK, Tree
from headrace.ports.storage import OpenStorage

if TYPE_CHECKING:
    from tarfile import TarFile, TarInfo

MOST_MANIFEST_BYTES = 64 * 1024 * 1024
HEADER_BYTES = 2048
"""What an archive needs at most for a file besides its content and twice its path."""

Content = Callable[[Entry], Iterable[bytes]]


def unpacked(archive: Archive, storage: OpenStorage, folder: Path, *, what: str = "") -> Manifest:
    """Writes the archive's files into an empty folder; what of it was written when it fails, stays.

    Raises CodeUnusable if the archive is gone, is not what its address says, or is more than may travel; `what` names the code.
    """
    what = what or f"archive {archive.sha256[:12]}"
    with _opened(archive, storage, what) as (manifest, rest):
        fault = number_fault([entry.path for entry in manifest.entries]) or size_fault(
            {entry.path: entry.size for entry in manifest.entries}
        )
        if fault is not None:
            raise CodeUnusable(what=what, why=fault)
        lay_out(manifest, rest.content, folder, what=what)
        rest.must_end()
    return manifest


def read_manifest(archive: Archive, storage: OpenStorage) -> Manifest:
    """The archive's manifest alone. Raises CodeUnusable."""
    with _opened(archive, storage, f"archive {archive.sha256[:12]}") as (manifest, _):
        return manifest


def read_file(archive: Archive, storage: OpenStorage, path: str, *, most_bytes: int) -> bytes:
    """One file of the archive, by its path. Raises CodeUnusable, also if so many bytes are gone through in vain."""
    what, left = f"archive {archive.sha256[:12]}", most_bytes
    with _opened(archive, storage, what) as (manifest, rest):
        for entry in manifest.entries:
            left -= entry.size
            if left < 0:
                break
            chunks = [chunk for chunk in rest.content(entry) if entry.path == path]
            if entry.path != path:
                continue
            if sha256(content := b"".join(chunks)).hexdigest() != entry.sha256:
                raise CodeUnusable(what=what, why=f"{entry.path} in its archive is not what the manifest says; deploy it again")
            return content
    raise CodeUnusable(what=what, why=f"{path} is not among the first of its files")


def copied(tree: Tree, folder: Path) -> None:
    """Puts a tree into a folder that is there, as unpacking would. Raises CodeUnusable for a file that changes meanwhile."""
    lay_out(tree.manifest, tree.content, folder, what=tree.what)


# Writing


def lay_out(manifest: Manifest, content: Content, folder: Path, *, what: str) -> None:
    """Writes the files of a manifest into an empty folder, each held against it. Raises CodeUnusable."""
    for entry in manifest.entries:
        digest, size = sha256(), 0
        with _created(folder / entry.path, entry, what) as file:
            for chunk in content(entry):
                digest.update(chunk)
                size += len(chunk)
                with writing(folder, what):
                    file.write(chunk)
            with writing(folder, what):
                file.flush()
        if size != entry.size or digest.hexdigest() != entry.sha256:
            raise CodeUnusable(what=what, why=f"{entry.path} in its archive is not what the manifest says; deploy it again")


@contextmanager
def _created(path: Path, entry: Entry, what: str) -> Iterator[BinaryIO]:
    with writing(path.parent, what):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "xb", opener=opener(entry))  # noqa: SIM115 - closed below, apart from what opening raises
        except (FileExistsError, NotADirectoryError):
            raise CodeUnusable(what=what, why=f"{entry.path} and another of its files are one and the same on this machine") from None
    with file:
        yield file


def opener(entry: Entry) -> Callable[[str, int], int]:
    """Makes the file of an entry with the mode that it is to have."""
    mode = 0o777 if entry.is_executable else 0o666
    return lambda path, flags: os.open(path, flags, mode)


@contextmanager
def writing(folder: Path, what: str) -> Iterator[None]:
    """What writing raises, in our words."""
    try:
        yield
    except OSError as error:
        raise CodeUnusable(what=what, why=f"it cannot be unpacked into {folder}: {error.strerror or error}") from None


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
        bounded = _Bounded(cast(BinaryIO, plain), MOST_MANIFEST_BYTES)
        with _read(what):
            tar = tarfile.open(fileobj=bounded, mode="r|", bufsize=CHUNK, encoding="utf-8")  # type: ignore[call-overload] # noqa: SIM115
        with tar:
            rest = _Rest(tar, what)
            manifest = rest.manifest(archive)
            bounded.allow(sum(entry.size + 2 * len(entry.path.encode()) + HEADER_BYTES for entry in manifest.entries))
            yield manifest, rest


class _Bounded:
    """What is unzipped of an archive, though not without end: a little that is zipped can be any number of zeros."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self.allow(most)

    def allow(self, most: int) -> None:
        """So much may come from here on; two chunks more, since whole chunks are read ahead."""
        self._left = most + 2 * CHUNK

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError("it holds more than its manifest says")
        return content


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
        raise CodeUnusable(what=what, why=f"its archive is damaged ({error}); deploy it again") from None
