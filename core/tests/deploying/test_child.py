"""Children that look at user code."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from select import select
from typing import Any

import pytest

from headrace.deploying.child import asked
from headrace.errors import CodeUnusable, SpecsRefused, WrongSpec

Ask = Callable[..., Any]
ANSWERING = "from headrace.deploying.child import answering\nfrom headrace.errors import *\n"


@pytest.fixture
def ask(tmp_path: Path, environment: dict[str, str]) -> Ask:
    """Asks a module with this text a question."""

    def answer(source: str, question: Any = None, *, imports: str = ANSWERING, **options: Any) -> Any:
        (tmp_path / "modules").mkdir()
        (tmp_path / "modules" / "answerer.py").write_text(imports + source)
        (tmp_path / "start").mkdir()
        given = {**environment, "PYTHONPATH": str(tmp_path / "modules")}
        options = {"python": sys.executable, "folder": tmp_path / "start", "environment": given, **options}
        return asked("answerer", question or {}, what="it", **options)

    return answer


def test_a_question_is_answered(ask: Ask) -> None:
    """As plain data, whatever characters are in it."""
    assert ask("answering(lambda question: question['x'][::-1])", {"x": "水車"}) == "車水"


def test_where_it_begins(ask: Ask, tmp_path: Path) -> None:
    """In the folder that is given, which is not where modules are looked for; nothing can be typed into it."""
    where, path, typed = ask("import os, sys\nanswering(lambda _: [os.getcwd(), sys.path, sys.stdin.read()])")
    assert where == str(tmp_path / "start")
    assert not {"", ".", where} & set(path)
    assert typed == ""


def test_what_is_printed_is_shown(ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    """On standard error, in the order in which it was printed, so that standard output has results only."""
    source = "import os, sys\nprint('one')\nsys.stderr.write('two\\n')\nprint('three')\nos.write(1, b'\\xff')\nanswering(lambda _: 1)"
    assert ask(source) == 1
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == "one\ntwo\nthree\n\\xff"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ("WrongSpec(where='specs.py', why='it is wrong')", WrongSpec, "specs.py: it is wrong"),
        ("SpecsRefused(faults=('one', 'two'))", SpecsRefused, "nothing was deployed: one, two"),
        ("CodeUnusable(what='leo', why='it is wrong')", CodeUnusable, "the code of leo cannot be used: it is wrong"),
        ("NotInRun(what='x', needed='flow')", CodeUnusable, "the code of this deployment cannot be used: x works inside a flow only"),
    ],
)
def test_an_error_comes_back(ask: Ask, error: str, kind: type[Exception], said: str) -> None:
    """As the error that it was there."""
    with pytest.raises(kind, match=said):
        ask(f"def fail(_):\n    raise {error}\nanswering(fail)")


def test_only_the_users_own_lines_are_shown(ask: Ask, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Files are called as in the project, not by where they were put."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "leo.py").write_text("def f():\n    1 / 0\n\nf()\n")
    source = "from pathlib import Path\nfrom headrace.packaging.loading import loaded_flow\nanswering(lambda q: loaded_flow(Path(q['root']), 'leo', what='x'))"
    with pytest.raises(CodeUnusable, match="leo.py, line 2: ZeroDivisionError"):
        ask(source, {"root": str(tmp_path / "tree")})
    lines = capfd.readouterr().err.splitlines()
    assert [line.strip() for line in lines if "File " in line] == ['File "leo.py", line 4, in <module>', 'File "leo.py", line 2, in f']


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nos._exit(3)", "ended with exit code 3: it said nothing"),
        ("print('a\\nb')\nraise SystemExit(4)", "ended with exit code 4: b"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "ended with signal 9 .SIGKILL.: it said nothing"),
        ("1 / 0", "ended with exit code 1: ZeroDivisionError: division by zero"),
    ],
)
def test_a_child_that_does_not_answer(ask: Ask, source: str, said: str) -> None:
    """Code may end the process that imports it; that is said, with the last that was heard of it."""
    with pytest.raises(CodeUnusable, match=said):
        ask(source)


def test_a_child_that_takes_too_long(ask: Ask, tmp_path: Path) -> None:
    """It is ended with all that it started, and what it had printed until then does not hold anybody up."""
    source = (
        "import os, signal, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"open({str(tmp_path / 'children')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "signal.pause()"
    )
    with pytest.raises(CodeUnusable, match="importing it took more than 3 seconds; what takes long belongs into the flow"):
        ask(source, seconds=3, imports="")
    for process in map(int, (tmp_path / "children").read_text().split()):
        assert has_ended(process)


def test_a_child_that_prints_without_an_end(ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    """It is ended long before the disk is full, and the first lines show what it does."""
    with pytest.raises(CodeUnusable, match="importing it printed more than 10 MB; what it does belongs into the flow"):
        ask("while True:\n    print('yes ' * 1000)")
    shown = capfd.readouterr().err
    assert shown.startswith("yes yes ")
    assert len(shown) < 3_000


def test_a_child_that_nobody_asked(tmp_path: Path) -> None:
    """Started by hand, it says what it is for."""
    for module in ("headrace.deploying.collecting", "headrace.deploying.describing"):
        for arguments in ([], [str(tmp_path)], ["specs.py", "more"]):
            shown = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False, timeout=60)
            assert (shown.returncode, shown.stdout) == (2, "")
            assert shown.stderr == ("error: this is a part of `headrace deployment create`, which starts it by itself; call that instead\n")


def test_what_it_leaves_running_holds_nobody_up(ask: Ask, tmp_path: Path) -> None:
    """An answer is an answer, though something that was started still has the child's output open."""
    source = (
        "import subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "answering(lambda _: left.pid)"
    )
    os.kill(ask(source), signal.SIGKILL)


def test_a_python_that_cannot_be_started(ask: Ask) -> None:
    """It is said which."""
    with pytest.raises(CodeUnusable, match="/nowhere/python cannot be started: No such file or directory"):
        ask("", python="/nowhere/python")


def test_a_python_without_headrace(tmp_path: Path, environment: dict[str, str]) -> None:
    """It is said what to install, and for which."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -I -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(CodeUnusable, match="it has no headrace that can do this; install headrace-core for .*/python"):
        asked("headrace.deploying.describing", {}, what="it", python=str(python), folder=tmp_path, environment=environment)


def has_ended(process: int) -> bool:
    """Whether a process that need not be a child of this one is gone, at once or very soon."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select([handle], [], [], 10)[0])
    finally:
        os.close(handle)
