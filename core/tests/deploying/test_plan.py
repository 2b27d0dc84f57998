"""From specs to deployments: verified, planned, applied."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.deploying.apply import applied
from headrace.deploying.plan import Outcome, Planned, planned
from headrace.deploying.reading import read_specs
from headrace.errors import CodeUnusable, SpecsRefused
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.model.filters import DeploymentFilter, Page
from headrace.packaging.unpacking import unpacked
from headrace.testing.clock import START

Files = Callable[..., Path]
Deploy = Callable[..., list[Planned]]
LEO = '''
from datetime import date
from headrace import flow

@flow(name="leonardo", retries=2, retry_delay_seconds=3, version="7")
def leo(name: str, times: int = 1, day: date | None = None):
    """Greets."""
    return name * times
'''
PLAIN = "- {flow_location: leo.py, name: x, parameters: {name: Leo}}\n"
NOT_SAID: Any = lambda _: None  # noqa: E731 - nothing is to be said


@pytest.fixture
def deploy(files: Files, lasting_house: Instance, tmp_path: Path) -> Deploy:
    """Deploys the specs of a YAML text, with these files beside it."""

    def do(specs: str, contents: Mapping[str, str] | None = None, *, verifies: bool = True, applies: bool = True) -> list[Planned]:
        root = files({"leo.py": LEO, **(contents or {}), "specs.yaml": specs})
        found = read_specs(root / "specs.yaml", registry=lasting_house.registry, blocked=(), folder=tmp_path)
        plan = planned(lasting_house, found, verifies=verifies, say=NOT_SAID)
        return applied(lasting_house, plan, say=NOT_SAID) if applies else plan

    return do


def kept(house: Instance) -> list[Deployment]:
    """All deployments that are there."""
    return house.client.read_deployments(DeploymentFilter(), Page(newest_first=False))


def faults(deploy: Deploy, specs: str, contents: Mapping[str, str] | None = None, **how: bool) -> list[str]:
    """Why specs are refused."""
    with pytest.raises(SpecsRefused) as caught:
        deploy(specs, contents, **how)
    return list(caught.value.faults)


# What a deployment is made of


def test_what_importing_tells(deploy: Deploy, lasting_house: Instance) -> None:
    """The flow's name, version, description, retries and parameters become the deployment's; the code lies in the house's own storage."""
    (made,) = deploy("{flow_location: leo.py, tags: [b, a], parameters: {name: Leo, times: '3', day: 2026-01-02}}")
    (deployment,) = kept(lasting_house)
    assert made == Planned(deployment=deployment, tree=made.tree, outcome=Outcome.CREATED)
    assert (deployment.full_name, deployment.flow_version, deployment.description) == ("leonardo/leonardo", "7", "Greets.")
    assert (deployment.retries, deployment.retry_delay, deployment.tags, deployment.is_verified) == (2, 3, ("a", "b"), True)
    assert deployment.parameters == {"name": "Leo", "times": 3, "day": "2026-01-02"}
    assert deployment.parameter_schema["required"] == ["name"]
    assert list(deployment.parameter_schema["properties"]) == ["name", "times", "day"]
    assert (deployment.created, deployment.updated) == (START, START)
    archive = deployment.code.archive
    assert archive is not None
    assert deployment.code == Code(entrypoint="leo:leo", archive=archive)
    assert (archive.files, archive.size, archive.storage) == (1, len(LEO), None)


def test_what_a_spec_says_goes_first(deploy: Deploy, lasting_house: Instance) -> None:
    """Its own description, name, runner and storage."""
    deploy("{flow_location: leo.py, name: x, description: Mine., flow_runner: other, flow_storage: {type: local, path: shelf}}")
    (deployment,) = kept(lasting_house)
    assert (deployment.name, deployment.description, deployment.flow_runner) == ("x", "Mine.", Choice("other"))
    assert deployment.code.archive is not None
    assert deployment.code.archive.storage == Choice("local", {"path": "shelf"})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths of storages begin in the test's own folder."""
    monkeypatch.chdir(tmp_path)


def test_no_path_of_this_machine_is_kept(deploy: Deploy, lasting_house: Instance, tmp_path: Path) -> None:
    """Not of a script, and not of a project."""
    contents = {"shop/__init__.py": "", "shop/flows.py": LEO}
    deploy("- {flow_location: leo.py, name: x}\n- {flow_location: shop/flows.py, name: y, project_root: .}\n", contents)
    assert len(kept(lasting_house)) == 2
    assert str(tmp_path) not in repr(kept(lasting_house))


def test_a_project_travels_whole(deploy: Deploy, lasting_house: Instance, tmp_path: Path) -> None:
    """All its files but those that are ignored; the flow has the name that its module has there."""
    contents = {
        "shop/__init__.py": "",
        "shop/flows.py": f"from .names import NAME\n{LEO}",
        "shop/names.py": "NAME = 'x'",
        "data.csv": "1",
        ".headraceignore": "*.log\nleo.py\n",
        "x.log": "",
    }
    deploy("{flow_location: shop/flows.py, project_root: .}", contents)
    (deployment,) = kept(lasting_house)
    assert deployment.code.entrypoint == "shop.flows:leo"
    assert deployment.code.archive is not None
    with lasting_house.code_storage() as storage:
        (root := tmp_path / "unpacked").mkdir()
        unpacked(deployment.code.archive, storage, root)
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    assert found == [".headraceignore", "data.csv", "shop/__init__.py", "shop/flows.py", "shop/names.py", "specs.yaml"]


@pytest.mark.parametrize("written", ["project_root: ., entrypoint: 'leo:leo'", "project_root: ., entrypoint: 'leo:leonardo'"])
def test_an_entrypoint_in_a_project(deploy: Deploy, lasting_house: Instance, written: str) -> None:
    """It stands in place of the script."""
    deploy(f"{{{written}}}")
    assert kept(lasting_house)[0].flow_name == "leonardo"


def test_code_that_is_installed(deploy: Deploy, lasting_house: Instance, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entrypoint alone is code that is where it runs already: nothing travels."""
    monkeypatch.setenv("PYTHONPATH", str(files({"shop/flows.py": LEO}, "installed")))
    deploy("{entrypoint: 'shop.flows:leo'}")
    (deployment,) = kept(lasting_house)
    assert deployment.code == Code(entrypoint="shop.flows:leo")
    assert deployment.flow_name == "leonardo"


# Verified


def test_parameters_are_held_against_the_flow(deploy: Deploy, lasting_house: Instance) -> None:
    """Wrong names and wrong values are refused; one that is missing is not, since a run may give it."""
    specs = (
        "- {flow_location: leo.py, name: a, parameters: {nam: Leo}}\n- {flow_location: leo.py, name: b, parameters: {name: Leo, times: x}}\n"
        "- {flow_location: leo.py, name: c}\n- flow_location: leo.py\n  parameters:\n    times: 3\n    nam: Leo\n"
        "- flow_location: leo.py\n  parameters:\n    name: Leo\n    times:\n    - 3\n"
    )
    assert faults(deploy, specs) == [
        "specs.yaml, line 1: flow 'leonardo' has no parameter 'nam'; it takes: name, times, day",
        "specs.yaml, line 2: flow 'leonardo': parameter 'times' must be a whole number (int), not the text 'x'",
        "specs.yaml, line 7: flow 'leonardo' has no parameter 'nam'; it takes: name, times, day",
        "specs.yaml, line 12: flow 'leonardo': parameter 'times' must be a whole number (int), not a list with 1 item",
    ]
    assert kept(lasting_house) == []


def test_a_value_that_json_has_no_word_for_stays_as_it_was_written(deploy: Deploy, lasting_house: Instance) -> None:
    """The flow reads it again when it runs."""
    source = "import re, decimal\nfrom headrace import flow\n@flow\ndef f(p: re.Pattern, d: decimal.Decimal, **more: re.Pattern): ..."
    deploy("{flow_location: f.py, parameters: {p: a.*, d: '1.50', q: b}}", {"f.py": source})
    assert kept(lasting_house)[0].parameters == {"p": "a.*", "d": "1.50", "q": "b"}


def test_a_flow_that_takes_anything(deploy: Deploy, lasting_house: Instance) -> None:
    """Where it does not want its parameters to be checked, only their names are."""
    source = "from headrace import flow\n@flow(validate_parameters=False)\ndef f(x: int): ..."
    deploy("{flow_location: f.py, parameters: {x: text}}", {"f.py": source})
    assert kept(lasting_house)[0].parameters == {"x": "text"}
    assert faults(deploy, "{flow_location: f.py, parameters: {y: 1}}") == ["specs.yaml, line 1: flow 'f' has no parameter 'y'; it takes: x"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "import helper_elsewhere",
            "leo.py, line 1: ModuleNotFoundError: No module named 'helper_elsewhere'; install it where the flow runs",
        ),
        ("open('data.csv')", "leo.py, line 1: FileNotFoundError"),
        ("1 / 0", "leo.py, line 1: ZeroDivisionError: division by zero"),
        ("", "no flows found in leo.py"),
    ],
)
def test_code_that_cannot_be_imported_elsewhere(
    deploy: Deploy, lasting_house: Instance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, said: str
) -> None:
    """What lies in the author's folder or on the author's path does not help: it would not be there when the flow runs."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "project" / "lib"), ".", str(tmp_path)]))
    contents = {"leo.py": source, "lib/helper_elsewhere.py": "", "data.csv": "1"}
    (fault,) = faults(deploy, "{flow_location: leo.py}", contents)
    assert fault.startswith(f"specs.yaml, line 1: the code of script 'leo.py' cannot be used: {said}")
    assert kept(lasting_house) == []


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "GeneratorExit", "SystemExit"])
def test_code_that_wants_to_be_stopped(deploy: Deploy, capfd: pytest.CaptureFixture[str], raised: str) -> None:
    """What it raises is told like any exception, with its own lines alone."""
    (fault,) = faults(deploy, "{flow_location: leo.py}", {"leo.py": f"def stop():\n    raise {raised}\n\nstop()\n"})
    assert fault.startswith("specs.yaml, line 1: the code of script 'leo.py' cannot be used: leo.py, line 2: ")
    assert raised in fault
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("  File ")]
    assert lines == ['  File "leo.py", line 4, in <module>', '  File "leo.py", line 2, in stop']


def test_a_task_runner_that_is_not_installed(deploy: Deploy, lasting_house: Instance) -> None:
    """It is missed before anything is deployed; without verifying, when the flow runs."""
    code = "from headrace import flow\n@flow(task_runner='dsak')\ndef f(): ...\n"
    (fault,) = faults(deploy, "{flow_location: f.py, flow_name: f}", {"f.py": code})
    assert fault.startswith("specs.yaml, line 1: the code of script 'f.py' cannot be used: no task runner named 'dsak'; installed: ")
    assert fault.endswith("; where it is installed only where the flow runs, deploy with --no-verify")
    assert kept(lasting_house) == []
    assert len(deploy("{flow_location: f.py, flow_name: f}", {"f.py": code}, verifies=False)) == 1


def test_code_is_imported_where_a_run_would_work(deploy: Deploy) -> None:
    """Among its files, which it may read by their relative paths, and write."""
    source = f"import os\nopen('data/x.csv', 'r+').write('2')\nopen(os.path.join(os.path.dirname(__file__), 'new'), 'w').close()\n{LEO}"
    (made,) = deploy("{flow_location: leo.py, project_root: .}", {"leo.py": source, "data/x.csv": "1"})
    assert made.outcome is Outcome.CREATED


def test_a_script_that_imports_what_lies_beside_it(deploy: Deploy) -> None:
    """It is refused before anything is imported, and told of project_root; with that it travels."""
    contents = {"leo.py": f"import names\n{LEO}", "names.py": ""}
    (fault,) = faults(deploy, "{flow_location: leo.py}", contents)
    assert "line 1 imports 'names', which lies beside it" in fault
    assert deploy("{flow_location: leo.py, project_root: .}")[0].outcome is Outcome.CREATED


def test_each_python_and_code_is_imported_once(deploy: Deploy, files: Files, tmp_path: Path) -> None:
    """Specs that share code share the child that imports it; another Python, or other variables, need another."""
    count = f"open({str(tmp_path / 'count')!r}, 'a').write('x')\n"
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexport WHICH=other\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    shared = "flow_location: leo.py, parameters: {name: Leo}"
    specs = "".join(
        f"- {{name: {name}, {shared}, flow_runner: {runner}}}\n"
        for name, runner in {
            "a": "universal",
            "b": "universal",
            "c": f"{{type: other, python: {script}}}",
            "d": f"{{type: other, python: {script}}}",
            "e": "{type: other, env: {WHICH: mine}}",
        }.items()
    )
    source = f"import os\n{count}{LEO}\nleo = leo.with_options(version=os.environ.get('WHICH', 'this'))\n"
    made = deploy(specs, {"leo.py": source})
    assert (tmp_path / "count").read_text() == "xxx"
    assert [each.deployment.flow_version for each in made] == ["this", "this", "other", "other", "mine"]


def test_a_python_that_is_not_here(deploy: Deploy) -> None:
    """The runner's own words, and what can be done."""
    (fault,) = faults(deploy, "{flow_location: leo.py, flow_runner: {type: other, python: nowhere}}")
    assert fault == (
        "specs.yaml, line 1: this runner: python='nowhere' cannot be used: there is no such Python here; "
        "where it is on another machine only, deploy with --no-verify"
    )


def test_without_verifying(deploy: Deploy, lasting_house: Instance) -> None:
    """Nothing is imported, the flow's name must be said, and the deployment remembers it."""
    contents = {"leo.py": f"raise SystemExit('it was imported')\n{LEO}"}
    assert faults(deploy, "{flow_location: leo.py}", contents, verifies=False) == [
        "specs.yaml, line 1: without verifying, the flow's name is not known; give flow_name"
    ]
    deploy("{flow_location: leo.py, flow_name: leonardo, parameters: {any: thing}}", contents, verifies=False)
    (deployment,) = kept(lasting_house)
    assert (deployment.code.entrypoint, deployment.is_verified, deployment.parameter_schema) == ("leo:leonardo", False, {})
    assert deployment.parameters == {"any": "thing"}


# Planned


def test_a_plan_does_nothing(deploy: Deploy, lasting_house: Instance, tmp_path: Path) -> None:
    """No code is written, and no deployment is made."""
    assert deploy(PLAIN, applies=False)[0].outcome is Outcome.CREATED
    assert kept(lasting_house) == []
    with lasting_house.code_storage() as storage:
        assert list(storage.keys()) == []


def test_what_is_deployed_again_is_unchanged(deploy: Deploy, lasting_house: Instance) -> None:
    """It is not touched: neither its id nor its times change."""
    deploy(PLAIN)
    before = kept(lasting_house)
    lasting_house.clock.advance(60)  # type: ignore[attr-defined]
    (again,) = deploy(PLAIN)
    assert (again.outcome, again.changed) == (Outcome.UNCHANGED, ())
    assert kept(lasting_house) == before


@pytest.mark.parametrize(
    ("specs", "contents", "changed"),
    [
        (PLAIN.replace("Leo", "Leonardo"), {}, ("parameters",)),
        (PLAIN.replace("name: x", "name: x, tags: [a]"), {}, ("tags",)),
        (PLAIN.replace("name: x", "name: x, description: Mine., flow_runner: other"), {}, ("flow runner", "description")),
        (PLAIN.replace("name: x", "name: x, schedule: moon"), {}, ("schedule",)),
        (PLAIN, {"leo.py": f"# new\n{LEO}"}, ("code: leo.py",)),
        (PLAIN, {"leo.py": LEO.replace("times: int", "times: float")}, ("code: leo.py", "signature")),
        (PLAIN, {"leo.py": LEO.replace("retries=2", "retries=1")}, ("code: leo.py", "retries")),
        (PLAIN.replace("name: x", "name: x, project_root: ."), {".headraceignore": "leo.pyx"}, ("code: .headraceignore, specs.yaml",)),
        (PLAIN.replace("name: x", "name: x, flow_storage: {type: local, path: shelf}"), {}, ("storage",)),
        (
            PLAIN.replace("name: x", "name: x, flow_storage: {type: local, path: shelf}"),
            {"leo.py": f"# new\n{LEO}"},
            ("code: leo.py", "storage"),
        ),
    ],
)
def test_what_changed_is_said(
    deploy: Deploy, lasting_house: Instance, specs: str, contents: dict[str, str], changed: tuple[str, ...]
) -> None:
    """By name, of code the files; the id stays, and so does the time of creation."""
    (first,) = deploy(PLAIN)
    lasting_house.clock.advance(60)  # type: ignore[attr-defined]
    (again,) = deploy(specs, contents)
    assert (again.outcome, again.changed) == (Outcome.UPDATED, changed)
    (now,) = kept(lasting_house)
    assert now == again.deployment
    assert (now.id, now.created) == (first.deployment.id, START)
    assert now.updated > START


def test_many_files_changed(deploy: Deploy) -> None:
    """Some are named, the others counted."""
    spec = "{flow_location: leo.py, project_root: .}"
    deploy(spec)
    (again,) = deploy(spec, {f"{number}.txt": "" for number in range(8)})
    assert again.changed == ("code: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 3 more",)


def test_code_that_is_gone_is_packed_again(deploy: Deploy, lasting_house: Instance) -> None:
    """Though the deployment is unchanged: somebody may have emptied the storage."""
    deploy(PLAIN)
    with lasting_house.code_storage() as storage:
        (key,) = storage.keys()
        storage.delete(key)
        assert deploy(PLAIN)[0].outcome is Outcome.UNCHANGED
        assert list(storage.keys()) == [key]


def test_two_specs_of_one_deployment(deploy: Deploy, lasting_house: Instance) -> None:
    """Both lines are named, one name given and one taken from the flow; beside other faults too."""
    specs = "- {flow_location: leo.py, name: leonardo}\n- {flow_location: nix.py}\n- {flow_location: leo.py}\n- {flow_location: leo.py, name: y}\n"
    told = faults(deploy, specs)
    assert told[0].startswith("specs.yaml, line 2: there is no script ")
    assert told[1:] == [
        "specs.yaml, line 1 and specs.yaml, line 3: both are deployment 'leonardo/leonardo'; give one another name",
    ]
    assert kept(lasting_house) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("flow_location: leo.txt", "flow_location must be a Python script, whose name ends with .py, not 'leo.txt'"),
        ("flow_location: nix.py", "there is no script"),
        ("flow_location: leo.py, project_root: other", "flow_location .*leo.py does not lie in project_root .*other"),
        ("flow_location: leo.py, project_root: nowhere", "nowhere is no folder"),
        ("flow_location: out.py, project_root: .", "out.py is left out of what travels; see the ignore files in "),
        ("flow_location: a.b/leo.py, project_root: .", "a.b/leo.py has dots in its name, which part packages in Python; rename it"),
        ("entrypoint: 'nix:x', project_root: .", "there is no module 'nix' among the files that travel"),
        ("entrypoint: 'nix:x'", "there is no module 'nix' installed here"),
        ("flow_location: calendar.py", "its name hides the module 'calendar'"),
        ("flow_location: leo.py, flow_name: nix", "flow 'nix' not found in leo.py; found: leonardo"),
        ("flow_location: leo.py, flow_storage: memory", "the storage at memory cannot be used: it is gone when this process ends"),
    ],
)
def test_a_spec_that_is_refused(deploy: Deploy, spec: str, said: str) -> None:
    """It is said where, and why."""
    contents = {"other/x.py": "", "out.py": LEO, ".headraceignore": "out.py", "a.b/leo.py": LEO, "leo.txt": "", "calendar.py": LEO}
    with pytest.raises(SpecsRefused, match=f"specs.yaml, line 1: .*{said}"):
        deploy(f"{{{spec}}}", contents)


# Applied


def test_all_or_none(deploy: Deploy, lasting_house: Instance) -> None:
    """If anything is wrong with one spec, nothing of the others is there: no deployment, and no code."""
    assert len(faults(deploy, f"{PLAIN}- {{flow_location: leo.py, name: y, parameters: {{nam: x}}}}\n")) == 1
    assert kept(lasting_house) == []
    with lasting_house.code_storage() as storage:
        assert list(storage.keys()) == []


def test_code_that_changes_before_it_is_packed(deploy: Deploy, lasting_house: Instance, files: Files) -> None:
    """What was verified is what is deployed, or nothing is."""
    plan = deploy(PLAIN, applies=False)
    files({"leo.py": f"# later\n{LEO}"})
    with pytest.raises(CodeUnusable, match="leo.py was changed while it was packed"):
        applied(lasting_house, plan, say=NOT_SAID)
    assert kept(lasting_house) == []


def test_what_takes_long_is_said(deploy: Deploy, lasting_house: Instance) -> None:
    """Before it is done; code that is there already is not packed."""
    said: list[str] = []
    applied(lasting_house, deploy(PLAIN, applies=False), say=said.append)
    applied(lasting_house, deploy(PLAIN, applies=False), say=said.append)
    assert said == [f"packing 1 file ({len(LEO)} bytes) of script 'leo.py'"]
