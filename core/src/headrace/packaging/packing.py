"""Packing: a tree becomes an archive in a storage.

An archive is a tar file in gzip: first `manifest.json`, then every file under `tree/`, in the manifest's order, without times or owners. It is made as
it is written, a chunk at a time.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from tarfile import BLOCKSIZE, PAX_FORMAT, TarInfo

from headrace.packaging.manifest import FOLDER, MANIFEST
from headrace.packaging.tree import Tree
from headrace.ports.storage import OpenStorage

_GZIP = 31
"""For zlib: a gzip file, without a name and a time."""


def write_archive(tree: Tree, key: str, storage: OpenStorage, *, begun: Callable[[], object] = lambda: None) -> bool:
    """Puts the tree's archive under a key, and calls `begun` before; False if it was there already. Raises CodeUnusable for a file that changes meanwhile."""
    if storage.exists(key):
        return False
    begun()
    storage.write(key, _zipped(_tar(tree)))
    return True


def _tar(tree: Tree) -> Iterator[bytes]:
    manifest = tree.manifest.to_bytes()
    yield _header(MANIFEST, len(manifest), 0o644)
    yield manifest
    yield _padding(len(manifest))
    for entry in tree.manifest.entries:
        yield _header(FOLDER + entry.path, entry.size, 0o755 if entry.is_executable else 0o644)
        yield from tree.content(entry)
        yield _padding(entry.size)
    yield bytes(2 * BLOCKSIZE)


def _header(name: str, size: int, mode: int) -> bytes:
    member = TarInfo(name)
    member.size, member.mode = size, mode
    return member.tobuf(PAX_FORMAT, "utf-8", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCKSIZE)


def _zipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(wbits=_GZIP)
    for chunk in chunks:
        if made := compressor.compress(chunk):
            yield made
    yield compressor.flush()
