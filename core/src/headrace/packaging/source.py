"""The source of a flow, read from where its code is kept, for people: nothing of it is imported, and nothing is written."""

import re

import attrs

from headrace.errors import CodeUnusable
from headrace.model.deployments import Archive
from headrace.packaging.manifest import Entry, Manifest
from headrace.packaging.sizes import said
from headrace.packaging.unpacking import read_file, read_manifest
from headrace.ports.storage import OpenStorage

MOST_ARCHIVE_BYTES = 32 * 1024 * 1024
"""Files lie in an archive one behind the other; a larger one is not looked through."""

MOST_BYTES = 512 * 1024
"""A file that somebody wrote is smaller."""


@attrs.frozen(kw_only=True)
class Source:
    """A file of code: its path, its text, the line in which what is named begins (0: it is not found), and how many other files came with it."""

    path: str
    text: str
    line: int
    others: int


def read_source(archive: Archive, entrypoint: str, storage: OpenStorage) -> Source:
    """The file of an entrypoint, `module:name`, held against the archive's address. Raises CodeUnusable, and what the storage raises."""
    what = f"archive {archive.sha256[:12]}"
    if archive.size > MOST_ARCHIVE_BYTES:
        raise CodeUnusable(
            what=what, why=f"it has {said(archive.size)}, and one of more than {said(MOST_ARCHIVE_BYTES)} is not looked through"
        )
    module, _, name = entrypoint.partition(":")
    manifest = read_manifest(archive, storage)
    entry = _entry_of(manifest, module)
    if entry is None:
        raise CodeUnusable(what=what, why=f"it has no file of module {module!r}")
    if entry.size > MOST_BYTES:
        raise CodeUnusable(what=what, why=f"its {entry.path} has {said(entry.size)}, and one of more than {said(MOST_BYTES)} is not shown")
    text = read_file(archive, storage, entry.path, most_bytes=MOST_ARCHIVE_BYTES).decode(errors="replace")
    return Source(path=entry.path, text=text, line=_line_of(text, name), others=len(manifest.entries) - 1)


def _entry_of(manifest: Manifest, module: str) -> Entry | None:
    path = module.replace(".", "/")
    files = {entry.path: entry for entry in manifest.entries}
    return next((files[each] for each in (f"{path}.py", f"{path}/__init__.py") if each in files), None)


def _line_of(text: str, name: str) -> int:
    """Where a name of the module is defined, as far as can be seen."""
    if not name.isidentifier():
        return 0
    found = re.search(rf"^(?:async\s+def|def|class)\s+{name}\b|^{name}\s*[:=]", text, re.MULTILINE)
    return 0 if found is None else text.count("\n", 0, found.start()) + 1
