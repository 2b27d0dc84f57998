"""Manifests: which files an archive has. The sha256 of a manifest's text is the address of the code."""

import json
from collections.abc import Iterable
from typing import Any

import attrs

VERSION = 1
MANIFEST, FOLDER = "manifest.json", "tree/"
"""Where an archive has its manifest, and its files."""

MOST_NAME_BYTES = 255


@attrs.frozen(kw_only=True)
class Entry:
    """A file: its path is relative, its parts parted by `/`; of its mode only counts whether its owner may execute it."""

    path: str
    sha256: str
    size: int
    is_executable: bool = False


@attrs.frozen(kw_only=True)
class Manifest:
    """Files by their paths, sorted; equal files give equal addresses on any machine."""

    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Manifest":
        """One of these entries, in any order."""
        return cls(entries=tuple(sorted(entries, key=lambda entry: entry.path)))

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries)

    @property
    def sha256(self) -> str:
        """The address."""
        from hashlib import sha256  # costs milliseconds that what packs nothing need not pay

        return sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The one text that says this: the same for equal manifests, byte by byte."""
        files = [
            {"executable": entry.is_executable, "path": entry.path, "sha256": entry.sha256, "size": entry.size} for entry in self.entries
        ]
        whole = {"files": files, "version": VERSION}
        return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, text: bytes) -> "Manifest":
        """What `to_bytes` wrote. Raises ValueError with a sentence for anything else, and for paths that could lead out of a folder."""
        try:
            manifest = cls(entries=tuple(_entry(row) for row in json.loads(text)["files"]))
            same = manifest.to_bytes() == text
        except (KeyError, TypeError, RecursionError, UnicodeError, json.JSONDecodeError):
            raise ValueError("its manifest cannot be read") from None
        for entry in manifest.entries:
            fault = path_fault(entry.path)
            if fault:
                raise ValueError(f"its manifest names {entry.path!r}: {fault}")
        if not same or [entry.path for entry in manifest.entries] != sorted({entry.path for entry in manifest.entries}):
            raise ValueError("its manifest is not written as this headrace writes one; use the version that deployed it, or deploy again")
        return manifest


def _entry(row: Any) -> Entry:
    path, digest, size, executable = row["path"], row["sha256"], row["size"], row["executable"]
    if not isinstance(path, str) or not isinstance(digest, str) or type(size) is not int or size < 0 or not isinstance(executable, bool):
        raise TypeError
    return Entry(path=path, sha256=digest, size=size, is_executable=executable)


def path_fault(path: str) -> str | None:
    """Why a file of this path cannot travel, or None: Linux or a Mac could not have it, or it could lead out of the folder it is put in."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8 text"
    if "\\" in path:
        return "its name holds a backslash, which parts folders elsewhere"
    if not path.isprintable():
        return "its name holds characters that cannot be shown"
    if not path or any(part in {"", ".", ".."} for part in path.split("/")):
        return "it is not the relative path of a file"
    if any(len(part.encode()) > MOST_NAME_BYTES for part in path.split("/")):
        return f"its name has more than {MOST_NAME_BYTES} bytes, and Linux takes no longer one"
    return None


def collision_fault(paths: Iterable[str]) -> str | None:
    """Why these files cannot lie in one folder on a Mac, or None: it does not tell upper case from lower, nor one way of writing `é` from another."""
    from unicodedata import normalize  # only what packs needs it

    seen: dict[str, str] = {}
    for path in paths:
        first = seen.setdefault(normalize("NFC", normalize("NFC", path).casefold()), path)
        if first != path:
            return f"{first!r} and {path!r} are one and the same file on a Mac; rename one, or name it in a .headraceignore file"
    return None
