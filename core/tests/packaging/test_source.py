"""The source of a flow: the file of its entrypoint, read from an archive and held against its address."""

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from headrace.errors import CodeUnusable
from headrace.model.deployments import Archive
from headrace.packaging.packing import write_archive
from headrace.packaging.source import MOST_ARCHIVE_BYTES, MOST_BYTES, read_source
from headrace.packaging.tree import tree_of_folder
from headrace.ports.storage import OpenStorage
from headrace.reference.storage import MemoryStorage

Files = Callable[..., Path]
FLOW = "from headrace import flow\n\n\n@flow\ndef etl():\n    pass\n\n\nother = etl.with_options()\n"


@pytest.fixture
def storage() -> Iterator[OpenStorage]:
    """A storage in memory."""
    with MemoryStorage().open() as opened:
        yield opened


@pytest.fixture
def packed(files: Files, storage: OpenStorage) -> Callable[[dict[str, str | bytes]], Archive]:
    """Packs files into an archive."""

    def pack(contents: dict[str, str | bytes]) -> Archive:
        tree = tree_of_folder(files(contents))
        write_archive(tree, tree.archive().key, storage)
        return tree.archive()

    return pack


@pytest.mark.parametrize(
    ("path", "entrypoint", "line"),
    [
        ("flows.py", "flows:etl", 5),
        ("flows.py", "flows:other", 9),
        ("flows.py", "flows:gone", 0),
        ("flows.py", "flows", 0),
        ("acme/flows/daily.py", "acme.flows.daily:etl", 5),
        ("acme/__init__.py", "acme:etl", 5),
    ],
)
def test_the_file_of_an_entrypoint(packed: Callable[..., Archive], storage: OpenStorage, path: str, entrypoint: str, line: int) -> None:
    """It is found by its module, beside others, with the line in which the flow begins."""
    archive = packed({path: FLOW, "a.txt": "before", "z/data.bin": b"\0" * 3_000_000})
    found = read_source(archive, entrypoint, storage)
    assert (found.path, found.text, found.line, found.others) == (path, FLOW, line, 2)


def test_what_is_no_text(packed: Callable[..., Archive], storage: OpenStorage) -> None:
    """It is shown as far as it can be."""
    assert read_source(packed({"flows.py": b"# \xff\n"}), "flows:etl", storage).text == "# �\n"


@pytest.mark.parametrize(
    ("contents", "entrypoint", "why"),
    [
        ({"flows.py": FLOW}, "others:etl", "it has no file of module 'others'"),
        ({"flows.py": "#" * (MOST_BYTES + 1)}, "flows:etl", "is not shown"),
        ({"a.bin": b"\0" * (MOST_ARCHIVE_BYTES + 1), "flows.py": FLOW}, "flows:etl", "is not looked through"),
    ],
)
def test_what_is_not_shown(
    packed: Callable[..., Archive], storage: OpenStorage, contents: dict[str, str | bytes], entrypoint: str, why: str
) -> None:
    """What is not there or too large is told in a sentence."""
    with pytest.raises(CodeUnusable, match=why):
        read_source(packed(contents), entrypoint, storage)


def test_an_archive_that_says_less_than_it_has(packed: Callable[..., Archive], storage: OpenStorage) -> None:
    """Its own word for its size is not believed."""
    archive = packed({"a.bin": b"\0" * (MOST_ARCHIVE_BYTES + 1), "flows.py": FLOW})
    with pytest.raises(CodeUnusable, match="not among the first"):
        read_source(attrs.evolve(archive, size=1), "flows:etl", storage)


def test_an_archive_that_is_gone_or_another(packed: Callable[..., Archive], storage: OpenStorage) -> None:
    """What is not what its address says is not shown."""
    archive, other = packed({"flows.py": FLOW}), packed({"flows.py": "import os\n"})
    with storage.open(other.key) as file:
        content = file.read()
    storage.delete(archive.key)
    with pytest.raises(CodeUnusable, match="it is not in its storage"):
        read_source(archive, "flows:etl", storage)
    storage.write(archive.key, [content])
    with pytest.raises(CodeUnusable, match="damaged"):
        read_source(archive, "flows:etl", storage)
