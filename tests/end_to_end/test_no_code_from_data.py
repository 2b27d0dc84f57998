"""Data runs no code outside of a run: what is pickled is read in the run's own process tree, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from headrace.cli.main import run

code = run(sys.argv[1:])
print("loaded:", *sorted({"cloudpickle", "headrace_pickle.serializer"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
SPECS = """
from headrace import flow
from headrace.deployments import DeploymentSpec

names = {}
exec('''
from headrace import flow

@flow(persist_result=True)
def unwritten():
    return {1, 2, 3}
''', names)

DeploymentSpec(name="pickled", flow=names["unwritten"], tags=["t"])
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    return {**plain, "HEADRACE_HOME": str(tmp_path / "home")}


def test_command_line_and_agent_read_no_pickles(tmp_path: Path, environment: dict[str, str]) -> None:
    """A flow that lies in no file is pickled, deployed, run by an agent, and keeps a pickled result; the run completes, and neither process loaded pickle."""
    (tmp_path / "specs.py").write_text(SPECS)
    for arguments in (
        ("deployment", "create", "specs.py"),
        ("deployment", "create", "specs.py"),
        ("deployment", "inspect", "pickled"),
        ("work-queue", "create", "q"),
        ("deployment", "run", "pickled", "--name", "it"),
        ("agent", "start", "q", "--run-once"),
        ("flow-run", "inspect", "it", "--json"),
        ("deployment", "execute", "pickled"),
        ("deployment", "run", "pickled"),
        ("flow-run", "logs", "it"),
        ("plugins",),
    ):
        command = [sys.executable, "-c", PROGRAM, *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "loaded:\n" in done.stderr, arguments
        if arguments[:2] == ("flow-run", "inspect"):
            assert '"state": "Completed"' in done.stdout
            assert '"serializer": "pickle"' in done.stdout
