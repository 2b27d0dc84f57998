"""Bytecode: Python compiles a module of an archive once on a machine, not once in each run.

Modules are imported from a run's own files, but what Python makes of them is looked for, and kept, in the code cache: by the sha256 that the source has
in the manifest. It says itself which source it was made from, and Python holds that against the source that is there; so a run that changes its own files gets
what it has written, and keeps nothing. What is kept ends with its own sha256: what was damaged is made anew.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from hashlib import sha256
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from typing import Any

import attrs

from headrace.packaging.manifest import Manifest

HEAD = 16
"""Bytes of a compiled file before the code: the Python that made it, flags, and what tells the source."""

CHECKED_HASH = (3).to_bytes(4, "little")
"""The flags that say: the source is told by its hash, which is to be checked."""

DIGEST = sha256().digest_size


def keep_bytecode(manifest: Manifest, root: Path, kept: Path) -> None:
    """From here on, what Python makes of modules below `root` is kept in the folder `kept`."""
    sources = {f"{root}/{entry.path}": entry.sha256 for entry in manifest.entries}
    source_loader: Any = partial(_Loader, bytecode=_Bytecode(kept=kept / _tag(), sources=sources))
    finder = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (source_loader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES)
    )

    def found_below_root(path: str) -> Any:
        if path != str(root) and not path.startswith(f"{root}/"):
            raise ImportError(f"{path} is not below {root}")
        return finder(path)

    sys.path_hooks.insert(0, found_below_root)


def _tag() -> str:
    """What the Python that compiles is called, and how it does: asserts and docstrings may be left out."""
    return Path(cache_from_source("x.py")).name.removeprefix("x.").removesuffix(".pyc")


class _Loader(SourceFileLoader):
    """Python's own, but for the place of the bytecode."""

    def __init__(self, fullname: str, path: str, *, bytecode: "_Bytecode") -> None:
        super().__init__(fullname, path)
        self._bytecode = bytecode

    def get_data(self, path: Any) -> bytes:
        """Raises OSError where there is nothing, as Python wants to be told."""
        return super().get_data(path) if path == self.path else self._bytecode.read(self.path)

    def set_data(self, path: Any, data: Any, **_: Any) -> None:
        with suppress(OSError):  # it saves time, and is nothing that a run needs
            self._bytecode.write(self.path, data)


@attrs.frozen(kw_only=True)
class _Bytecode:
    """What is kept for one kind of Python; `sources` has the sha256 of each file as it was shipped."""

    kept: Path
    sources: Mapping[str, str]

    def read(self, source: str) -> bytes:
        """What was made of a source. Raises OSError where nothing is kept, or it was damaged."""
        content = (self.kept / self._name(source)).read_bytes()
        compiled, digest = content[:-DIGEST], content[-DIGEST:]
        if sha256(compiled).digest() != digest or compiled[: len(MAGIC_NUMBER)] != MAGIC_NUMBER:
            raise FileNotFoundError(source)
        return compiled

    def write(self, source: str, compiled: bytes) -> None:
        """Keeps what was made of a source just now, if that is as it was shipped."""
        name, content = self._name(source), Path(source).read_bytes()
        if sha256(content).hexdigest() != name:
            return
        made = MAGIC_NUMBER + CHECKED_HASH + source_hash(content) + compiled[HEAD:]
        self.kept.mkdir(parents=True, exist_ok=True)
        unfinished = self.kept / f".{name}.{sha256(os.fsencode(source)).hexdigest()}"  # a run's own path is nobody else's
        try:
            unfinished.write_bytes(made + sha256(made).digest())
            os.replace(unfinished, self.kept / name)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise

    def _name(self, source: str) -> str:
        try:
            return self.sources[source]
        except KeyError:
            raise FileNotFoundError(source) from None
