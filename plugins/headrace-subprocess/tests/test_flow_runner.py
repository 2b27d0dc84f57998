"""The flow runner is a flow runner, cold and warm; and its options are checked."""

import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.errors import FlowRunnerFailed, InvalidOption
from headrace.ports.flow_runner import FlowRunner
from headrace.testing.conformance.flow_runner import FlowRunnerConformance, Stage
from headrace_subprocess.flow_runner import SubprocessFlowRunner


class TestCold(FlowRunnerConformance):
    @pytest.fixture
    def flow_runner(self, stand_in: None) -> FlowRunner:
        return SubprocessFlowRunner(warm=False)


class TestWarm(FlowRunnerConformance):
    @pytest.fixture
    def flow_runner(self, stand_in: None) -> FlowRunner:
        return SubprocessFlowRunner()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"env": {"A": 1}}, "env={'A': 1} cannot be used: it must be names with values, all of them text"),
        ({"env": {"HEADRACE_ORDER": "{}"}}, "HEADRACE_ORDER tells the process which run it is for"),
        ({"virtualenv": "venv"}, "virtualenv='venv' cannot be used: it must begin with / or ~"),
        ({"python": "python3.12"}, "python='python3.12' cannot be used: it must begin with / or ~"),
        ({"condaenv": ""}, "condaenv='' cannot be used: it must be a name or a path"),
        ({"warm": "yes"}, "warm='yes' cannot be used: it must be true or false"),
        ({"condaenv": "science", "virtualenv": "/venv"}, "condaenv='science' cannot be used: virtualenv is chosen too"),
        ({"python": "/python", "condaenv": "science"}, "python='/python' cannot be used: condaenv is chosen too"),
    ],
)
def test_options_that_cannot_be(options: Any, why: str) -> None:
    """An option that cannot be used is refused at once, and the error says which and why."""
    with pytest.raises(InvalidOption) as refusal:
        SubprocessFlowRunner(**options)
    assert why in str(refusal.value)


def test_paths_may_be_paths() -> None:
    """A path may be given as such; it is kept as text, as plain data are."""
    assert SubprocessFlowRunner(virtualenv=Path("/venv")).virtualenv == "/venv"  # type: ignore[arg-type]


def test_the_interpreter() -> None:
    """Without a choice it is that of who asks, with conda nobody knows."""
    assert SubprocessFlowRunner().interpreter == sys.executable
    assert SubprocessFlowRunner(python=sys.executable).interpreter == sys.executable
    assert SubprocessFlowRunner(condaenv="science").interpreter is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"virtualenv": "/nowhere/venv"},
            "there is no program /nowhere/venv/bin/python on this machine; make it with `python3 -m venv /nowhere/venv`",
        ),
        ({"python": "/nowhere/python"}, "there is no program /nowhere/python on this machine; write the path of a Python that is there"),
        ({"python": "/"}, "there is no program / on this machine"),
    ],
)
def test_a_python_that_is_not_there(stage: Stage, options: Any, why: str) -> None:
    """Who asks for the interpreter, and who starts a run, is told where it was looked for."""
    flow_runner = SubprocessFlowRunner(**options)
    with pytest.raises(InvalidOption) as refusal:
        _ = flow_runner.interpreter
    assert why in str(refusal.value)
    with flow_runner.open() as opened:
        with pytest.raises(FlowRunnerFailed) as failure:
            opened.start(stage.order("pass"))
        assert "flow runner 'subprocess' could not start flow run 'certain-cormorant-1'" in str(failure.value)
        assert why in str(failure.value)
        assert list(opened.running()) == []


def test_conda_that_is_not_there(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts a run in a conda environment on a machine without conda is told so."""
    monkeypatch.delenv("CONDA_EXE", raising=False)
    with SubprocessFlowRunner(condaenv="science", env={"PATH": "/nowhere"}).open() as opened:
        with pytest.raises(FlowRunnerFailed, match="there is no program conda on the PATH"):
            opened.start(stage.order("pass"))


def test_a_program_that_is_no_python(stage: Stage, tmp_path: Path) -> None:
    """What cannot be run is told as the system says it."""
    program = tmp_path / "python"
    program.write_bytes(b"\0\0\0\0")
    program.chmod(0o755)
    with SubprocessFlowRunner(python=str(program)).open() as opened:
        with pytest.raises(FlowRunnerFailed, match="Exec format error"):
            opened.start(stage.order("pass"))
