"""Runs by another Python: of a virtual environment, of a conda environment, or by its path."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.model.orders import ExitStatus
from headrace.testing.conformance.flow_runner import SECONDS, Meeting, Stage
from headrace_subprocess.flow_runner import SubprocessFlowRunner


@pytest.fixture(scope="module")
def virtualenv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that finds modules where this process does."""
    folder = tmp_path_factory.mktemp("environments") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "here.pth").write_text("\n".join(path for path in sys.path if path))
    return folder


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """A program that is called as conda is, and writes down how."""
    program = tmp_path / "programs" / "conda"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\n"
        f'echo "$@" > {tmp_path}/called\n'
        f"while [ $1 != python ]; do shift; done; shift\n"
        f'{sys.executable} "$@"\n'  # a child, as in conda
    )
    program.chmod(0o755)
    return program


def seen(flow_runner: SubprocessFlowRunner, stage: Stage, tmp_path: Path, **variables: str) -> Any:
    """What a process of the flow runner sees of itself, and the remark about its start."""
    file = tmp_path / "seen"
    lines = f"import json, os, sys; json.dump([sys.executable, sys.prefix, dict(os.environ)], open({str(file)!r}, 'w'))"
    with flow_runner.open() as opened:
        process = opened.start(stage.order(lines, **variables))
        assert process.wait(SECONDS) == ExitStatus(0)
    return *json.loads(file.read_text()), process.remark


def test_a_virtual_environment(virtualenv: Path, stage: Stage, tmp_path: Path) -> None:
    """The run is run as if the virtual environment were activated, and is told why it began cold."""
    flow_runner = SubprocessFlowRunner(virtualenv=str(virtualenv))
    assert flow_runner.interpreter == str(virtualenv / "bin" / "python")
    executable, prefix, environment, remark = seen(flow_runner, stage, tmp_path, PATH="/usr/bin:/bin", PYTHONHOME="/nowhere")
    assert (executable, prefix) == (flow_runner.interpreter, str(virtualenv))
    assert environment["PATH"] == f"{virtualenv}/bin:/usr/bin:/bin"
    assert environment["VIRTUAL_ENV"] == str(virtualenv)
    assert "PYTHONHOME" not in environment
    assert remark == (
        "The process of the run was started cold: another Python than the agent's runs it, of which no process was ready; one is for the next run."
    )


def test_home_is_meant(virtualenv: Path, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is the home folder."""
    monkeypatch.setenv("HOME", str(virtualenv.parent))
    assert seen(SubprocessFlowRunner(virtualenv="~/venv"), stage, tmp_path)[1] == str(virtualenv)
    assert seen(SubprocessFlowRunner(python="~/venv/bin/python"), stage, tmp_path)[1] == str(virtualenv)


def test_a_python_by_its_path(virtualenv: Path, stage: Stage, tmp_path: Path) -> None:
    """Its path is all that is taken of it; the environment stays as it is."""
    flow_runner = SubprocessFlowRunner(python=str(virtualenv / "bin" / "python"))
    assert flow_runner.interpreter == str(virtualenv / "bin" / "python")
    executable, prefix, environment, remark = seen(flow_runner, stage, tmp_path)
    assert (executable, prefix) == (flow_runner.interpreter, str(virtualenv))
    assert (environment["PATH"], environment.get("VIRTUAL_ENV")) == (os.environ["PATH"], os.environ.get("VIRTUAL_ENV"))
    assert "another Python" in remark


def test_a_python_is_warm_from_the_second_run_on(virtualenv: Path, stage: Stage, tmp_path: Path) -> None:
    """The first run has a process made ready, from which the others are forked, as if the virtual environment were activated."""
    file = tmp_path / "seen"
    lines = f"import json, os, sys; json.dump([sys.prefix, os.environ['VIRTUAL_ENV'], os.getppid()], open({str(file)!r}, 'w'))"
    remarks = []
    with SubprocessFlowRunner(virtualenv=str(virtualenv)).open() as opened:
        for _ in range(3):
            process = opened.start(stage.order(lines))
            assert process.wait(SECONDS) == ExitStatus(0)
            prefix, activated, _ = json.loads(file.read_text())
            assert (prefix, activated) == (str(virtualenv), str(virtualenv))
            remarks.append(process.remark)
    assert "no process was ready" in remarks[0]
    assert remarks[1:] == ["", ""]


@pytest.mark.parametrize(
    ("condaenv", "called"),
    [("science", "--name science"), ("/envs/science", "--prefix /envs/science"), ("~/science", "--prefix /home/somebody/science")],
)
def test_a_conda_environment(
    condaenv: str, called: str, conda: Path, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conda is asked to run it, by the name of the environment or by its path."""
    monkeypatch.delenv("CONDA_EXE", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    remark = seen(SubprocessFlowRunner(condaenv=condaenv), stage, tmp_path, PATH=f"{conda.parent}:{os.environ['PATH']}")[-1]
    assert (tmp_path / "called").read_text() == f"run --no-capture-output {called} python -m headrace.testing.stand_in\n"
    assert remark == "The process of the run was started cold: conda starts it."


def test_stopping_what_conda_runs(conda: Path, stage: Stage) -> None:
    """The run itself is stopped, not only conda."""
    with SubprocessFlowRunner(condaenv="science", env={"CONDA_EXE": str(conda)}).open() as opened, Meeting() as meeting:
        process = opened.start(stage.order(meeting.lines))
        meeting.await_one()
        process.stop(SECONDS)
        assert process.wait(0) == ExitStatus(-15)
        assert meeting.all_are_gone()


def test_a_python_without_headrace(virtualenv: Path, stage: Stage) -> None:
    """The process says what it lacks before it ends."""
    with SubprocessFlowRunner(python=str(virtualenv / "bin" / "python"), env={"PYTHONHOME": "/nowhere"}).open() as opened:
        process = opened.start(stage.order("pass"))
        assert process.wait(SECONDS) == ExitStatus(1)
        assert "encodings" in process.last_words  # type: ignore[attr-defined]
