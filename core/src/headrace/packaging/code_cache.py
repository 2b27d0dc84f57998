"""The code cache: what an archive holds, unpacked once on a machine. Nobody works in it: each run gets files of its own, copied from there.

An archive has the folder `<cache>/<sha256>`, with `manifest.json` and `tree/` as in the archive, and `bytecode/`. Nobody may write the files and folders
of the tree; since that does not stop everybody, nothing of it is believed. The manifest must have its address, and each file is held against it when it
is copied: by its content, or where that is big, by its size and the moment that big files here say they were written at, which no writing leaves as it is.
What differs is unpacked anew, under a lock. Whoever copies meanwhile takes no lock: it finds a difference, and then waits for it. The cache may be removed
at any time; the lock goes with it, and whoever held that begins again.
"""

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from errno import EINVAL, ENOSYS, EOPNOTSUPP, EPERM, EXDEV
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from tempfile import mkdtemp
from typing import BinaryIO

import attrs

from headrace.errors import CodeUnusable
from headrace.model.deployments import Archive
from headrace.packaging.loading import LOADING
from headrace.packaging.manifest import FOLDER, MANIFEST, Entry, Manifest
from headrace.packaging.removing import remove
from headrace.packaging.tree import CHUNK
from headrace.packaging.unpacking import opener, unpacked, writing
from headrace.ports.storage import OpenStorage

WRITTEN_AT = 946_684_800 * 10**9
"""When big files of a tree were written, as they say: with the year 2000, in nanoseconds."""

LOCK, BYTECODE, UNFINISHED = "lock", "bytecode", ".unfinished-"
ADDRESS = re.compile("[0-9a-f]{64}")
NOT_CLONED = frozenset({EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM})
"""What a system says that cannot copy from file to file by itself, between these files or at all."""

logger = logging.getLogger(LOADING)


class _Differs(Exception):
    """What is in the cache is not what the manifest says, or is not there."""


@attrs.frozen(kw_only=True)
class CodeCache:
    """What of an archive lies in the folder `cache`, for any number of processes at once; `what` names the code."""

    archive: Archive
    cache: Path
    what: str

    def __attrs_post_init__(self) -> None:
        if not ADDRESS.fullmatch(self.archive.sha256):  # it becomes part of a path
            raise CodeUnusable(what=self.what, why=f"{self.archive.sha256!r} is no address of an archive; deploy it again")

    def copy(self, folder: Path, opened: Callable[[], AbstractContextManager[OpenStorage]]) -> Manifest:
        """Makes the folder anew, with the archive's files, which are nobody else's. The storage is opened only if it is needed.

        Raises CodeUnusable if the archive is needed and gone, or not what its address says; and if the folder cannot be written, which is gone then.
        """
        try:
            return self._copied_at_last(folder, opened)
        except BaseException as error:
            remove(folder)  # a disk that is full has to take at least the news of it
            if not isinstance(error, _Differs):
                raise
            why = f"{error} in {self._place}, though it was unpacked just now; see what writes there"
            raise CodeUnusable(what=self.what, why=why) from None

    def fill(self, opened: Callable[[], AbstractContextManager[OpenStorage]]) -> None:
        """Sees to it that the archive is in the cache. Raises CodeUnusable as `copy` does."""
        while True:
            with self._locked() as is_locked:
                try:
                    self._heal(opened)
                except (CodeUnusable, _Differs):
                    if is_locked():
                        raise
                else:
                    return

    @property
    def bytecode(self) -> Path:
        """Where that of the archive's modules may be kept."""
        return self._place / BYTECODE

    @property
    def _place(self) -> Path:
        return self.cache / self.archive.sha256

    @property
    def _tree(self) -> Path:
        return self._place / FOLDER.rstrip("/")

    # Copying

    def _copied_at_last(self, folder: Path, opened: Callable[[], AbstractContextManager[OpenStorage]]) -> Manifest:
        with suppress(_Differs):
            return self._copied(folder)
        while True:
            with self._locked() as is_locked:
                try:
                    self._heal(opened)
                    return self._copied(folder)
                except (CodeUnusable, _Differs):
                    if is_locked():
                        raise

    def _copied(self, folder: Path) -> Manifest:
        manifest = self._manifest()
        with writing(folder, self.what):
            remove(folder)
            folder.mkdir(mode=0o700, parents=True)
            tree, made = str(self._tree), {""}
            for entry in manifest.entries:
                above = entry.path.rpartition("/")[0]
                if above not in made:
                    (folder / above).mkdir(parents=True, exist_ok=True)
                    made.add(above)
                _copy(entry, tree, f"{folder}/{entry.path}")
        return manifest

    def _manifest(self) -> Manifest:
        with _kept(MANIFEST):
            text = (self._place / MANIFEST).read_bytes()
            if sha256(text).hexdigest() != self.archive.sha256:
                raise _Differs(f"{MANIFEST} was changed")
            return Manifest.from_bytes(text)

    # Healing

    @contextmanager
    def _locked(self) -> Iterator[Callable[[], bool]]:
        """One process at a time; the system gives the lock up when it ends, however it ends. Asks whether the lock is still the one."""
        path = self._place / LOCK
        with writing(self._place, self.what):
            self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = open(path, "ab")  # noqa: SIM115 - closed below

        def is_locked() -> bool:
            try:
                return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
            except OSError:
                return False

        with file:
            with writing(self._place, self.what):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield is_locked

    def _heal(self, opened: Callable[[], AbstractContextManager[OpenStorage]]) -> None:
        """Unpacks the archive, unless somebody has done so meanwhile."""
        fault = self._fault()
        if fault is None:
            return
        with writing(self._place, self.what):
            for left in self._place.glob(f"{UNFINISHED}*"):
                remove(left)
            unfinished = Path(mkdtemp(prefix=UNFINISHED, dir=self._place))  # nobody else's, even where the lock was removed
        try:
            with opened() as storage:
                manifest = unpacked(self.archive, storage, unfinished, what=self.what)
            with writing(self._place, self.what):
                _seal(unfinished, manifest)
                self._put_in_place(unfinished, manifest, fault)
        finally:
            remove(unfinished)

    def _put_in_place(self, unfinished: Path, manifest: Manifest, fault: str) -> None:
        self._write_manifest(manifest)
        if os.path.lexists(self._tree):
            logger.warning("The code of %s, as it was unpacked on this machine, was damaged: %s; it was unpacked anew", self.what, fault)
            replaced = Path(mkdtemp(prefix=UNFINISHED, dir=self._place))
            replaced.rmdir()
            os.rename(self._tree, replaced)
            os.rename(unfinished, self._tree)
            remove(replaced)
        else:
            os.rename(unfinished, self._tree)

    def _fault(self) -> str | None:
        """What differs; of what only seems to, that it was moved or touched, nothing is said any more."""
        try:
            for entry in self._manifest().entries:
                with _opened(entry, str(self._tree)) as file:
                    _must_be(file, entry)
        except _Differs as error:
            return str(error)
        return None

    def _write_manifest(self, manifest: Manifest) -> None:
        """In place of what is there, whatever that is."""
        path, unfinished = self._place / MANIFEST, self._place / f".{MANIFEST}"
        if path.is_dir():
            remove(path)
        with suppress(FileNotFoundError):
            unfinished.unlink()
        unfinished.write_bytes(manifest.to_bytes())
        unfinished.chmod(0o444)
        os.replace(unfinished, path)


@contextmanager
def _kept(path: str) -> Iterator[None]:
    """What cannot be read is as good as not there."""
    try:
        yield
    except FileNotFoundError:
        raise _Differs(f"{path} is not there") from None
    except (OSError, ValueError) as error:
        raise _Differs(f"{path} cannot be read ({error})") from None


def _opened(entry: Entry, tree: str) -> BinaryIO:
    """The file as it lies there, and nothing that a link leads to; what is no file does not keep us waiting."""
    with _kept(entry.path):
        descriptor = os.open(f"{tree}/{entry.path}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        return open(descriptor, "rb", buffering=0)


def _copy(entry: Entry, tree: str, path: str) -> None:
    with _opened(entry, tree) as source:
        content = None if entry.size > CHUNK else _content(source, entry)
        with open(path, "xb", opener=opener(entry)) as target:
            if content is None:
                _clone(source, target, entry)
            else:
                target.write(content)


def _content(source: BinaryIO, entry: Entry) -> bytes:
    with _kept(entry.path):
        content = source.read(entry.size + 1)
    if sha256(content).hexdigest() != entry.sha256:
        raise _Differs(f"{entry.path} was changed")
    return content


def _clone(source: BinaryIO, target: BinaryIO, entry: Entry) -> None:
    """Copies a big file inside the system, which where it can stores it only once, until somebody writes."""
    _must_be_untouched(source, entry)
    left = entry.size
    try:
        while left and hasattr(os, "copy_file_range"):  # Linux
            copied = os.copy_file_range(source.fileno(), target.fileno(), left)
            if not copied:
                break
            left -= copied
    except OSError as error:
        if error.errno not in NOT_CLONED:
            raise
    if left:
        shutil.copyfileobj(source, target, CHUNK)
    _must_be_untouched(source, entry)


def _must_be_untouched(file: BinaryIO, entry: Entry) -> None:
    about = os.fstat(file.fileno())
    if not S_ISREG(about.st_mode) or about.st_size != entry.size or about.st_mtime_ns != WRITTEN_AT:
        raise _Differs(f"{entry.path} was changed")


def _must_be(file: BinaryIO, entry: Entry) -> None:
    """Reads it from end to end; if all of a big one is right, only the moment may be wrong, and is put right."""
    digest, left = sha256(), entry.size
    with _kept(entry.path):
        before = os.fstat(file.fileno())
        while left >= 0 and (chunk := file.read(CHUNK)):
            digest.update(chunk)
            left -= len(chunk)
        after = os.fstat(file.fileno())
        if left or digest.hexdigest() != entry.sha256 or not S_ISREG(after.st_mode) or before.st_mtime_ns != after.st_mtime_ns:
            raise _Differs(f"{entry.path} was changed")
        if entry.size > CHUNK and after.st_mtime_ns != WRITTEN_AT:
            os.utime(file.fileno(), ns=(WRITTEN_AT, WRITTEN_AT))


def _seal(tree: Path, manifest: Manifest) -> None:
    """Nobody may write the files and folders any more; and big files, which will not be read again to see whether they are whole, are."""
    for entry in manifest.entries:
        with open(tree / entry.path, "rb", buffering=0) as file:
            os.fchmod(file.fileno(), 0o555 if entry.is_executable else 0o444)
            if entry.size > CHUNK:
                os.fsync(file.fileno())  # also after a power cut
                _must_be(file, entry)
    for place, _, _ in os.walk(tree):
        os.chmod(place, 0o555)
