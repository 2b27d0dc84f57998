"""`headrace deployment create` as its user sees it: what it prints, what it refuses, and that what was deployed runs without its author's folder."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from textwrap import dedent
from typing import Any

import pytest

Headrace = Callable[..., CompletedProcess[str]]
Files = Callable[[Mapping[str, str]], None]

PROGRAM = "from headrace.cli.main import main; main()"
WATCHED = """
import sys
from headrace.cli.main import run

code = run(sys.argv[1:])
print("loaded:", *sorted({"leo", "specs", "cloudpickle", "headrace_pickle.serializer"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
LEO = '''
from headrace import flow

@flow(name="leonardo", log_prints=True)
def leo(name: str):
    """Greets."""
    print(f"Hello {name}!")

print("imported leo")
leo("nobody")
'''
SPECS = """
from headrace.deployments import DeploymentSpec

print("read specs")
DeploymentSpec(name="one", flow_location="leo.py", parameters={"name": "Leo"}, tags=["a"])
DeploymentSpec(name="two", flow_location="leo.py", parameters={"name": "Marvin"})
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Writes files into the author's folder."""

    def write(contents: Mapping[str, str]) -> None:
        for name, content in contents.items():
            path = tmp_path / "author" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content))

    return write


@pytest.fixture
def headrace(tmp_path: Path) -> Headrace:
    """The command line in the author's folder, or where it says."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_") and name not in ("NO_COLOR", "PYTHONPATH")
    }

    def run(*arguments: str, program: str = PROGRAM, folder: Path = tmp_path / "author") -> CompletedProcess[str]:
        environment = {**plain, "HEADRACE_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-P", "-c", program, *arguments]
        return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=120)

    return run


def deployments(headrace: Headrace) -> list[Any]:
    """All that are there."""
    listed: list[Any] = json.loads(headrace("deployment", "ls", "--json").stdout)
    return listed


def test_what_it_says(files: Files, headrace: Headrace) -> None:
    """A line for each deployment on standard output; what the files print, and what to do next, on standard error."""
    files({"leo.py": LEO, "specs.py": SPECS})
    first = headrace("deployment", "create", "specs.py")
    assert first.stdout == "created   leonardo/one\ncreated   leonardo/two\n"
    assert first.stderr.splitlines() == [
        "read specs",
        "imported leo",
        "leo.py, line 10 calls flow 'leonardo' while it is loaded; the call is skipped and gives None",
        f"what travels of script 'leo.py': 1 file, {len(LEO.encode())} bytes",
        "run it with: headrace deployment run leonardo/one",
    ]
    files({"leo.py": f"# new\n{LEO}", "specs.py": SPECS.replace("Marvin", "Ada").replace('["a"]', '["b"]')})
    again = headrace("deployment", "create", "specs.py")
    assert again.stdout == "updated   leonardo/one (code: leo.py, tags)\nupdated   leonardo/two (code: leo.py, parameters)\n"
    assert headrace("deployment", "create", "specs.py").stdout == "unchanged leonardo/one\nunchanged leonardo/two\n"


def test_what_it_says_to_programs(files: Files, headrace: Headrace) -> None:
    """With `--json` the standard output is JSON and nothing else."""
    files({"leo.py": LEO, "specs.py": SPECS})
    made = json.loads(headrace("deployment", "create", "specs.py", "--json").stdout)
    there = {"outcome": "created", "changed": [], "files": 1, "bytes": len(LEO.encode()), "next_time": None}
    rows = sorted(deployments(headrace), key=lambda row: str(row["name"]))
    assert made == [{**row, **there} for row in rows]
    assert [row["name"] for row in made] == ["leonardo/one", "leonardo/two"]
    files({"specs.py": SPECS.replace("Marvin", "Ada")})
    again = json.loads(headrace("deployment", "create", "specs.py", "--json").stdout)
    assert [(row["outcome"], row["changed"]) for row in again] == [("unchanged", []), ("updated", ["parameters"])]


def test_how_much_travels(files: Files, headrace: Headrace) -> None:
    """It is said of each tree of files, whoever reads it; of code that is installed nothing travels."""
    project = {"shop/flows/__init__.py": LEO, "shop/flows/data.txt": "x" * 3000, "leo.py": LEO}
    specs = [
        {"name": "a", "project_root": "shop", "entrypoint": "flows:leonardo", "flow_name": "leonardo"},
        {"name": "it's", "project_root": "shop", "entrypoint": "flows:leonardo", "flow_name": "leonardo"},
        {"name": "c", "flow_location": "leo.py", "flow_name": "leonardo"},
        {"name": "d", "entrypoint": "json:dumps", "flow_name": "leonardo"},
    ]
    files({**project, "specs.yaml": json.dumps(specs), "one.yaml": json.dumps(specs[1:2])})
    shown = headrace("deployment", "create", "specs.yaml", "--no-verify", "--json")
    assert shown.returncode == 0, shown.stderr
    size = len(LEO.encode())
    assert [(row["files"], row["bytes"]) for row in json.loads(shown.stdout)] == [(2, size + 3000)] * 2 + [(1, size), (0, 0)]
    lines = [line for line in shown.stderr.splitlines() if line.startswith("what travels")]
    assert lines == [
        f"what travels of project 'shop': 2 files, {(size + 3000) / 1024:.1f} kB",
        f"what travels of script 'leo.py': 1 file, {size} bytes",
    ]
    again = headrace("deployment", "create", "one.yaml", "--no-verify")
    assert (again.stdout, lines[0] in again.stderr) == ("unchanged leonardo/it's\n", True)
    hint = again.stderr.splitlines()[-1]
    assert shlex.split(hint)[-1] == "leonardo/it's"


@pytest.mark.parametrize("option", [(), ("--json",)], ids=["text", "json"])
def test_all_faults_and_nothing_done(files: Files, headrace: Headrace, option: tuple[str, ...]) -> None:
    """Each fault of each spec is a line, the exit code is 1, and nothing of the others is deployed."""
    files(
        {
            "leo.py": LEO,
            "specs.py": f"{SPECS}\nDeploymentSpec(name='a/b', flow_location='leo.py')\nDeploymentSpec(name='one', flow_location='leo.py')",
        }
    )
    refused = headrace("deployment", "create", "specs.py", *option)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert [line for line in refused.stderr.splitlines() if line.startswith(("error", "nothing"))] == [
        (
            "error: specs.py, line 8: deployment name 'a/b' cannot be used: it must be one line of 1 to 250 characters,"
            " without any of / % & < >, and not begin with -; choose another name"
        ),
        "error: specs.py, line 5 and specs.py, line 9: both are deployment 'leonardo/one'; give one another name",
        "nothing was deployed",
    ]
    assert deployments(headrace) == []


def test_an_error_in_a_file_of_specs(files: Files, headrace: Headrace) -> None:
    """One sentence with file and line, after the user's own lines that led there; no line is headrace's."""
    files({"specs.py": "def f():\n    return 1 / 0\n\nf()\n"})
    refused = headrace("deployment", "create", "specs.py")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-2:] == ["error: specs.py, line 2: ZeroDivisionError: division by zero", "nothing was deployed"]
    frames = [line.strip() for line in refused.stderr.splitlines() if line.startswith("  File ")]
    assert len(frames) == 2
    assert all("author/specs.py" in frame for frame in frames)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("specs.txt", "error: specs.txt: what it is cannot be told by its name; a file of specs ends with .py, .yaml or .yml\n"),
        ("nix.yaml", "error: nix.yaml: there is no such file\n"),
        ("empty.py", "error: empty.py: no deployment specs found; make a DeploymentSpec in it for each deployment\n"),
    ],
)
def test_a_file_that_is_none(files: Files, headrace: Headrace, name: str, said: str) -> None:
    """One line says what is wrong."""
    files({"specs.txt": "", "empty.py": ""})
    refused = headrace("deployment", "create", name)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", said)


def test_user_code_is_never_loaded_by_the_command_line(files: Files, headrace: Headrace) -> None:
    """Neither the specs nor the flow's script nor what reads pickles is in its process."""
    files({"leo.py": LEO, "specs.py": f"{SPECS}\nfrom leo import leo\nDeploymentSpec(name='three', flow=leo.with_options(retries=1))"})
    done = headrace("deployment", "create", "specs.py", program=WATCHED)
    assert (done.returncode, done.stdout.count("created")) == (0, 3)
    assert done.stderr.endswith("loaded:\n")


def test_without_verifying(files: Files, headrace: Headrace) -> None:
    """Nothing is imported, which is said here and remembered."""
    files({"leo.py": f"raise SystemExit('imported')\n{LEO}", "specs.yaml": "{flow_location: leo.py, flow_name: leonardo}"})
    done = headrace("deployment", "create", "specs.yaml", "--no-verify")
    assert (done.returncode, done.stdout) == (0, "created   leonardo/leonardo\n")
    assert "the code was not verified" in done.stderr
    (row,) = deployments(headrace)
    assert json.loads(headrace("deployment", "inspect", row["id"], "--json").stdout)["is_verified"] is False


def test_without_a_lasting_store(files: Files, tmp_path: Path, headrace: Headrace) -> None:
    """Deployments that would be gone at once are refused."""
    files({"leo.py": LEO, "specs.py": SPECS})
    program = f"import os; os.environ['HEADRACE_RUN_STORE'] = 'memory'; {PROGRAM}"
    refused = headrace("deployment", "create", "specs.py", program=program)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: the run store in use is gone when its process ends")


# What was deployed runs, whatever became of the author's folder


def executed(headrace: Headrace, tmp_path: Path, name: str) -> str:
    """The log of a run, of which the author's folder knows nothing."""
    shutil.rmtree(tmp_path / "author")
    done = headrace("deployment", "execute", name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_script_runs_elsewhere(files: Files, headrace: Headrace, tmp_path: Path) -> None:
    """Its text is stored, not its place."""
    files({"leo.py": LEO, "specs.py": SPECS})
    assert headrace("deployment", "create", "specs.py").returncode == 0
    log = executed(headrace, tmp_path, "leonardo/two")
    assert "Hello Marvin!" in log
    assert "Hello nobody!" not in log


def test_a_project_runs_elsewhere(files: Files, headrace: Headrace, tmp_path: Path) -> None:
    """With its modules, by their real names, and its data."""
    files(
        {
            "shop/__init__.py": "",
            "shop/words.py": "GREETING = 'Hello'",
            "shop/data.txt": "Ada",
            "shop/flows.py": """
                from pathlib import Path
                from headrace import flow
                from .words import GREETING

                @flow(log_prints=True)
                def greet():
                    import shop.words
                    print(GREETING, Path(__file__).with_name("data.txt").read_text(), open("shop/data.txt").read(), __name__)
                """,
            "specs.yaml": "{flow_location: shop/flows.py, project_root: .}",
        }
    )
    assert headrace("deployment", "create", "specs.yaml").stdout == "created   greet/greet\n"
    assert "Hello Ada Ada shop.flows" in executed(headrace, tmp_path, "greet")


def test_an_unverified_script_runs(files: Files, headrace: Headrace, tmp_path: Path) -> None:
    """The flow is found by its own name."""
    files({"leo.py": LEO, "specs.yaml": "{flow_location: leo.py, flow_name: leonardo, parameters: {name: Leo}}"})
    headrace("deployment", "create", "specs.yaml", "--no-verify")
    assert "Hello Leo!" in executed(headrace, tmp_path, "leonardo")


def test_a_flow_that_a_function_made_runs_elsewhere(files: Files, headrace: Headrace, tmp_path: Path) -> None:
    """It travels pickled, with what it uses from modules beside the specs; what it shares with the specs' file goes along too."""
    files(
        {
            "parts.py": """
                from headrace import flow
                GREETING = "Hello"

                class Name:
                    def __init__(self, name):
                        self.name = name

                def words(name):
                    return f"{GREETING} {Name(name).name}"

                def made(name):
                    @flow(name=f"greet-{name}", log_prints=True)
                    def greet(times: int = 1):
                        print(decorated(words(name)) * times)
                    return greet

                def decorated(text):
                    return text + "!"
                """,
            "specs.py": """
                from headrace.deployments import DeploymentSpec
                from parts import made
                import parts

                def own(text):
                    return parts.decorated(text)

                def more():
                    from headrace import flow
                    @flow(name="own", log_prints=True)
                    def inner():
                        print(own("mine"))
                    return inner

                for name in ("ada", "leo"):
                    DeploymentSpec(flow=made(name), parameters={"times": "2"})
                DeploymentSpec(flow=more())
                """,
        }
    )
    done = headrace("deployment", "create", "specs.py")
    assert done.stdout == "created   greet-ada/greet-ada\ncreated   greet-leo/greet-leo\ncreated   own/own\n", done.stderr
    assert "Hello leo!Hello leo!" in executed(headrace, tmp_path, "greet-leo")
    (tmp_path / "author").mkdir()
    assert "mine!" in executed(headrace, tmp_path, "own")
