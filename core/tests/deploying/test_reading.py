"""Files of specs in Python: run in a process of their own, and told as plain data."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from headrace.deploying.reading import read_specs
from headrace.deploying.spec import SpecFile
from headrace.errors import CodeUnusable, SpecsRefused, WrongSpec
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice

Files = Callable[..., Path]
Read = Callable[..., SpecFile]
SPEC = "from headrace.deployments import DeploymentSpec\n"
LEO = "from headrace import flow\n@flow(name='leonardo')\ndef leo(name: str = 'Leo'):\n    return name\n"


@pytest.fixture
def read(files: Files, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads the file `specs.py` among these, or the one that is named."""
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))

    def specs(contents: Mapping[str, str], name: str = "specs.py") -> SpecFile:
        root = files(contents)
        return read_specs(root / name, registry=registry, blocked=(), folder=tmp_path)

    return specs


def test_every_spec_that_is_made_is_found(read: Read, tmp_path: Path) -> None:
    """However it is made: in a loop, by a function, in a module that the file imports; nothing is found twice."""
    found = read(
        {
            "specs.py": f"{SPEC}import others\nfor name in 'ab':\n    DeploymentSpec(name=name, flow_location='leo.py')\nothers.more()",
            "others.py": f"{SPEC}def more():\n    return DeploymentSpec(\n        name='c', flow_location='leo.py')\n",
        }
    )
    assert [(spec.name, spec.where) for spec in found.specs] == [
        ("a", "specs.py, line 4"),
        ("b", "specs.py, line 4"),
        ("c", "others.py, line 3"),
    ]
    assert {spec.flow_location for spec in found.specs} == {str(tmp_path / "project" / "leo.py")}


def test_what_else_it_says(read: Read) -> None:
    """Every field comes over as it was meant."""
    source = (
        f"{SPEC}from datetime import date\nDeploymentSpec(name='x', flow_location='leo.py', flow_name='leonardo', tags=['b', 'a'], parameters={{'day': "
        "date(2026, 1, 2)}, flow_runner={'type': 'universal', 'env': {'A': '1'}}, description='It greets.', project_root='.')"
    )
    (spec,) = read({"specs.py": source}).specs
    assert (spec.name, spec.flow_name, spec.tags, spec.parameters) == ("x", "leonardo", ("a", "b"), {"day": "2026-01-02"})
    assert (spec.flow_runner, spec.description) == (Choice("universal", {"env": {"A": "1"}}), "It greets.")


def test_a_flow_object_is_its_script(read: Read, tmp_path: Path) -> None:
    """That in which it was written, whether that makes the spec or is imported by it; no flow runs meanwhile."""
    found = read(
        {
            "specs.py": f"{SPEC}{LEO}from other import marvin\nDeploymentSpec(flow=leo)\nDeploymentSpec(flow=marvin)\nassert leo() is None\n",
            "other.py": "from headrace import flow\n@flow\ndef marvin():\n    raise SystemExit('it ran')\nmarvin()\n",
        }
    )
    root = tmp_path / "project"
    assert [(spec.flow_location, spec.flow_name) for spec in found.specs] == [
        (f"{root}/specs.py", "leonardo"),
        (f"{root}/other.py", "marvin"),
    ]


def test_what_it_says_meanwhile(read: Read, capfd: pytest.CaptureFixture[str]) -> None:
    """What it prints, and calls of flows, are shown on standard error."""
    read({"specs.py": f"{SPEC}{LEO}print('hello')\nleo()\nDeploymentSpec(flow=leo)"})
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "hello",
        "specs.py, line 7 calls flow 'leonardo' while it is loaded; the call is skipped and gives None",
    ]


def test_the_folder_of_the_file_is_where_it_runs(read: Read, tmp_path: Path) -> None:
    """So it can read what lies beside it; and it is not run as a script."""
    found = read(
        {
            "specs.py": f"{SPEC}DeploymentSpec(name=open('name.txt').read(), flow_location='leo.py')\n"
            "if __name__ == '__main__':\n    raise SystemExit('it was run')",
            "name.txt": "x",
        }
    )
    assert [spec.name for spec in found.specs] == ["x"]
    assert not list((tmp_path / "project").rglob("__pycache__"))


@pytest.mark.parametrize("name", ["json.py", "leo.deployment.py", "leo-deployment.py"])
def test_it_may_have_any_name(read: Read, name: str) -> None:
    """Also one that no module could have."""
    assert len(read({name: f"{SPEC}DeploymentSpec(flow_location='leo.py')"}, name).specs) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\n1 / 0", "specs.py, line 2: ZeroDivisionError: division by zero"),
        ("def f(:", "specs.py, line 1: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit()", "specs.py, line 2: it ends the process (SystemExit)"),
        ("raise KeyboardInterrupt", "specs.py, line 1: KeyboardInterrupt"),
        ("class Own(BaseException): ...\nraise Own('x')", "specs.py, line 2: specs.Own: x"),
        ("import nonesuch", "specs.py, line 1: ModuleNotFoundError: No module named 'nonesuch'"),
        ("import broken", "broken.py, line 2: NameError: name 'oops' is not defined"),
        (
            f"{SPEC}DeploymentSpec(\n  flow_locaton='leo.py')",
            "specs.py, line 2: 'flow_locaton' is no key of a deployment; did you mean 'flow_location'?",
        ),
        (
            "from headrace.flow_runners import MoonFlowRunner",
            "specs.py, line 1: ImportError: no flow runner class 'MoonFlowRunner' is installed",
        ),
    ],
)
def test_a_file_with_an_error(read: Read, source: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One sentence with the user's own file and line; the traceback has the user's own frames."""
    with pytest.raises(SpecsRefused) as caught:
        read({"specs.py": source, "broken.py": "\noops"})
    (fault,) = caught.value.faults
    assert fault.startswith(said)
    shown = capfd.readouterr().err
    assert "Traceback" in shown or "SyntaxError" in said or "is no key" in said
    assert not [line for line in shown.splitlines() if line.startswith('  File "') and "project/" not in line]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from headrace import flow\nflow(retries=-2)(print)", "specs.py, line 2: flow 'print': retries=-2 cannot be used"),
        ("import parts", "parts.py, line 3: flow 'f': retries=-2 cannot be used"),
    ],
)
def test_a_file_with_something_that_cannot_be_used(read: Read, source: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What headrace refuses is one sentence with the user's own line, without traceback and without the name of a class."""
    with pytest.raises(SpecsRefused) as caught:
        read({"specs.py": source, "parts.py": "from headrace import flow\n\n@flow(retries=-2)\ndef f(): ...\n"})
    (fault,) = caught.value.faults
    assert fault.startswith(said)
    assert "errors." not in fault
    assert capfd.readouterr().err == ""


def test_every_fault_is_told(read: Read) -> None:
    """Of all specs, with the good ones beside them."""
    found = read({"specs.py": f"{SPEC}DeploymentSpec(name='a/b', tags='x')\nDeploymentSpec(flow_location='leo.py')\nDeploymentSpec()"})
    assert [fault.partition(":")[0] for fault in found.faults] == ["specs.py, line 2"] * 3 + ["specs.py, line 4"]
    assert [spec.where for spec in found.specs] == ["specs.py, line 3"]


def test_a_flow_that_no_script_has_and_project_root(read: Read) -> None:
    """It could not be found among the files, so it is refused, and said what helps."""
    source = f"{SPEC}from headrace import flow\nDeploymentSpec(flow=flow(lambda: None, name='made'), project_root='.')"
    (fault,) = read({"specs.py": source}).faults
    assert fault == "specs.py, line 3: flow 'made' has no name at the top of a file, so it cannot be found in project_root; give it one"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("specs.txt", "a file of specs ends with .py, .yaml or .yml"),
        ("specs", "a file of specs ends with .py, .yaml or .yml"),
        ("nix.py", "nix.py: there is no such file"),
        ("folder.py", "folder.py: it is no file"),
        ("nix", "nix: there is no such file"),
        ("empty.py", "empty.py: no deployment specs found; make a DeploymentSpec in it for each deployment"),
    ],
)
def test_a_file_that_is_none(read: Read, name: str, said: str) -> None:
    """It is said what is taken."""
    with pytest.raises(WrongSpec, match=said):
        read({"specs.txt": "", "specs": "", "folder.py/x": "", "empty.py": ""}, name)


def test_a_file_that_ends_its_process(read: Read) -> None:
    """Nothing of it is taken."""
    with pytest.raises(CodeUnusable, match="the process that was to import it ended with exit code 3"):
        read({"specs.py": f"{SPEC}import os\nDeploymentSpec(flow_location='leo.py')\nos._exit(3)"})
