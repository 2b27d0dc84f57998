"""Bytecode: made once of what was shipped, and believed of nothing else."""

import importlib
import importlib.util
import marshal
import os
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest

from headrace.packaging.bytecode import keep_bytecode
from headrace.packaging.tree import tree_of_folder

Files = Callable[..., Path]
SOURCE = "X = 1\ndef place():\n    return place.__code__.co_filename\n"
CONTENTS = {"shop/__init__.py": "", "shop/words.py": SOURCE, "shop/late.py": SOURCE}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: None) -> Path:
    """Where bytecode is kept, of a Python that writes some."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "kept"


@pytest.fixture
def run(files: Files, kept: Path) -> Callable[..., ModuleType]:
    """Imports a module from files of another run, which may have changed them; what was imported before is forgotten."""

    def do(name: str, change: dict[str, str] | None = None) -> ModuleType:
        for module in [each for each in sys.modules if each.partition(".")[0] == "shop"]:
            del sys.modules[module]
        manifest = tree_of_folder(files(CONTENTS)).manifest
        root = files(CONTENTS, f"run {len(sys.path_hooks)}")
        files(dict(change or {}), root.name)
        keep_bytecode(manifest, root, kept)
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
        return importlib.import_module(name)

    return do


def of(kept: Path, source: str = SOURCE) -> Path:
    """The file that is kept of a source."""
    (place,) = kept.iterdir()
    return place / sha256(source.encode()).hexdigest()


def replace(file: Path, source: str, *, of: str = SOURCE, magic: bytes = importlib.util.MAGIC_NUMBER) -> None:
    """Keeps something else in place of what was made of a source, so that it can be seen where that comes from."""
    flags = (3).to_bytes(4, "little")
    made = magic + flags + importlib.util.source_hash(of.encode()) + marshal.dumps(compile(source, "elsewhere.py", "exec"))
    file.write_bytes(made + sha256(made).digest())


def test_it_is_made_once(run: Callable[..., ModuleType], kept: Path) -> None:
    """What one run has imported, the next one need not compile; and it lies in no run's own folder."""
    module = run("shop.words")
    assert set(os.listdir(of(kept).parent)) == {sha256(text.encode()).hexdigest() for text in ("", SOURCE)}
    replace(of(kept), "X = 2")
    again = run("shop.words")
    assert (module.X, again.X) == (1, 2)
    for each in (module, again):
        assert sorted(os.listdir(Path(each.__file__ or "").parent)) == ["__init__.py", "late.py", "words.py"]


def test_it_names_the_files_of_the_run(run: Callable[..., ModuleType]) -> None:
    """Tracebacks lead to the run's own files, whoever has compiled them."""
    run("shop.words")
    module = run("shop.words")
    assert module.place() == module.__file__ == module.place.__code__.co_filename


def test_what_is_imported_late_is_kept_too(run: Callable[..., ModuleType], kept: Path) -> None:
    """As by a function of a flow, long after the flow was loaded."""
    run("shop")
    assert not of(kept).exists()
    importlib.import_module("shop.late")
    assert of(kept).exists()


def test_a_run_that_changes_its_sources(run: Callable[..., ModuleType], kept: Path) -> None:
    """It gets what it has written, and keeps none of it; others get what was shipped."""
    run("shop.words")
    content = of(kept).read_bytes()
    changed = SOURCE.replace("1", "7")
    assert run("shop.words", {"shop/words.py": changed}).X == 7
    assert run("shop.new", {"shop/new.py": "X = 8"}).X == 8
    assert of(kept).read_bytes() == content
    assert len(os.listdir(of(kept).parent)) == 2
    assert run("shop.words").X == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(file.read_bytes().replace(b"X", b"Y")),
        lambda file: replace(file, "X = 2", magic=b"old\n"),
        lambda file: replace(file, "X = 2", of="X = 1"),
        lambda file: file.unlink(),
    ],
    ids=["empty", "cut off", "changed", "of another Python", "of another source", "gone"],
)
def test_what_is_damaged_is_made_anew(run: Callable[..., ModuleType], kept: Path, damage: Callable[[Path], object]) -> None:
    """It is not believed, and the next one need not make it."""
    run("shop.words")
    head = of(kept).read_bytes()[:16]
    damage(of(kept))
    assert run("shop.words").X == 1
    content = of(kept).read_bytes()
    assert (content[:16], content[-32:]) == (head, sha256(content[:-32]).digest())


def test_nothing_need_be_kept(run: Callable[..., ModuleType], kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be, or where Python is told to write none, modules are imported all the same."""
    kept.touch()
    assert run("shop.words").X == 1
    kept.unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert run("shop.words").X == 1
    assert not kept.exists()


def test_a_folder_of_python_for_all_bytecode(
    run: Callable[..., ModuleType], kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a run is left there, where it would stay for ever."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "prefix"))
    run("shop.words")
    assert of(kept).exists()
    assert not (tmp_path / "prefix").exists()
    assert run("shop.words").X == 1


def test_other_modules_are_not_touched(run: Callable[..., ModuleType], files: Files, kept: Path) -> None:
    """Those that do not lie in the run's folder, whatever its name begins with, are compiled as ever."""
    root = files({"elsewhere_too.py": "X = 3"}, f"run {len(sys.path_hooks)} too")
    run("shop.words")
    sys.path.insert(0, str(root))
    module = importlib.import_module("elsewhere_too")
    assert (module.X, os.listdir(root / "__pycache__") != []) == (3, True)
    assert not of(kept, "X = 3").exists()
