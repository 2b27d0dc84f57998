"""Trees: what is found is what is packed, or nothing is."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from headrace.errors import CodeUnusable
from headrace.model.choices import Choice
from headrace.packaging.manifest import Entry
from headrace.packaging.sizes import said
from headrace.packaging.tree import Tree, tree_of_file, tree_of_folder

Files = Callable[..., Path]


def content(tree: Tree, path: str) -> bytes:
    """A file of the tree."""
    return b"".join(tree.content(next(entry for entry in tree.manifest.entries if entry.path == path)))


def test_a_tree_of_a_folder(files: Files) -> None:
    """Every file with its hash and size, under its path."""
    tree = tree_of_folder(files({"a/x.py": "one", "y.py": ""}))
    assert tree.manifest.entries == (
        Entry(path="a/x.py", sha256=hashlib.sha256(b"one").hexdigest(), size=3),
        Entry(path="y.py", sha256=hashlib.sha256(b"").hexdigest(), size=0),
    )
    assert content(tree, "a/x.py") == b"one"
    archive = tree.archive(Choice("s3", {"bucket": "b"}))
    assert (archive.sha256, archive.files, archive.size) == (tree.manifest.sha256, 2, 3)
    assert archive.storage == Choice("s3", {"bucket": "b"})


def test_equal_folders_have_equal_addresses(files: Files) -> None:
    """Wherever they lie, whenever they were written, and whatever else their modes are."""
    one, other = files({"a/x.py": "one", "run.sh": ""}), files({"run.sh": "", "a/x.py": "one"}, "elsewhere")
    (one / "run.sh").chmod(0o700)
    (other / "run.sh").chmod(0o775)
    assert tree_of_folder(one) == tree_of_folder(one)
    assert tree_of_folder(one).archive() == tree_of_folder(other).archive()
    (other / "run.sh").chmod(0o664)
    assert tree_of_folder(one).archive() != tree_of_folder(other).archive()


@pytest.mark.parametrize("after", [b"two", b"o", b"one more", b""])
def test_a_file_that_changes_meanwhile(files: Files, after: bytes) -> None:
    """What was hashed is not what is there any more: it is refused, by name."""
    root = files({"x.py": "one"})
    tree = tree_of_folder(root)
    (root / "x.py").write_bytes(after)
    with pytest.raises(CodeUnusable, match=r"x\.py was changed while it was packed"):
        content(tree, "x.py")


def test_a_file_that_vanishes_meanwhile(files: Files) -> None:
    """It is refused with what the system says."""
    root = files({"x.py": "one"})
    tree = tree_of_folder(root)
    (root / "x.py").unlink()
    with pytest.raises(CodeUnusable, match=r"x\.py cannot be read: No such file"):
        content(tree, "x.py")


def test_too_much_to_travel(files: Files) -> None:
    """The ten largest are named, the largest first, and what to do."""
    sizes = {f"data/{number:02}": number * 1000 for number in range(12)}
    root = files({path: b"x" * size for path, size in sizes.items()})
    assert tree_of_folder(root, most_bytes=66_000).manifest.size == 66_000
    with pytest.raises(CodeUnusable) as caught:
        tree_of_folder(root, most_bytes=65_999)
    assert caught.value.why.startswith("its 12 files have 64.5 kB, and at most 64.5 kB may travel; the largest: data/11 (10.7 kB), data/10")
    assert "data/02 (2.0 kB); " in caught.value.why
    assert "data/01" not in caught.value.why
    assert ".headraceignore" in caught.value.why


def test_the_size_is_known_before_anything_is_read(files: Files) -> None:
    """A folder given by mistake is not hashed to find that it is too big."""
    root = files({"x.py": ""})
    with open(root / "huge", "wb") as huge:
        huge.truncate(2**40)
    with pytest.raises(CodeUnusable, match=r"huge \(1048576\.0 MB\)"):
        tree_of_folder(root)


@pytest.mark.parametrize(("size", "words"), [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 kB"), (3 * 2**20, "3.0 MB")])
def test_sizes_in_words(size: int, words: str) -> None:
    """As people say them."""
    assert said(size) == words


def test_a_project_that_is_no_folder(files: Files) -> None:
    """A file, or nothing, is refused."""
    root = files({"x.py": ""})
    for place in (root / "x.py", root / "nowhere"):
        with pytest.raises(CodeUnusable, match="is no folder"):
            tree_of_folder(place)


def test_a_file_alone(files: Files) -> None:
    """It keeps its name; what lies beside it stays."""
    tree = tree_of_file(files({"a/x.py": "one", "a/y.py": ""}) / "a/x.py", what="script 'x.py'")
    assert [entry.path for entry in tree.manifest.entries] == ["x.py"]
    assert content(tree, "x.py") == b"one"


@pytest.mark.parametrize(("name", "said"), [("nix.py", "No such file"), ("a", "a is no file"), ("b\\c.py", "backslash")])
def test_a_file_that_cannot_travel(files: Files, name: str, said: str) -> None:
    """It is said why."""
    root = files({"a/x.py": "", "b\\c.py": ""})
    with pytest.raises(CodeUnusable, match=said):
        tree_of_file(root / name, what="script")
