"""The file of profiles, changed: one change after the other, each whole or not at all, and what people wrote around it stays as it was.

Python reads TOML and does not write it. tomlkit does, with all comments in their places; since it is a parser of its own, what it wrote is read again
by the one that settings are read with, and has to be what was meant. Where it is not, or tomlkit cannot do it (tables written in one line, `{}`),
the file is written plainly, and whoever asks is told that comments were lost.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from headrace.errors import SettingsNotWritten, UnknownProfile, WrongSettingsFile
from headrace.settings import DEFAULT_PROFILE, Profiles, parsed_profiles, read_content

Table = dict[str, Any]


class Draft:
    """What the file is to hold. Settings are by the spelling that stands in the file."""

    def __init__(self, profiles: Profiles, path: Path) -> None:
        self.path = path
        self.active = profiles.active
        self.has_lost_comments = False
        self.tables: dict[str, Table] = {name: dict(table) for name, table in profiles.tables.items()}

    @property
    def profiles(self) -> Profiles:
        """What it holds now."""
        return Profiles(active=self.active, tables=self.tables)

    @property
    def chosen(self) -> str:
        """The profile in force where flag and environment name none."""
        return self.active if self.active in self.profiles.names else DEFAULT_PROFILE

    def must_have(self, name: str) -> None:
        """Raises UnknownProfile."""
        if name not in self.profiles.names:
            raise UnknownProfile(name=name, path=str(self.path), known=self.profiles.names)

    def table(self, name: str) -> Table:
        """What a profile sets; it is made if it is not there."""
        return self.tables.setdefault(name, {})


@contextmanager
def changing(path: Path) -> Iterator[Draft]:
    """The file, to be changed by nobody else meanwhile; it is written when the block ends, unless by an error. A link is followed.

    Raises WrongSettingsFile, SettingsNotWritten.
    """
    path = Path(os.path.realpath(path))
    with _told(path):
        if os.path.lexists(path) and not path.is_file():
            raise SettingsNotWritten(path=str(path), why="it is no ordinary file")
        with _locked(path):
            content = read_content(path)
            before = parsed_profiles(content, path)
            draft = Draft(before, path)
            yield draft
            if _compared(draft.profiles) == _compared(before):
                return
            text, has_comments = _written(content, before, draft.profiles)
            draft.has_lost_comments = b"#" in content and not has_comments
            _put(path, text)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the system refuses, as an error of ours."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename not in (None, str(path)) else ""
        raise SettingsNotWritten(path=str(path), why=f"{error.strerror}{place}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The file's own lock would be gone with the file, which is replaced; so there is one beside it, for ever."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _put(path: Path, text: str) -> None:
    """In place of the file: who reads meanwhile reads the old one or the new one."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # nobody else may read it
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


# Text


def _written(content: bytes, before: Profiles, after: Profiles) -> tuple[str, bool]:
    """The text of the file, and whether what stood around it was kept."""
    from tomlkit.exceptions import TOMLKitError  # takes 60 ms, and only who changes something waits

    with suppress(TOMLKitError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        text = _edited(content.decode("utf-8-sig"), before, after)
        if _is_read_as(after, text):
            return text, True
    return _plain(after), False


def _is_read_as(meant: Profiles, text: str) -> bool:
    try:
        return _compared(parsed_profiles(text.encode(), Path())) == _compared(meant)
    except WrongSettingsFile:
        return False


def _compared(profiles: Profiles) -> object:
    """What tells two files apart: 1 is not true, and no number is one."""
    return profiles.active, {name: {setting: repr(value) for setting, value in table.items()} for name, table in profiles.tables.items()}


def _edited(text: str, before: Profiles, after: Profiles) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    if "active" in document and after.active:
        document["active"] = after.active
    elif "active" in document:
        del document["active"]
    if after.tables and "profiles" not in document:
        document["profiles"] = tomlkit.table(is_super_table=True)
    tables: Any = document.get("profiles", {})
    for name in before.tables.keys() - after.tables.keys():
        del tables[name]
    for name, table in after.tables.items():
        if name not in tables:
            tables[name] = tomlkit.table()
        _edit(tables[name], before.tables.get(name, {}), table)
    # a new line of its own stands first: behind a table it would belong to that
    first = tomlkit.dumps({"active": after.active}) + "\n" * bool(text) if after.active and not before.active else ""
    return first + tomlkit.dumps(document)


def _edit(table: Any, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    for name in before.keys() - after.keys():
        del table[name]
    for name, value in after.items():
        if name not in before or repr(before[name]) != repr(value):
            table[name] = value


def _plain(profiles: Profiles) -> str:
    import tomlkit

    tables = {"profiles": {name: dict(table) for name, table in profiles.tables.items()}}
    return tomlkit.dumps({"active": profiles.active, **tables} if profiles.active else tables)
