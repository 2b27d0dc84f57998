"""A run's files are its own: what it does to those that it was shipped with, no other run sees."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from textwrap import dedent

import pytest

from headrace.packaging.removing import remove

PROGRAM = "from headrace.cli.main import main; main()"
SECONDS = 120
FILES = {
    "shop/__init__.py": "",
    "shop/words.py": "WORD = 'shipped'\n",
    "shop/flows.py": """
        import os
        from pathlib import Path
        from headrace import flow

        BESIDE, SHIPPED = Path(__file__).parent, Path(__file__).parents[1]

        @flow(log_prints=True)
        def touch(how: str = "nothing"):
            import shop.words
            files = sorted(str(path.relative_to(SHIPPED)) for path in SHIPPED.rglob("*") if path.is_file())
            print("begins with", files, open("data/x.csv").read(), shop.words.WORD, os.getcwd() == str(SHIPPED))
            if how != "nothing":
                globals()[how]()

        def write_beside():
            (BESIDE / "new.py").write_text("X = 1")

        def write_module():
            (BESIDE / "words.py").write_text("WORD = 'written'")

        def write_into():
            Path("data/new.csv").write_text("2")
            os.makedirs("shop/more")
            Path("shop/more/data.csv").write_text("2")

        def delete():
            os.unlink("data/x.csv")
            os.unlink(__file__)

        def truncate():
            with open("data/x.csv", "r+") as file:
                file.truncate()
                file.write("2")

        def replace():
            Path("data").rename("moved")
            Path("data").symlink_to("moved")

        def close():
            for path in [*SHIPPED.rglob("*"), SHIPPED]:
                path.chmod(0o000)

        def remove():
            import shutil
            shutil.rmtree(SHIPPED)
        """,
    "data/x.csv": "1",
    "specs.yaml": "{flow_location: shop/flows.py, project_root: .}",
}
PRISTINE = "begins with ['data/x.csv', 'shop/__init__.py', 'shop/flows.py', 'shop/words.py', 'specs.yaml'] 1 shipped True"

Home = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A command line, with the flow deployed."""
    for name, content in FILES.items():
        path = tmp_path / "author" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content))
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}

    def run(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-P", "-c", PROGRAM, *arguments]
        environment = {**plain, "HEADRACE_HOME": str(tmp_path / "home")}
        return subprocess.Popen(
            command, env=environment, cwd=tmp_path / "author", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    assert ended(run("deployment", "create", "specs.yaml")).returncode == 0
    return run


def ended(process: "subprocess.Popen[str]") -> "CompletedProcess[str]":
    """How it ended, and what it said."""
    said, _ = process.communicate(timeout=SECONDS)
    return CompletedProcess(process.args, process.returncode, said)


def execute(home: Home, how: str = "nothing") -> "subprocess.Popen[str]":
    """A run has begun."""
    return home("deployment", "execute", "touch", "--param", f"how={how}")


def tree(tmp_path: Path) -> Path:
    """Where the code lies unpacked."""
    (found,) = (tmp_path / "home" / "code").iterdir()
    return found / "tree"


@pytest.mark.parametrize("how", ["write_beside", "write_module", "write_into", "delete", "truncate", "replace", "close", "remove"])
def test_what_a_run_does_to_its_files(home: Home, tmp_path: Path, how: str) -> None:
    """It may do anything, it completes, its folder is gone, and the next run begins with the files as they were shipped."""
    for done in (ended(execute(home, how)), ended(execute(home))):
        assert done.returncode == 0, done.stdout
        assert PRISTINE in done.stdout
        assert os.listdir(tmp_path / "home" / "running") == []


def test_a_damaged_cache(home: Home, tmp_path: Path) -> None:
    """A run has the files as they were shipped, and its log says what was found."""
    ended(execute(home))
    damaged = tree(tmp_path) / "shop" / "words.py"
    damaged.chmod(0o644)
    damaged.write_text("WORD = 'damaged'")
    healed, after = ended(execute(home)), ended(execute(home))
    for done in (healed, after):
        assert done.returncode == 0, done.stdout
        assert PRISTINE in done.stdout
    assert "was damaged: shop/words.py was changed; it was unpacked anew" in healed.stdout
    assert "unpacked anew" not in after.stdout


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "damaged"])
def test_many_at_once(home: Home, tmp_path: Path, *, is_new: bool) -> None:
    """Runs that need the same code at the same time, where it is not there yet or damaged, all get it whole."""
    if not is_new:
        ended(execute(home))
        remove(tree(tmp_path) / "shop")
    for done in [ended(process) for process in [execute(home, "truncate") for _ in range(4)]]:
        assert done.returncode == 0, done.stdout
        assert PRISTINE in done.stdout


def test_a_folder_that_cannot_be_made(home: Home, tmp_path: Path) -> None:
    """The run fails, with one sentence that says why."""
    (tmp_path / "home" / "running").touch()
    done = ended(execute(home))
    assert done.returncode == 1
    assert "the code of touch/touch cannot be used: it cannot be unpacked into" in done.stdout
    assert "Traceback" not in done.stdout
