"""The keys that secrets are sealed with: in one file, the first of them seals, all of them open."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
from cryptography.fernet import Fernet

from headrace.errors import KeysUnusable
from headrace_keys.private_files import locked, read_private, write_private

FILE = "sealing.json"
VERSION = 1


@attrs.frozen
class SealingKey:
    """A key of Fernet, which is shown nowhere."""

    text: str = attrs.field(repr=False)

    @property
    def id(self) -> str:
        """What it is called where it is not to be told: it follows from the key, and leads nowhere near it."""
        return sha256(b"headrace sealing key\0" + self.text.encode()).hexdigest()[:16]

    @property
    def fernet(self) -> Fernet:
        """Raises ValueError where it is no key."""
        return Fernet(self.text)


def file_of(folder: Path) -> Path:
    """Where the keys are, in the folder of keys."""
    return folder / FILE


def known_keys(folder: Path) -> tuple[SealingKey, ...]:
    """The keys of the file, none where there is no file. Raises KeysUnusable."""
    path = file_of(folder)
    content = read_private(path)
    if content is None:
        return ()
    try:
        return _keys(json.loads(content))
    except (ValueError, KeyError, TypeError, RecursionError, UnicodeError):
        why = "it is damaged; restore it from a copy, or move it away, and a new key is made, which opens nothing that was sealed before"
        raise KeysUnusable(where=str(path), why=why) from None


def first_key(folder: Path) -> SealingKey:
    """The key that seals; it is made where there is none. Raises KeysUnusable."""
    keys = known_keys(folder)
    if not keys:
        with locked(folder):
            keys = known_keys(folder) or _written(folder, (new_key(),))
    return keys[0]


def rotated(folder: Path) -> tuple[SealingKey, ...]:
    """The keys, with a new one at their head. Raises KeysUnusable."""
    with locked(folder):
        return _written(folder, (new_key(), *known_keys(folder)))


def pruned(folder: Path) -> tuple[SealingKey, ...]:
    """Takes all keys away but the first; those that are gone. Raises KeysUnusable."""
    with locked(folder):
        first, *others = known_keys(folder) or (None,)
        if others and first is not None:
            _written(folder, (first,))
    return tuple(key for key in others if key is not None)


def new_key() -> SealingKey:
    """One that nobody has."""
    return SealingKey(Fernet.generate_key().decode())


def _written(folder: Path, keys: tuple[SealingKey, ...]) -> tuple[SealingKey, ...]:
    rows = [{"id": key.id, "key": key.text} for key in keys]
    write_private(file_of(folder), json.dumps({"version": VERSION, "keys": rows}, indent=1).encode() + b"\n")
    return keys


def _keys(said: Any) -> tuple[SealingKey, ...]:
    """Raises ValueError, KeyError, TypeError for what was not written here."""
    keys = tuple(SealingKey(row["key"]) for row in said["keys"])
    is_whole = all(key.fernet and key.id == row["id"] for key, row in zip(keys, said["keys"], strict=True))
    if said["version"] != VERSION or not keys or not is_whole:
        raise ValueError
    return keys
