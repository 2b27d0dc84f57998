"""The keys that are trusted here: the public halves of those who may sign what runs, each by a name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.errors import AlreadyThere, KeysUnusable, NotFound, WrongData
from headrace_keys.private_files import locked, read_private, write_private
from headrace_keys.signing_keys import PublicKey, checked_key_name, public_key

FILE = "trusted.json"
VERSION = 1


def file_of(folder: Path) -> Path:
    """Where the trusted keys are, in the folder of keys."""
    return folder / FILE


def trusted_keys(folder: Path) -> dict[str, PublicKey]:
    """Those that are trusted, by their names. Raises KeysUnusable; who could write the file may have trusted himself."""
    path = file_of(folder)
    content = read_private(path)
    if content is None:
        return {}
    try:
        said = json.loads(content)
        if said["version"] != VERSION:
            raise ValueError
        return _keys(said["keys"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UnicodeError, WrongData):
        why = "it is damaged; restore it, or move it away and trust keys anew: headrace keys trust NAME PUBLIC"
        raise KeysUnusable(where=str(path), why=why) from None


def trust(folder: Path, name: str, key: PublicKey) -> None:
    """From now on what it signs is run here. Raises AlreadyThere for a name of another key, KeysUnusable, WrongData."""
    checked_key_name(name)
    with locked(folder):
        known = trusted_keys(folder)
        if known.get(name, key) != key:
            raise AlreadyThere(what="trusted key", name=name, command=f"keys distrust {name}")
        _write(folder, {**known, name: key})


def distrust(folder: Path, name: str) -> None:
    """From now on what it signs is not run here. Raises NotFound, KeysUnusable."""
    with locked(folder):
        known = trusted_keys(folder)
        if name not in known:
            raise NotFound(what="trusted key", name=name, command="keys ls")
        _write(folder, {other: key for other, key in known.items() if other != name})


def _keys(rows: Mapping[str, Any]) -> dict[str, PublicKey]:
    return {checked_key_name(name): public_key(text, where=name) for name, text in rows.items()}


def _write(folder: Path, keys: Mapping[str, PublicKey]) -> None:
    rows = {name: key.text for name, key in sorted(keys.items())}
    write_private(file_of(folder), json.dumps({"version": VERSION, "keys": rows}, indent=1).encode() + b"\n")
