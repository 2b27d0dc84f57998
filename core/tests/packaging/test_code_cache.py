"""The code cache: every run gets files of its own, and what became of those in the cache reaches none of them."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import attrs
import pytest

from headrace.errors import CodeUnusable
from headrace.model.deployments import Archive
from headrace.packaging.code_cache import CodeCache
from headrace.packaging.packing import write_archive
from headrace.packaging.removing import remove
from headrace.packaging.tree import CHUNK, tree_of_folder
from headrace.ports.storage import OpenStorage
from headrace.reference.storage import MemoryStorage

Files = Callable[..., Path]
BIG = bytes(range(256)) * (CHUNK // 256) + b"the end"
CONTENTS: dict[str, str | bytes] = {"a/b/x.py": "one", "a/y.py": "", "big.bin": BIG, "run.sh": "#!/bin/sh\n", "ä/水.txt": "水"}


@attrs.define
class Machine:
    """A machine with a cache and folders of runs, and the storage that it gets archives from."""

    archive: Archive
    storage: OpenStorage
    folder: Path
    fetched: int = 0
    runs: int = 0

    @contextmanager
    def opened(self) -> Iterator[OpenStorage]:
        self.fetched += 1
        yield self.storage

    def run(self, opened: Callable[[], AbstractContextManager[OpenStorage]] | None = None) -> Path:
        """The folder of another run."""
        self.runs += 1
        folder = self.folder / "running" / f"{self.runs}.1"
        CodeCache(archive=self.archive, cache=self.folder / "code", what="leo").copy(folder, opened or self.opened)
        return folder

    @property
    def tree(self) -> Path:
        return self.folder / "code" / self.archive.sha256 / "tree"


@pytest.fixture
def machine(files: Files, tmp_path: Path) -> Iterator[Machine]:
    """One that has run nothing yet."""
    root = files(CONTENTS)
    (root / "run.sh").chmod(0o755)
    tree = tree_of_folder(root)
    with MemoryStorage().open() as storage:
        write_archive(tree, tree.archive().key, storage)
        yield Machine(tree.archive(), storage, tmp_path / "home")


def read(root: Path) -> dict[str, str | bytes]:
    """All files below, by their paths; text as text."""
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {path: content if path == "big.bin" else content.decode() for path, content in found.items()}


def test_a_run_has_the_files(machine: Machine) -> None:
    """All of them, and nothing else; it may write them, and execute what could be executed."""
    folder = machine.run()
    assert read(folder) == CONTENTS
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) | 0o022 for path in folder.rglob("*") if path.is_file()}
    assert modes == {"x.py": 0o666, "y.py": 0o666, "big.bin": 0o666, "run.sh": 0o777, "水.txt": 0o666}


def test_the_cache_may_not_be_written(machine: Machine) -> None:
    """Neither its files nor its folders; and nothing unfinished lies in it."""
    machine.run()
    modes = {
        path.relative_to(machine.tree).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in (machine.tree, *machine.tree.rglob("*"))
    }
    assert {path for path, mode in modes.items() if mode == 0o555} == {".", "a", "a/b", "ä", "run.sh"}
    assert {path for path, mode in modes.items() if mode == 0o444} == {"a/b/x.py", "a/y.py", "big.bin", "ä/水.txt"}
    assert sorted(os.listdir(machine.tree.parent)) == ["lock", "manifest.json", "tree"]


def test_what_is_there_is_not_fetched_again(machine: Machine) -> None:
    """The second time the storage is not even opened."""
    machine.run()
    machine.run()
    assert machine.fetched == 1


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "write beside": lambda root: (root / "a" / "new.py").write_text("new"),
    "write into": lambda root: (root / "a" / "y.py").write_text("other"),
    "write as long": lambda root: (root / "a/b/x.py").write_text("two"),
    "truncate": lambda root: os.truncate(root / "run.sh", 2),
    "delete": lambda root: (root / "ä" / "水.txt").unlink(),
    "delete a folder": lambda root: remove(root / "a"),
    "write into a big one": lambda root: written_into(root / "big.bin"),
    "truncate a big one": lambda root: os.truncate(root / "big.bin", CHUNK + 1),
    "a folder for a file": lambda root: replaced(root / "run.sh", lambda path: path.mkdir()),
    "a pipe for a file": lambda root: replaced(root / "run.sh", lambda path: os.mkfifo(path)),
    "a link for a file": lambda root: replaced(root / "run.sh", lambda path: path.symlink_to("/etc/passwd")),
    "a link for a folder": lambda root: replaced(root / "a", lambda path: path.symlink_to("/etc")),
    "a file for a folder": lambda root: replaced(root / "a", lambda path: path.touch()),
    "everything": remove,
    "a file for everything": lambda root: replaced(root, lambda path: path.touch()),
}


def written_into(file: Path) -> None:
    """In place, so that it is as big as it was."""
    file.chmod(0o644)
    with open(file, "r+b") as opened:
        opened.write(b"x")


def replaced(path: Path, make: Callable[[Path], Any]) -> None:
    """Something else of that name."""
    remove(path)
    make(path)


def opened_up(root: Path) -> None:
    """As root is let in anyway."""
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_a_run_does_to_its_files_no_other_sees(machine: Machine, damage: Callable[[Path], Any]) -> None:
    """Whatever it is; neither those that run at the same time, nor later ones, nor the cache."""
    own, other = machine.run(), machine.run()
    damage(own)
    assert (read(other), read(machine.tree), read(machine.run())) == (CONTENTS, CONTENTS, CONTENTS)
    assert machine.fetched == 1


@pytest.mark.parametrize("name", sorted(DAMAGES.keys() - {"write beside", "everything"}))
def test_a_damaged_cache_heals(machine: Machine, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The next run has the files as they were shipped, and so has the cache; the run's log says that and what was wrong."""
    machine.run()
    opened_up(machine.tree)
    DAMAGES[name](machine.tree)
    assert (read(machine.run()), read(machine.tree)) == (CONTENTS, CONTENTS)
    (said,) = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(
        "The code of leo, as it was unpacked on this machine, was damaged: .* (was changed|is not there|cannot be read .*); it was unpacked anew",
        said,
    )
    machine.run()
    assert machine.fetched == 2


def test_what_was_never_shipped_reaches_no_run(machine: Machine) -> None:
    """A file that somebody put into the cache stays there, and only there."""
    machine.run()
    opened_up(machine.tree)
    DAMAGES["write beside"](machine.tree)
    assert read(machine.run()) == CONTENTS
    assert machine.fetched == 1


def test_a_cache_may_be_removed(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    """Of one archive, or whole; it is made anew, and nothing is said."""
    for folder in (machine.tree, machine.tree.parent, machine.tree.parent.parent):
        machine.run()
        remove(folder)
        assert read(machine.run()) == CONTENTS
    assert machine.fetched == 4
    assert caplog.records == []


def test_who_is_stopped_by_permissions_heals_too(machine: Machine, as_nobody: Callable[..., str]) -> None:
    """Its own folders that nobody may write are replaced, also if they cannot be read; and so are a run's own."""
    with machine.storage.open(machine.archive.key) as stored:
        content = stored.read()
    machine.folder.mkdir()
    (machine.folder / "archive").write_bytes(content)
    script = f"""
    from contextlib import contextmanager
    class Storage:
        def open(self, key):
            print("fetched")
            return open("archive", "rb")
    @contextmanager
    def opened():
        yield Storage()
    cache = CodeCache(archive=Archive(sha256={machine.archive.sha256!r}, files=1, size=1), cache=Path("code"), what="leo")
    def run(number):
        cache.copy(Path("running", number), opened)
        print(sorted(name for _, _, names in os.walk(Path("running", number)) for name in names))
        print(open(Path("running", number, "a", "b", "x.py"), "r+").write("other"))
    tree = Path("code", {machine.archive.sha256!r}, "tree")
    run("1")
    try:
        (tree / "a" / "new").touch()
    except PermissionError:
        print("refused")
    tree.joinpath("run.sh").chmod(0)
    run("2")
    tree.joinpath("a").chmod(0)
    run("3")
    Path("running", "1", "a").chmod(0)
    Path("running", "1").chmod(0)
    run("1")
    """
    names = "['big.bin', 'run.sh', 'x.py', 'y.py', '水.txt']"
    assert as_nobody(script, machine.folder).split("\n") == [
        "fetched",
        names,
        "5",
        "refused",
        "fetched",
        names,
        "5",
        "fetched",
        names,
        "5",
        names,
        "5",
        "",
    ]


def test_a_damaged_manifest_heals(machine: Machine) -> None:
    """It is not believed because it lies there."""
    machine.run()
    manifest = machine.tree.parent / "manifest.json"
    manifest.chmod(0o644)
    for damage in (lambda: manifest.write_text("{}"), manifest.unlink, lambda: (manifest.unlink(), manifest.mkdir())):
        damage()
        assert read(machine.run()) == CONTENTS
        assert manifest.is_file()
    assert machine.fetched == 4


def test_files_that_were_only_touched_are_not_fetched_again(machine: Machine) -> None:
    """As after a home was copied: a big file whose content is right is right."""
    machine.run()
    os.utime(machine.tree / "big.bin")
    assert read(machine.run()) == CONTENTS
    touched = os.stat(machine.tree / "big.bin").st_mtime
    assert read(machine.run()) == CONTENTS
    assert os.stat(machine.tree / "big.bin").st_mtime == touched == 946684800
    assert machine.fetched == 1


def test_what_cannot_heal(machine: Machine) -> None:
    """If the archive is gone, that is said; nothing of the run stays."""
    machine.run()
    opened_up(machine.tree)
    (machine.tree / "run.sh").unlink()
    machine.storage.delete(machine.archive.key)
    with pytest.raises(CodeUnusable, match="the code of leo cannot be used: it is not in its storage .*; deploy it again"):
        machine.run()
    assert os.listdir(machine.folder / "running") == ["1.1"]


def test_what_is_refused_does_not_stay(machine: Machine) -> None:
    """An archive that is damaged leaves nothing where archives are unpacked."""
    with machine.storage.open(machine.archive.key) as stored:
        content = stored.read()
    machine.storage.write(machine.archive.key, [content[: len(content) // 2]])
    with pytest.raises(CodeUnusable, match="its archive is damaged"):
        machine.run()
    assert os.listdir(machine.tree.parent) == ["lock"]
    assert not (machine.folder / "running").exists()


def test_many_at_once(machine: Machine) -> None:
    """The first time, and when the cache is damaged: all get all files, and the archive is fetched once each time."""
    assert together(8, machine.run) == [CONTENTS] * 8
    assert machine.fetched == 1
    opened_up(machine.tree)
    (machine.tree / "run.sh").write_text("other")
    (machine.tree / "a" / "y.py").unlink()
    assert together(8, machine.run) == [CONTENTS] * 8
    assert machine.fetched == 2
    assert sorted(os.listdir(machine.tree.parent)) == ["lock", "manifest.json", "tree"]


def together(count: int, run: Callable[[], Path]) -> list[Any]:
    """What is in the folders of runs that begin at once."""
    barrier, found = Barrier(count), []

    def begin() -> None:
        barrier.wait()
        found.append(read(run()))

    threads = [Thread(target=begin) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_what_a_killed_process_left(machine: Machine) -> None:
    """Its lock is nobody's any more; what it had begun to unpack goes away."""
    for name in (".unfinished-x/a", ".unfinished-y/b/c"):
        (machine.tree.parent / name).mkdir(parents=True)
        (machine.tree.parent / name).chmod(0o555)
    (machine.tree.parent / ".manifest.json").write_text("{")
    (machine.tree.parent / "lock").touch()
    assert read(machine.run()) == CONTENTS
    assert sorted(os.listdir(machine.tree.parent)) == ["lock", "manifest.json", "tree"]


def test_a_folder_that_is_there_is_made_anew(machine: Machine) -> None:
    """What another process left there, which was killed, does not stay."""
    folder = machine.run()
    (folder / "left").touch()
    machine.runs = 0
    assert read(machine.run()) == CONTENTS


FULL = """
import resource, signal, sys
from contextlib import nullcontext
from pathlib import Path
from headrace.errors import CodeUnusable
from headrace.model.deployments import Archive
from headrace.packaging.code_cache import CodeCache

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
cache, folder, sha256 = sys.argv[1:]
try:
    CodeCache(archive=Archive(sha256=sha256, files=1, size=1), cache=Path(cache), what="leo").copy(Path(folder), nullcontext)
except CodeUnusable as error:
    print(error)
"""


def test_a_disk_that_is_full(machine: Machine) -> None:
    """One sentence says so, and what was written already is gone. (The disk is full for files of 1000 bytes and more.)"""
    machine.run()
    folder = machine.folder / "running" / "full.1"
    command = [sys.executable, "-c", FULL, str(machine.folder / "code"), str(folder), machine.archive.sha256]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"the code of leo cannot be used: it cannot be unpacked into {folder}: File too large\n", "")
    assert os.listdir(machine.folder / "running") == ["1.1"]
    assert read(machine.run()) == CONTENTS


def test_a_place_that_cannot_be_written(machine: Machine) -> None:
    """A file where the cache, or the run's folder, is to be is no damage of the archive."""
    machine.folder.mkdir()
    (machine.folder / "running").touch()
    with pytest.raises(CodeUnusable, match="it cannot be unpacked into .*running"):
        machine.run()
    remove(machine.folder / "code")
    (machine.folder / "code").touch()
    with pytest.raises(CodeUnusable, match="it cannot be unpacked into .*code"):
        machine.run()


@pytest.mark.parametrize("address", ["", "..", "/etc", "a" * 63, "A" * 64, f"../{'a' * 61}"])
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    """It becomes part of a path, so it must be one."""
    with pytest.raises(CodeUnusable, match="is no address of an archive"):
        CodeCache(archive=Archive(sha256=address, files=1, size=1), cache=tmp_path, what="leo").copy(tmp_path / "run", nullcontext)  # type: ignore[arg-type]
