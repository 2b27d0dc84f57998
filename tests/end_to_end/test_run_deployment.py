"""`run_deployment` from scripts and from flows, with an agent, in real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace.model.deployments import Code, Deployment
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter
from headrace.settings import load

SECONDS = 60

CODE = """
from headrace import flow
from headrace.deployments import run_deployment


@flow
def double(number: int = 1):
    if number < 0:
        raise ValueError("too low")
    return {number * 2}


@flow
def chain(number: int = 1):
    first = run_deployment("double/here", {"number": number}).result()
    return run_deployment("double/here", {"number": max(first)}).result()
"""


class Home:
    """A home with deployments of code that is installed, and an agent."""

    def __init__(self, folder: Path) -> None:
        (folder / "flows_of_test.py").write_text(CODE)
        self.folder = folder
        self.path = folder / "home"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environment = {**kept, "HEADRACE_HOME": str(self.path), "PYTHONPATH": str(folder)}
        with self.open() as house:
            now = house.clock.now()
            for name in ("double", "chain"):
                code = Code(entrypoint=f"flows_of_test:{name}")
                made = Deployment(id=house.ids.new(), name="here", flow_name=name, code=code, created=now, updated=now)
                house.client.put_deployments((made,))

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.path)}), lasting=True)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def script(self, source: str) -> str:
        """What a script says that ends well."""
        with self.start("-c", source) as script:
            try:
                said, _ = script.communicate(timeout=SECONDS)
            finally:
                script.kill()
        assert script.returncode == 0, said
        return said


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    command = ("-c", "from headrace.cli.main import main; main()")
    with home.start(*command, "work-queue", "create", "q") as made:
        assert made.wait(SECONDS) == 0
    with home.start(*command, "agent", "start", "q") as agent:
        try:
            assert agent.stdout is not None
            assert "started" in agent.stdout.readline()
            yield home
            agent.send_signal(signal.SIGTERM)
            agent.communicate(timeout=SECONDS)
        finally:
            agent.kill()


def test_from_a_script(home: Home) -> None:
    """The script gets what the run returned, JSON or not, and the failure of one that failed."""
    source = """
        from headrace.deployments import run_deployment
        print("value", run_deployment("double/here", {"number": 4}, timeout=50).result())
        print("state", run_deployment("double/here", {"number": -1}, timeout=50))
    """
    said = home.script("\n".join(line.strip() for line in source.splitlines()))
    assert "value {8}\n" in said
    assert "state Failed('Flow run encountered an exception. ValueError: too low')\n" in said


def test_from_a_deployed_flow(home: Home) -> None:
    """A deployed flow runs others, one after the other, each in processes of its own; they are its task runs."""
    said = home.script(
        "from headrace.deployments import run_deployment; print('value', run_deployment('chain/here', {'number': 5}).result())"
    )
    assert "value {20}\n" in said
    with home.open() as house:
        runs = house.client.read_flow_runs(FlowRunFilter(), Page(newest_first=False))
        assert [(run.flow_name, run.state.type) for run in runs] == [(name, "COMPLETED") for name in ("chain", "double", "double")]
        task_runs = house.client.read_task_runs(TaskRunFilter(), Page(newest_first=False))
        assert [run.state.child_flow_run_id for run in task_runs] == [run.id for run in runs[1:]]
        assert {run.flow_run_id for run in task_runs} == {runs[0].id}
