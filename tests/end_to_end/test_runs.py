"""Flows with the stock plugins, in real processes, remembered in SQLite."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.states import StateType
from headrace.settings import load

Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Run:
    """Starts a script as a user would; its home is this test's own."""

    def start(source: str, **environment: str) -> subprocess.Popen[str]:
        script = tmp_path / "script.py"
        if not script.exists() or script.read_text() != source:  # another process may be reading it just now
            script.write_text(source)
        plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        return subprocess.Popen(
            [sys.executable, str(script)],
            env={**plain, "HEADRACE_HOME": str(home), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )

    return start


def finished(process: subprocess.Popen[str]) -> str:
    """What a process printed, which ended well."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def opened(home: Path) -> Any:
    return headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True)


def test_a_script_is_remembered(run: Run, home: Path) -> None:
    """Another process reads its run, its task runs, its states and its lines."""
    source = (Path(__file__).parents[2] / "examples/tutorial/leo_flow.py").read_text()
    finished(run(source))
    with opened(home) as house:
        (flow_run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
        (task_run,) = house.client.read_task_runs(TaskRunFilter(), Page())
        said = [line.message for line in house.client.read_logs(LogFilter(), Page(newest_first=False))]
    assert (flow_run.state.type, flow_run.parameters) == (StateType.COMPLETED, {"name": "Leo"})
    assert (task_run.flow_run_id, task_run.state.type) == (flow_run.id, StateType.COMPLETED)
    assert "Hello Leo!" in said
    assert said[-1] == "Finished in state Completed('All states completed.')"


def test_lines_and_task_runs_survive_a_killed_process(run: Run, home: Path) -> None:
    """What was written with the last beat of the pulse is there; the run is not called finished."""
    process = run(
        """
from headrace import flow, get_run_logger, task
import threading

@task
def step():
    get_run_logger().info("before the end")

@flow
def long():
    step()
    print("waiting", flush=True)
    threading.Event().wait()

long()
""",
        HEADRACE_JOURNAL_INTERVAL="0.01",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    with opened(home) as house:
        while "before the end" not in [line.message for line in house.client.read_logs(LogFilter(), Page())]:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (flow_run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
        (task_run,) = house.client.read_task_runs(TaskRunFilter(), Page())
    assert flow_run.state.type is StateType.RUNNING
    assert task_run.task_name == "step"


def test_ctrl_c_is_a_crash_that_is_recorded(run: Run, home: Path) -> None:
    """The process ends as Python does on Ctrl+C, and the run says why it ended."""
    process = run(
        """
from headrace import flow
import threading

@flow
def long():
    print("waiting", flush=True)
    threading.Event().wait()

long()
"""
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130)
    with opened(home) as house:
        (flow_run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
    assert (flow_run.state.type, flow_run.state.message) == (StateType.CRASHED, "Execution was aborted by an interrupt signal.")


RUNNERS = """
import json, os, sys
from headrace import flow, get_run_logger, task

class Odd:
    def __init__(self, value): self.value = value

@task(retries=1)
def step(number, odd=None):
    get_run_logger().info("step %s", number)
    if number == 2 and not os.path.exists("tried"):
        open("tried", "w").close()
        raise ValueError("first try")
    return (odd.value if odd else number) * 2, os.getpid()

@task
async def double(number):
    get_run_logger().info("double")
    return number * 2

@task
def fail():
    raise LookupError("elsewhere")

@flow(task_runner=sys.argv[1] if len(sys.argv) > 1 else os.environ["RUNNER"])
def whole():
    results = [future.result() for future in [step.submit(number) for number in range(4)]]
    results.append(step.submit(0, Odd(21)).result())
    state = fail.submit().wait()
    return {
        "values": [value for value, _ in results],
        "here": [pid == os.getpid() for _, pid in results],
        "double": double.submit(5).result(),
        "failure": repr(state.result(raise_on_failure=False)),
        "chain": step.submit(double.submit(double.submit(1))).result()[0],
    }

print(json.dumps(whole()))
"""


@pytest.mark.parametrize("runner", ["sequential", "concurrent", "processes"])
def test_every_task_runner_gives_the_same(run: Run, home: Path, runner: str) -> None:
    """Values, retries, failures, async tasks and lines are the same, wherever the calls ran; no main guard is needed."""
    outcome = json.loads(finished(run(RUNNERS, RUNNER=runner)))
    here = outcome.pop("here")
    assert here == [runner != "processes"] * 5
    assert outcome == {"values": [0, 2, 4, 6, 42], "double": 10, "failure": "LookupError('elsewhere')", "chain": 8}
    with opened(home) as house:
        said = [line.message for line in house.client.read_logs(LogFilter(), Page())]
        tried = house.client.read_task_runs(TaskRunFilter(names=("step-" + _key(house) + "-2",)), Page())
    assert {f"step {number}" for number in range(4)} <= set(said)
    assert said.count("double") == 3
    assert [task_run.run_count for task_run in tried] == [2]


def _key(house: Instance) -> str:
    return next(task_run.task_key for task_run in house.client.read_task_runs(TaskRunFilter(), Page()) if task_run.task_name == "step")


CACHED = """
from headrace import flow, task, task_input_hash

@task(cache_key_fn=task_input_hash)
def slow(number, payload):
    print("computed")
    return {"number": number, "payload": payload}

@flow
def whole():
    return slow(3, PAYLOAD)

assert whole()["number"] == 3
"""


@pytest.mark.parametrize("payload", ["'small'", "'large' * 10_000", "{1: {2, 3}, 'odd': complex(1, 2)}"])
def test_a_cached_result_is_read_by_another_process(run: Run, payload: str) -> None:
    """Inline, from the storage, and pickled."""
    source = CACHED.replace("PAYLOAD", payload)
    assert finished(run(source)) == "computed\n"
    assert finished(run(source)) == ""


def test_a_tag_limit_holds_across_processes(run: Run, home: Path, tmp_path: Path) -> None:
    """With one slot, two processes never are inside at once."""
    with opened(home) as house:
        house.client.set_limit("one", 1)
    source = """
from headrace import flow, task
import os

@task(tags=["one"])
def inside():
    os.close(os.open("inside", os.O_CREAT | os.O_EXCL))
    os.unlink("inside")

@flow
def whole():
    for _ in range(5):
        inside()

whole()
"""
    for process in [run(source), run(source)]:
        finished(process)


def test_many_first_calls_at_once(run: Run, home: Path) -> None:
    """Processes that make the first call on an empty home at the same time all succeed, and all are remembered."""
    source = "from headrace import flow\n\n@flow\ndef first():\n    return 1\n\nfirst()\n"
    for process in [run(source) for _ in range(8)]:
        finished(process)
    with opened(home) as house:
        runs = house.client.read_flow_runs(FlowRunFilter(), Page())
    assert [flow_run.state.type for flow_run in runs] == [StateType.COMPLETED] * 8


def test_a_forked_child_runs_flows_of_its_own(run: Run, home: Path) -> None:
    """It opens the store anew, and leaves its parent's alone."""
    finished(
        run(
            """
import os
from headrace import flow

@flow
def whose(name):
    return name

whose("parent")
child = os.fork()
if child == 0:
    whose("child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
whose("parent again")
"""
        )
    )
    with opened(home) as house:
        runs = house.client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))
    assert [flow_run.parameters["name"] for flow_run in runs] == ["parent", "child", "parent again"]
    assert {flow_run.state.type for flow_run in runs} == {StateType.COMPLETED}


def test_an_unusable_home_is_one_sentence(run: Run, home: Path) -> None:
    """A file where the home should be: the error says what and where, and no run is half there."""
    home.write_text("not a folder")
    process = run("from headrace import flow\n\n@flow\ndef f(): ...\n\nf()\n")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert str(home) in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("error: the run store at ")
