"""Writing a copy: all of it or nothing. It grows beside its place, hidden, and takes the place when it is whole."""

import json
import os
import secrets
import shutil
import signal
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from headrace.errors import CopyNotWritten

MARK = "headrace-copy.json"
"""The file by which a copy is known."""

ZIP = ".zip"


def checked(target: Path, *, overwrites: bool) -> Path:
    """Where a copy may be written. Raises CopyNotWritten."""
    place = Path(os.path.realpath(target))
    if not place.parent.is_dir():
        raise CopyNotWritten(target=str(target), why=f"the folder {place.parent} is not there; make it first")
    if not place.exists() or (place.is_dir() and is_folder(place) and not any(place.iterdir())):
        return place
    if not _is_copy(place):
        what = "it is not empty, and no copy of pages" if place.is_dir() and is_folder(place) else "something else is there"
        raise CopyNotWritten(target=str(target), why=f"{what}; choose another name")
    if not overwrites:
        raise CopyNotWritten(target=str(target), why="an earlier copy is there; --overwrite puts this one in its place")
    return place


def is_folder(target: Path) -> bool:
    """Whether a copy of that name is a folder, and no file."""
    return target.suffix.lower() != ZIP


def _is_copy(place: Path) -> bool:
    if place.is_dir():
        return is_folder(place) and (place / MARK).is_file()
    if is_folder(place) or not zipfile.is_zipfile(place):
        return False
    with zipfile.ZipFile(place) as packed:
        return any(name.endswith(f"/{MARK}") for name in packed.namelist())


class Growing:
    """A folder that grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, parts: Iterable[str]) -> None:
        """A file with these parts."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(parts)

    @property
    def files(self) -> list[Path]:
        """All that is in it, by name."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


@contextmanager
def written(target: Path, *, made: datetime, facts: dict[str, Any]) -> Iterator[Growing]:
    """Inside, a copy grows; at the end it takes its place, and if anything fails, nothing was there. Raises CopyNotWritten."""
    beside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        with _ended_in_order():
            try:
                beside.mkdir()
                yield (growing := Growing(beside))
                growing.write(MARK, [json.dumps({**facts, "files": len(growing.files) + 1}, indent=2), "\n"])
                _put(beside, target) if is_folder(target) else _packed(growing, target, made)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise CopyNotWritten(target=str(target), why=f"{error.strerror or error}; nothing was written") from error


def _put(beside: Path, target: Path) -> None:
    """In its place; what was there before is gone when the new is there."""
    before = beside.with_name(f"{beside.name}-before")
    if target.exists():
        target.rename(before)
    try:
        beside.rename(target)
    except BaseException:
        if before.exists():
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _packed(growing: Growing, target: Path, made: datetime) -> None:
    """As one file, in which all is in a folder of its name."""
    packed = growing.folder.with_name(f"{growing.folder.name}{ZIP}")
    try:
        with zipfile.ZipFile(packed, "x", zipfile.ZIP_DEFLATED) as file:
            for path in growing.files:
                about = zipfile.ZipInfo(f"{target.stem}/{path.relative_to(growing.folder).as_posix()}", made.timetuple()[:6])
                about.external_attr, about.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
                with file.open(about, "w", force_zip64=True) as goal, path.open("rb") as source:
                    shutil.copyfileobj(source, goal)
        packed.replace(target)
    finally:
        packed.unlink(missing_ok=True)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Inside, who is told to end does so as if somebody had pressed Ctrl+C, and leaves nothing behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
