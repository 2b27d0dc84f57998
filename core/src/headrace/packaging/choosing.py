"""Which files of a folder travel: what gitignore files leave in, `.headraceignore` files likewise, and nothing that is made anew anyway.

A pattern is asked about each file and folder by itself, from the root down; what lies in a folder that is left out is never looked at. pathspec also
lets a pattern that fits a folder speak for all that lies in it, though less loudly than one that fits a file itself; that is why `!*/`, put last, stands
for "nothing fits the file itself".
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IXUSR

import attrs
from pathspec import GitIgnoreSpec

from headrace.errors import CodeUnusable
from headrace.packaging.manifest import collision_fault, path_fault
from headrace.packaging.sizes import MOST_FILES, number_fault

IGNORE_FILES = (".gitignore", ".headraceignore")
NEVER = frozenset(
    ".git .hg .svn __pycache__ .venv .nox .tox node_modules .mypy_cache .ruff_cache .pytest_cache".split(),
)
MARKS = {"pyvenv.cfg": "a virtual environment", "headrace.db": "headrace's own home"}
"""Files that say what their folder is, if it is one that never travels."""

MOST_FAULTS = 5
NOTHING_FITS = "!*/"


@attrs.frozen(kw_only=True)
class ChosenFile:
    """A file that is to travel: its path in the tree, and where it lies."""

    path: str
    source: Path
    size: int
    is_executable: bool


@attrs.frozen(kw_only=True)
class _Patterns:
    """The patterns of one folder's ignore files; `prefix` is the folder's path in the tree, with a slash behind it."""

    prefix: str
    files: GitIgnoreSpec
    folders: GitIgnoreSpec

    @classmethod
    def of(cls, prefix: str, lines: list[str]) -> "_Patterns":
        lines = [line for line in lines if _is_pattern(line)]
        bare = [line.rstrip().removesuffix("/") for line in lines]
        return cls(
            prefix=prefix,
            files=GitIgnoreSpec.from_lines([*lines, NOTHING_FITS]),
            folders=GitIgnoreSpec.from_lines([*bare, NOTHING_FITS]),
        )

    def says(self, path: str, *, is_folder: bool) -> bool | None:
        """Whether they leave it out; None where no pattern fits it."""
        spec = self.folders if is_folder else self.files
        found = spec.check_file(path.removeprefix(self.prefix))
        return None if found.index == len(spec.patterns) - 1 else found.include


@attrs.frozen(kw_only=True)
class _Folder:
    """A folder on the way down. `real` are the true places of it and of those above it, `patterns` their ignore files, nearest first."""

    path: Path
    prefix: str
    real: tuple[str, ...]
    patterns: tuple[_Patterns, ...]

    def leaves_out(self, path: str, *, is_folder: bool) -> bool:
        said = (patterns.says(path, is_folder=is_folder) for patterns in self.patterns)
        return next((out for out in said if out is not None), False)


def chosen_files(root: Path, *, most_files: int = MOST_FILES) -> list[ChosenFile]:
    """The files below a folder that travel, sorted by path.

    A link to a file inside is that file, one to a folder inside is all that the folder holds. Raises CodeUnusable for links that lead out or round
    in a circle, names that Linux or a Mac could not have, and more than `most_files` files.
    """
    root = root.resolve()
    mark = _mark(root)
    if mark is not None:
        raise CodeUnusable(what=f"project {root.name!r}", why=f"its folder is {MARKS[mark]}: it holds a {mark}")
    walk = _Walk(root, most_files)
    found = sorted(walk.below(walk.top()), key=lambda file: file.path)
    if walk.faults:
        more = f"; and {len(walk.faults) - MOST_FAULTS} more" if len(walk.faults) > MOST_FAULTS else ""
        raise CodeUnusable(what=f"project {root.name!r}", why="; ".join(walk.faults[:MOST_FAULTS]) + more)
    fault = collision_fault(file.path for file in found)
    if fault is not None:
        raise CodeUnusable(what=f"project {root.name!r}", why=fault)
    return found


class _Walk:
    """One way through a tree, and the faults met on it."""

    def __init__(self, root: Path, most_files: int) -> None:
        self._root = root
        self._most_files = most_files
        self._paths: list[str] = []
        self.faults: list[str] = []

    def top(self) -> _Folder:
        return self._entered(self._root, "", None)

    def below(self, folder: _Folder) -> Iterator[ChosenFile]:
        try:
            with os.scandir(folder.path) as entries:
                sorted_entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._fault(folder.prefix or "its folder", f"it cannot be read: {error.strerror}")
            return
        for entry in sorted_entries:
            yield from self._entry(folder, entry)

    def _entry(self, folder: _Folder, entry: "os.DirEntry[str]") -> Iterator[ChosenFile]:
        path = folder.prefix + entry.name
        is_folder = _holds(entry.is_dir)
        if entry.name in NEVER or (entry.name.endswith(".pyc") and not is_folder):
            return
        # git takes a link for a file, wherever it leads
        if folder.leaves_out(path, is_folder=is_folder and not entry.is_symlink()):
            return
        if is_folder and _mark(Path(entry.path)) is not None:
            return
        fault = path_fault(path) or (self._link_fault(folder, entry) if entry.is_symlink() else None)
        if fault is not None:
            self._fault(path, fault)
        elif is_folder:
            yield from self.below(self._entered(Path(entry.path), f"{path}/", folder))
        elif not _holds(entry.is_file):
            self._fault(path, "it is neither a file nor a folder")
        else:
            try:
                yield self._file(path, entry.stat(), entry.path)
            except OSError as error:
                self._fault(path, f"it cannot be read: {error.strerror}")

    def _file(self, path: str, about: os.stat_result, source: str) -> ChosenFile:
        self._paths.append(path)
        fault = number_fault(self._paths, most_files=self._most_files)
        if fault is not None:  # the whole disk need not be walked to say so
            raise CodeUnusable(what=f"project {self._root.name!r}", why=fault)
        return ChosenFile(path=path, source=Path(source), size=about.st_size, is_executable=bool(about.st_mode & S_IXUSR))

    def _entered(self, path: Path, prefix: str, above: _Folder | None) -> _Folder:
        real, patterns = (above.real, above.patterns) if above else ((), ())
        lines = [line for name in IGNORE_FILES for line in self._lines(path / name, prefix + name)]
        own = (_Patterns.of(prefix, lines),) if lines else ()
        return _Folder(path=path, prefix=prefix, real=(*real, os.path.realpath(path)), patterns=(*own, *patterns))

    def _lines(self, file: Path, shown: str) -> list[str]:
        if not file.is_file():
            return []
        try:
            content = file.read_bytes()
        except OSError as error:
            self._fault(shown, f"it cannot be read: {error.strerror}")
            return []
        return [line.removesuffix("\r") for line in content.decode("utf-8-sig", "surrogateescape").split("\n")]

    def _link_fault(self, folder: _Folder, entry: "os.DirEntry[str]") -> str | None:
        real = os.path.realpath(entry.path)
        if not os.path.exists(real):
            return "it is a link to nothing"
        if real != str(self._root) and not real.startswith(f"{self._root}{os.sep}".replace(os.sep * 2, os.sep)):
            return "it is a link that leads out of the project; put there what it leads to, or name it in a .headraceignore file"
        if real in folder.real:
            return "it is a link to a folder that it lies in, which would never end"
        return None

    def _fault(self, path: str, why: str) -> None:
        self.faults.append(f"{path!r}: {why}")


def _holds(question: Callable[[], bool]) -> bool:
    """What the system says of an entry; no, if it cannot, as of links in a circle."""
    try:
        return question()
    except OSError:
        return False


def _mark(folder: Path) -> str | None:
    return next((mark for mark in MARKS if (folder / mark).is_file()), None)


def _is_pattern(line: str) -> bool:
    """Git takes no notice of what is none."""
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
