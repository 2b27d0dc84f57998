"""The commands of the tutorial do what its page shows."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
ANYTHING = "…"


def commands() -> list[tuple[str, str]]:
    """Each command of the page, with what it prints."""
    found: list[tuple[str, str]] = []
    for line in "".join(CONSOLE.findall(PAGE.read_text())).splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), ""))
        else:
            command, shown = found[-1]
            found[-1] = (command, f"{shown}{line}\n")
    return found


def fits(shown: str, printed: str) -> bool:
    """Whether what was printed is what is shown, but for what is different each time."""
    return re.fullmatch(".*".join(map(re.escape, shown.split(ANYTHING))), printed) is not None


def test_the_commands_print_what_the_page_shows(tmp_path: Path) -> None:
    """One after the other, in a home that is new."""
    folder = tmp_path / "tutorial"
    shutil.copytree(ROOT / "examples" / "tutorial", folder)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"]))
    environment = {**plain, "HEADRACE_HOME": str(tmp_path / "home"), "PATH": path}
    assert commands()
    for command, shown in commands():
        done = subprocess.run(
            command.split(),
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        assert fits(shown, done.stdout), f"{command} printed:\n{done.stdout}"


def test_what_differs_is_seen() -> None:
    """Only a mark lets something be different."""
    assert fits("a … c\n", "a b c\n")
    assert not fits("a … c\n", "a b\n")
    assert not fits("a\n", "a\nb\n")
