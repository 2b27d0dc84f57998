"""Every block of Python in the pages runs, as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("core/README.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
    *sorted(
        page for page in ROOT.glob("docs/**/*.md") if page.name != "embedding.md"
    ),  # its programs read what others left: test_embedding
]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = [(page, number, block) for page in PAGES for number, block in enumerate(BLOCK.findall(page.read_text()), 1)]


@pytest.mark.parametrize(("page", "number", "block"), BLOCKS, ids=[f"{page.relative_to(ROOT)}:{number}" for page, number, _ in BLOCKS])
def test_a_block_runs(page: Path, number: int, block: str, tmp_path: Path) -> None:
    """In a process and a home of its own, without an error."""
    script = tmp_path / "block.py"
    script.write_text(block)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment = {**plain, "HEADRACE_HOME": str(tmp_path / "home")}
    ended = subprocess.run([sys.executable, str(script)], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_the_first_screen_runs_a_flow() -> None:
    """README shows what it is, a flow that runs before line 20, and the two commands."""
    lines = (ROOT / "README.md").read_text().splitlines()
    called = next(number for number, line in enumerate(lines, 1) if line.startswith("leonardo_dicapriflow("))
    assert called < 20
    assert {"    python3 noxfile.py demo", "    python3 noxfile.py tests"} <= set(lines[:35])


def test_the_tutorials_file_is_the_pages() -> None:
    """What the page shows first is what lies in the examples, but for the layout."""
    page = (ROOT / "docs/tutorial.md").read_text()
    assert "examples/tutorial/leo_flow.py" in page
    assert (ROOT / "examples/tutorial/leo_flow.py").exists()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links inside the repository name files that are there."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing
