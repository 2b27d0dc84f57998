"""The page about embedding does what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_programs_of_the_page_run(tmp_path: Path) -> None:
    """Each is a program of its own, in one home: what one has left is read by the next."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    printed = []
    for number, block in enumerate(BLOCK.findall(PAGE.read_text())):
        program = tmp_path / f"program{number}.py"
        program.write_text(block)
        environment = {**plain, "HEADRACE_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            [sys.executable, str(program)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout.splitlines()[-1])
    assert printed[0] == "Completed 3"
    assert printed[1].endswith(" 3")
    assert printed[2] == "Completed Hello Leo!"
