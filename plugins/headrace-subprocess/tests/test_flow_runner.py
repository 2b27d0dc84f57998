"""The flow runner is a flow runner, cold and warm; and its options are checked."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.errors import FlowRunnerFailed, InvalidOption
from headrace.model.orders import ExitStatus
from headrace.ports.flow_runner import FlowRunner
from headrace.testing.conformance.flow_runner import SECONDS, FlowRunnerConformance, Stage
from headrace_subprocess.flow_runner import SubprocessFlowRunner
from headrace_subprocess.options import in_bytes


class OnThisMachine(FlowRunnerConformance):
    @pytest.fixture
    def unusable(self, stand_in: None) -> FlowRunner:
        return SubprocessFlowRunner(virtualenv="/nowhere/venv")


class TestCold(OnThisMachine):
    @pytest.fixture
    def flow_runner(self, stand_in: None) -> FlowRunner:
        return SubprocessFlowRunner(warm=False)


class TestWarm(OnThisMachine):
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
        ({"working_dir": "data"}, "working_dir='data' cannot be used: it must begin with / or ~"),
        ({"env_inherit": "PATH"}, "env_inherit='PATH' cannot be used: it must be a list of names, in which * stands for anything"),
        ({"env_inherit": [1]}, "it must be a list of names"),
        ({"memory": "much"}, "memory='much' cannot be used: it must be a number of bytes, or one with a unit, such as 512MB"),
        ({"memory": "100iB"}, "it must be a number of bytes"),
        ({"memory": True}, "it must be a number of bytes"),
        ({"memory": "10MB"}, "a Python with headrace alone needs some tens of megabytes; give it at least 64MB"),
        ({"cpu_seconds": 0}, "cpu_seconds=0 cannot be used: it must be a whole number of seconds, from 1 on"),
        ({"cpu_seconds": 1.5}, "it must be a whole number of seconds"),
        ({"stream_output": 1}, "stream_output=1 cannot be used: it must be true or false"),
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


@pytest.mark.parametrize(
    ("written", "count"),
    [(10**8, 10**8), ("100000000", 10**8), ("512MB", 512 * 10**6), ("512m", 512 * 10**6), ("1.5 GiB", 3 << 29), ("70000kb", 7 * 10**7)],
)
def test_memory_is_written_in_many_ways(written: int | str, count: int) -> None:
    """As a number of bytes, or with a unit; those of two are of 1024."""
    assert in_bytes(SubprocessFlowRunner(memory=written).memory) == count


VARIABLES = "import json, os; json.dump([dict(os.environ), open('/proc/self/environ').read()], open({file!r}, 'w'))"


@pytest.mark.parametrize("warm", [True, False])
def test_what_a_run_gets_of_its_agents_variables(warm: bool, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are wanted, and the order's and the runner's own, which nobody has to want; never the token of the agent, nowhere."""
    file = tmp_path / "seen"
    monkeypatch.setenv("HEADRACE_API_TOKEN", "open sesame")
    for name in ("CLOUD_KEY", "CLOUD_NAME", "COLOUR"):
        monkeypatch.setenv(name, name.lower())
    for patterns, kept in (
        (None, {"CLOUD_KEY", "CLOUD_NAME", "COLOUR", "PATH"}),
        (["CLOUD_*", "PATH"], {"CLOUD_KEY", "CLOUD_NAME", "PATH"}),
        ([], set()),
    ):
        with SubprocessFlowRunner(warm=warm, env={"OWN": "1"}, env_inherit=patterns).open() as opened:
            process = opened.start(stage.order(VARIABLES.format(file=str(file)), HEADRACE_LOG_LEVEL="DEBUG"))
            assert process.wait(SECONDS) == ExitStatus(0)
            assert (process.remark == "") is warm
        seen, begun_with = json.loads(file.read_text())
        assert {"CLOUD_KEY", "CLOUD_NAME", "COLOUR", "PATH"} & seen.keys() == kept
        assert (seen["OWN"], seen["HEADRACE_LOG_LEVEL"]) == ("1", "DEBUG")
        assert "open sesame" not in begun_with
        assert "HEADRACE_API_TOKEN" not in seen


def test_a_run_has_the_token_of_its_order(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the place of the agent's."""
    file = tmp_path / "seen"
    monkeypatch.setenv("HEADRACE_API_TOKEN", "open sesame")
    with SubprocessFlowRunner(env_inherit=[]).open() as opened:
        order = stage.order(VARIABLES.format(file=str(file)), HEADRACE_API_TOKEN="of the run")
        assert opened.start(order).wait(SECONDS) == ExitStatus(0)
    assert json.loads(file.read_text())[0]["HEADRACE_API_TOKEN"] == "of the run"


def test_a_folder_to_work_in(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code works there; a folder that is not there is told, and nothing runs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    with SubprocessFlowRunner(working_dir="~/data").open() as opened:
        assert opened.start(stage.order("open('here', 'w')")).wait(SECONDS) == ExitStatus(0)
        assert (tmp_path / "data" / "here").exists()
        (tmp_path / "data" / "here").unlink()
        (tmp_path / "data").rmdir()
        with pytest.raises(
            FlowRunnerFailed, match="working_dir='~/data' cannot be used: there is no folder .*/data on this machine; make it"
        ):
            opened.start(stage.order("pass"))
        assert list(opened.running()) == []


def test_limits(stage: Stage) -> None:
    """They hold for the code, in what a process is forked from and in what is started anew alike, and not for who looks after it."""
    with SubprocessFlowRunner(memory="200MB", cpu_seconds=1).open() as opened:
        assert opened.start(stage.order("bytearray(100_000_000)")).wait(SECONDS) == ExitStatus(0)
        assert opened.start(stage.order("bytearray(300_000_000)")).wait(SECONDS) == ExitStatus(1)
        assert opened.start(stage.order("while True: pass")).wait(SECONDS) == ExitStatus(1)
        own = "import resource, os; own = open(f'/proc/{os.getppid()}/limits').read(); assert own.count('unlimited') > 4 and '200000000' not in own"
        assert opened.start(stage.order(own)).wait(SECONDS) == ExitStatus(0)


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
