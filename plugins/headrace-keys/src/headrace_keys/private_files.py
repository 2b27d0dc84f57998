"""Files that are their owner's alone: written whole or not at all, and refused where others may have read or changed them."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp

from headrace.errors import KeysUnusable

LOCK = "keys.lock"
MOST_BYTES = 1_000_000
OTHERS = 0o077
OTHERS_WRITE = 0o022


def read_private(path: Path) -> bytes | None:
    """What is in the file; None where there is none. Raises KeysUnusable, also where it is not its owner's alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a named pipe may have no writer for ever
        with open(descriptor, "rb") as file:
            known = os.fstat(descriptor)
            fault = _fault(known, OTHERS)
            content = b"" if fault else file.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise KeysUnusable(where=str(path), why=f"it cannot be read: {_why(error)}") from None
    if fault is None and not stat.S_ISREG(known.st_mode):
        fault = "it is no ordinary file"
    if fault is None and len(content) > MOST_BYTES:
        fault = f"it has more than {MOST_BYTES} bytes, which no keys need"
    if fault is not None:
        raise KeysUnusable(where=str(path), why=fault)
    return content


def write_private(path: Path, content: bytes) -> None:
    """Puts the content there, whole, in place of what was there. Raises KeysUnusable; then nothing was changed."""
    with _writing(path):
        descriptor, name = mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
        _keep_names(path.parent)


def remove_private(path: Path) -> None:
    """Removes it. Raises KeysUnusable."""
    with _writing(path):
        path.unlink()
        _keep_names(path.parent)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder where there is none; inside, nobody else who does so writes there. Raises KeysUnusable."""
    with _writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fault = _fault(folder.stat(), OTHERS_WRITE)
        if fault is not None:
            raise KeysUnusable(where=str(folder), why=fault)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with _writing(folder):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fault(known: os.stat_result, refused: int) -> str | None:
    """Why what is there is not its owner's alone, or None."""
    if known.st_uid not in (os.geteuid(), 0):
        return "it belongs to another user"
    if known.st_mode & refused:
        mode, verb = ("700", "change") if stat.S_ISDIR(known.st_mode) else ("600", "read")
        return f"other users may {verb} it (mode {stat.S_IMODE(known.st_mode):04o}); if none of them has, take that away: chmod {mode}"
    return None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What writing raises, in our words."""
    try:
        yield
    except OSError as error:
        raise KeysUnusable(where=str(path), why=f"it cannot be written: {_why(error)}") from None


def _keep_names(folder: Path) -> None:
    """Names outlive a loss of power too, where the file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: OSError) -> str:
    return error.strerror or str(error)
