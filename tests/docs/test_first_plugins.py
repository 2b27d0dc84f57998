"""The pages on writing a first plugin: what they grow, write and type does what they show."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("first_*.md"))
FENCE = re.compile(r"^```([^\n]+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
ANYTHING = "…\n"
SECONDS = 300


def written(folder: Path, block: str, place: str) -> None:
    """Writes a file that the page shows whole."""
    assert (folder / place).is_file()
    (folder / place).write_text(block)


def changed(folder: Path, was: str, becomes: str, place: str) -> None:
    """Changes the lines that the page says."""
    text = (folder / place).read_text()
    assert text.count(was) == 1
    (folder / place).write_text(text.replace(was, becomes))


def made_known(folder: Path) -> None:
    """What installing would do: says in metadata where the hooks are."""
    package = folder.name.replace("-", "_")
    about = folder / "src" / f"{package}-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {folder.name}\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text(f"[headrace]\n{folder.name.removeprefix('headrace-')} = {package}.plugin\n")


def typed(command: str, folder: Path, dist: str) -> str:
    """What a command prints on standard output; it must end well."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTEST_", "COLUMNS"))}
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"]))
    environment = {**plain, "HEADRACE_HOME": str(folder / "home"), "PYTHONPATH": str(folder / dist / "src"), "PATH": path}
    words = shlex.split(command)
    place = folder
    if words[0] == "pytest":
        words, place = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], folder / words[1]
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return "" if words[0] == sys.executable else done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    """From growing the plugin to using it, with all of its tests between."""
    fences = FENCE.findall(page.read_text())
    dist, was, place = "", "", ""
    for kind, block in fences:
        match kind.split():
            case ["py", "was", path]:
                was, place = block, path
            case ["py", "becomes"]:
                changed(tmp_path / dist, was, block, place)
            case ["py", path]:
                written(tmp_path / dist, block, path)
            case ["console"]:
                for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                    command, _, shown = part.partition("\n")
                    printed = typed(command, tmp_path, dist)
                    assert printed == shown or (shown == ANYTHING and printed), f"{command} printed:\n{printed}"
                    if not dist:
                        dist = shown.partition("/")[0]
                        made_known(tmp_path / dist)


def test_there_are_such_pages() -> None:
    """One each for a storage, a queue matcher, a flow runner and a schedule."""
    assert {page.stem for page in PAGES} == {"first_storage", "first_queue_matcher", "first_flow_runner", "first_schedule"}
