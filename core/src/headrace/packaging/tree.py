"""Trees: files about to travel, their manifest, and where each of them lies now."""

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG, S_IXUSR
from typing import BinaryIO

import attrs

from headrace.errors import CodeUnusable
from headrace.model.choices import Choice
from headrace.model.deployments import Archive
from headrace.packaging.manifest import Entry, Manifest, path_fault
from headrace.packaging.sizes import MOST_BYTES, size_fault

CHUNK = 1024 * 1024


@attrs.frozen(kw_only=True)
class Tree:
    """Files as they were when they were looked at. `sources` has where each lies, by its path in the tree; `what` names it in errors."""

    what: str
    manifest: Manifest
    sources: Mapping[str, Path] = attrs.field(eq=False, repr=False)

    def archive(self, storage: Choice | None = None, folder: str = "") -> Archive:
        """What a deployment remembers of it."""
        manifest = self.manifest
        return Archive(sha256=manifest.sha256, files=len(manifest.entries), size=manifest.size, storage=storage, folder=folder)

    def content(self, entry: Entry) -> Iterator[bytes]:
        """A file, in chunks. Raises CodeUnusable if it is not what it was."""
        digest, left = sha256(), entry.size
        with self._opened(entry) as file:
            while chunk := _read(file, self.what, entry.path):
                left -= len(chunk)
                if left < 0:
                    break
                digest.update(chunk)
                yield chunk
        if left or digest.hexdigest() != entry.sha256:
            raise CodeUnusable(
                what=self.what, why=f"{entry.path} was changed while it was packed; wait until nothing writes to it, and try again"
            )

    def _opened(self, entry: Entry) -> BinaryIO:
        try:
            return open(self.sources[entry.path], "rb")
        except OSError as error:
            raise _unreadable(self.what, entry.path, error) from None


def tree_of_folder(root: Path, *, most_bytes: int = MOST_BYTES) -> Tree:
    """All that travels of a folder. Raises CodeUnusable for what cannot, and for more than `most_bytes`."""
    from headrace.packaging.choosing import chosen_files  # a single script needs no patterns

    what = f"project {root.resolve().name!r}"
    if not root.is_dir():
        raise CodeUnusable(what=what, why=f"{root} is no folder")
    files = chosen_files(root)
    fault = size_fault({file.path: file.size for file in files}, most_bytes=most_bytes)
    if fault is not None:
        raise CodeUnusable(what=what, why=fault)
    entries = [_entry(file.path, file.source, what, is_executable=file.is_executable) for file in files]
    return Tree(what=what, manifest=Manifest.of(entries), sources={file.path: file.source for file in files})


def tree_of_file(file: Path, *, what: str, most_bytes: int = MOST_BYTES) -> Tree:
    """A file alone, under its own name. Raises CodeUnusable if it cannot travel."""
    try:
        about = os.stat(file)
    except OSError as error:
        raise _unreadable(what, file.name, error) from None
    faults = (
        path_fault(file.name),
        None if S_ISREG(about.st_mode) else f"{file.name} is no file",
        size_fault({file.name: about.st_size}, most_bytes=most_bytes),
    )
    for fault in faults:
        if fault is not None:
            raise CodeUnusable(what=what, why=fault)
    entry = _entry(file.name, file, what, is_executable=bool(about.st_mode & S_IXUSR))
    return Tree(what=what, manifest=Manifest.of([entry]), sources={file.name: file})


def _entry(path: str, source: Path, what: str, *, is_executable: bool) -> Entry:
    digest, size = sha256(), 0
    try:
        file = open(source, "rb")  # noqa: SIM115 - closed below, apart from what opening raises
    except OSError as error:
        raise _unreadable(what, path, error) from None
    with file:
        while chunk := _read(file, what, path):
            digest.update(chunk)
            size += len(chunk)
    return Entry(path=path, sha256=digest.hexdigest(), size=size, is_executable=is_executable)


def _read(file: BinaryIO, what: str, path: str) -> bytes:
    try:
        return file.read(CHUNK)
    except OSError as error:
        raise _unreadable(what, path, error) from None


def _unreadable(what: str, path: str, error: OSError) -> CodeUnusable:
    return CodeUnusable(what=what, why=f"{path} cannot be read: {error.strerror or error}")
