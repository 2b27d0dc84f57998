"""What a script says that did not get what headrace needs of its machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CALLS = {
    "plain": "import headrace\n\n\n@headrace.flow\ndef f():\n    pass\n\n\n{before}f()\n",
    "async": "import asyncio\nimport headrace\n\n\n@headrace.flow\nasync def f():\n    pass\n\n{before}asyncio.run(f())\n",
}


def call(folder: Path, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    environment = {**kept, "HEADRACE_HOME": str(folder / "file" / "home"), **variables}
    (folder / "file").touch()
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(("name", "value"), [("HEADRACE_LOG_LEVEL", "LOUD"), ("HEADRACE_RUN_STORE", "moon")])
def test_a_line_and_no_traceback(tmp_path: Path, kind: str, name: str, value: str) -> None:
    """It says what is wrong, and in which line of the script it was needed."""
    done = call(tmp_path, CALLS[kind].format(before=""), **{name: value})
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.startswith("error: ")) == (1, True)
    assert value in line
    assert line.endswith(f"({tmp_path / 'script.py'}, line 9)")


def test_whoever_debugs_sees_all(tmp_path: Path) -> None:
    """HEADRACE_DEBUG shows the traceback."""
    done = call(tmp_path, CALLS["plain"].format(before=""), HEADRACE_LOG_LEVEL="LOUD", HEADRACE_DEBUG="1")
    assert "Traceback" in done.stderr


def test_another_way_of_saying_it_is_left_in_place(tmp_path: Path) -> None:
    """A program that has one of its own keeps it."""
    before = "import sys\nsys.excepthook = lambda kind, error, trace: print('mine', kind.__name__)\n"
    done = call(tmp_path, CALLS["plain"].format(before=before), HEADRACE_LOG_LEVEL="LOUD")
    assert (done.stdout, done.stderr) == ("mine WrongSetting\n", "")


def test_a_bug_of_the_script_has_its_traceback(tmp_path: Path) -> None:
    """Also after something of the machine was caught."""
    text = CALLS["plain"].format(before="try:\n    f()\nexcept Exception:\n    pass\n1 / 0\n")
    done = call(tmp_path, text, HEADRACE_LOG_LEVEL="LOUD")
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
