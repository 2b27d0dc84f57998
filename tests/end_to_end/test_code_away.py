"""A run whose code lies in a storage that is away: it waits for it, as for an orchestration; for what does not pass by itself it does not."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import kv
from servers.own import COMMAND, environment
from servers.process import free_ports

from headrace_kv.storage import KVServerStorage

SECONDS = 120
WAITS = "The run waits to begin, for"

FLOW = """
from headrace import flow


@flow
def far():
    return "here"
"""


class Far:
    """A home with a deployment, whose code lies in a KV server that may be away."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_ports(1)[0]
        self.environment = environment(folder / "home", **settings)
        (folder / "far.py").write_text(FLOW)
        with self.server():
            self.said("storage", "create", "kv", "--name", "shelf", "--api-address", f"http://127.0.0.1:{self.port}/api")
            (folder / "spec.yaml").write_text("name: far\nflow_location: far.py\nflow_storage: shelf\n")
            self.said("deployment", "create", "spec.yaml")
        self.said("work-queue", "create", "q")

    def server(self) -> Any:
        """The KV server, there as long as the context is."""
        return kv.kv_server(self.folder / "kv", port=self.port)

    def said(self, *arguments: str) -> str:
        """What a command printed; it must succeed."""
        found = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert found.returncode == 0, found.stdout
        return found.stdout

    def begun(self, *arguments: str) -> "subprocess.Popen[str]":
        """A command that goes on."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def state(self, run: str) -> tuple[str, str]:
        """The name of a run's state, and what it says."""
        shown = json.loads(self.said("flow-run", "inspect", run, "--json"))
        return shown["state"], shown["state_message"] or ""


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    """What was begun, and is over with the test."""
    begun: list[subprocess.Popen[str]] = []
    yield begun
    for process in begun:
        process.kill()
        process.communicate()


def test_a_run_waits_for_its_code(tmp_path: Path, processes: list["subprocess.Popen[str]"]) -> None:
    """The storage is away when the run begins, and back a moment later: the run says that it waits, then runs to its end."""
    far = Far(tmp_path)
    agent = _waiting(far, "patient", processes)
    with far.server():
        assert agent.wait(SECONDS) == 0
    assert far.state("patient")[0] == "Completed"
    assert "What the run waited for is there again" in far.said("flow-run", "logs", "patient")


def test_a_run_that_waits_can_be_cancelled(tmp_path: Path, processes: list["subprocess.Popen[str]"]) -> None:
    """Nobody has to wait until the storage is back, or given up."""
    far = Far(tmp_path)
    agent = _waiting(far, "unwanted", processes)
    far.said("flow-run", "cancel", "unwanted")
    assert agent.wait(SECONDS) == 0
    assert far.state("unwanted")[0] == "Cancelled"


def _waiting(far: Far, name: str, processes: list["subprocess.Popen[str]"]) -> "subprocess.Popen[str]":
    """The agent of a run that says in its log that it waits."""
    far.said("deployment", "run", "far/far", "--name", name)
    agent = far.begun("agent", "start", "q", "--run-once")
    lines = far.begun("flow-run", "logs", name, "--follow")
    processes += [agent, lines]
    assert lines.stdout is not None
    longest = threading.Timer(SECONDS, lines.kill)
    longest.start()
    try:
        assert any(WAITS in line for line in lines.stdout), "its log says that it waits"
    finally:
        longest.cancel()
    return agent


def test_not_for_ever(tmp_path: Path) -> None:
    """A storage that does not come back within `outage_seconds` fails the run, with the sentence that says what is wrong."""
    far = Far(tmp_path, HEADRACE_OUTAGE_SECONDS="0.3")
    far.said("deployment", "run", "far/far", "--name", "forsaken")
    far.said("agent", "start", "q", "--run-once")
    name, why = far.state("forsaken")
    assert name == "Failed"
    assert why.startswith(f"The flow could not be got from its deployment: the storage at http://127.0.0.1:{far.port}/api cannot be used")
    assert WAITS in far.said("flow-run", "logs", "forsaken")


def test_what_does_not_pass_is_not_waited_for(tmp_path: Path) -> None:
    """Code that is gone from its storage, or was changed there, and a server that knows no such storage, fail the run at once."""
    far = Far(tmp_path)
    with far.server() as server, KVServerStorage(api_address=server.url).open() as kept:
        (key,) = kept.keys()
        kept.write(key, [b"something else"])
        assert "its archive is damaged" in _failed_at_once(far, "changed")
        kept.delete(key)
        assert "it is not in its storage" in _failed_at_once(far, "gone")
    far.said("storage", "update", "shelf", "--api-address", f"http://127.0.0.1:{far.port}/nowhere", "--no-check", "--force")
    with far.server():
        assert "there is no storage of headrace" in _failed_at_once(far, "nowhere")


def _failed_at_once(far: Far, name: str) -> str:
    far.said("deployment", "run", "far/far", "--name", name)
    far.said("agent", "start", "q", "--run-once")
    state, why = far.state(name)
    assert state == "Failed", why
    assert WAITS not in far.said("flow-run", "logs", name)
    return why
