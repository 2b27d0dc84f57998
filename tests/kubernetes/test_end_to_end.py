"""Deployments that run on a real cluster, with a server and agents: the whole way of a run, and what survives whom."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod, Secret
from lightkube.types import CascadeType
from servers import kubernetes
from servers.kubernetes import SECONDS, awaited
from servers.own import COMMAND, environment, headrace_server

FLOW = """
import os
import threading
import urllib.request
from pathlib import Path

from headrace import flow, get_run_logger, task


@task
def note(text):
    get_run_logger().info("noted %s", text)


@flow(log_prints=True)
def errand(how="", folder=""):
    note(os.environ["COLOUR"])
    print("printed in", os.environ["HOSTNAME"])
    if how == "wait":
        Path(folder, "here").touch()
        while not Path(folder, "go").exists():
            threading.Event().wait(0.1)
    if how == "for ever":
        Path(folder, "here").touch()
        threading.Event().wait()
    if how == "die":
        os.kill(1, 9)
        os.kill(os.getppid(), 9)
"""


class House:
    """A server's address, and a home from which it is asked."""

    def __init__(self, folder: Path, url: str, namespace: str) -> None:
        self._folder = folder
        self.namespace = namespace
        self.environment = environment(folder / "home", HEADRACE_API_URL=url)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        command = [COMMAND, *arguments]
        done = subprocess.run(command, env=self.environment, cwd=self._folder, text=True, capture_output=True, timeout=SECONDS, check=False)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout

    def deploy(self, name: str = "far", **options: Any) -> None:
        """Deploys the flow, to be run on the cluster; the pod is in the network of its node, where the server is."""
        flow_runner = {
            "type": "kubernetes",
            "image": kubernetes.IMAGE,
            "namespace": self.namespace,
            "kubeconfig": kubernetes.KUBECONFIG,
            "image_pull_policy": "IfNotPresent",
            "env": {"COLOUR": "blue", "HEADRACE_GRACE_SECONDS": "1"},
            "customizations": kubernetes.patches(self._folder),
            **options,
        }
        (self._folder / "errand.py").write_text(FLOW)
        spec = {"name": name, "flow_location": "errand.py", "flow_runner": flow_runner, "tags": ["far"]}
        (self._folder / "specs.yaml").write_text(json.dumps(spec))
        self("deployment", "create", "specs.yaml")

    def run(self, name: str, how: str = "", deployment: str = "far") -> None:
        """Asks for a run."""
        self("deployment", "run", f"errand/{deployment}", "--name", name, "--param", f"how={how}", "--param", f"folder={self._folder}")

    def state(self, name: str) -> tuple[str, str]:
        """The state of a run, and what is said of it."""
        found = json.loads(self("flow-run", "inspect", name, "--json"))
        return found["state"], str(found)

    def awaited(self, name: str, *states: str) -> str:
        """What is said of a run as soon as it is in one of these states."""

        def said() -> str:
            state, text = self.state(name)
            return text if state in states else ""

        return str(awaited(said, f"{name} is {' or '.join(states)}"))

    @contextmanager
    def agent(self, *options: str) -> Iterator["subprocess.Popen[str]"]:
        """An agent at work."""
        command = [COMMAND, "agent", "start", "q", *options]
        printed = (self._folder / "agent").open("a")
        with printed, subprocess.Popen(command, env=self.environment, cwd=self._folder, text=True, stdout=printed, stderr=printed) as agent:
            try:
                yield agent
            finally:
                agent.kill()


@pytest.fixture
def house(tmp_path: Path, namespace: str) -> Iterator[House]:
    """A server, a queue, and a deployment."""
    with headrace_server(tmp_path / "server") as url:
        house = House(tmp_path, url, namespace)
        house.deploy()
        house("work-queue", "create", "q")
        yield house


def here(folder: Path) -> None:
    """Returns when the flow has come so far."""
    awaited((folder / "here").exists, "the flow runs")


def test_the_whole_way(house: House) -> None:
    """A run is taken, run in a pod, and completed; what it logs and prints is in its log."""
    house.run("first")
    house("agent", "start", "q", "--run-once")
    assert house.state("first")[0] == "Completed"
    logs = house("flow-run", "logs", "first")
    assert "noted blue" in logs
    assert "printed in" in logs
    with kubernetes.client(house.namespace) as client:
        (job,) = client.list(Job)
        assert "first" in (job.metadata.annotations or {})["headrace/run-name"]


def test_an_agent_that_is_killed(house: House, tmp_path: Path) -> None:
    """The run goes on when its agent is killed; the next agent adopts it, and starts nothing anew."""
    house.run("lasting", "wait")
    with house.agent() as agent:
        here(tmp_path)
        os.kill(agent.pid, signal.SIGKILL)
    with house.agent():
        awaited(lambda: "Adopted flow run 'lasting'" in (tmp_path / "agent").read_text(), "it is adopted")
        (tmp_path / "go").touch()
        house.awaited("lasting", "Completed")
        awaited(lambda: "'lasting' ended in state" in (tmp_path / "agent").read_text(), "the agent has seen its end")
    with kubernetes.client(house.namespace) as client:
        assert len(list(client.list(Job))) == 1


def test_a_run_that_is_cancelled(house: House, tmp_path: Path) -> None:
    """A run that is cancelled ends, and so does its pod."""
    house.run("endless", "for ever")
    with house.agent():
        here(tmp_path)
        house("flow-run", "cancel", "endless")
        house.awaited("endless", "Cancelled")
        with kubernetes.client(house.namespace) as client:
            awaited(
                lambda: all(pod.status and pod.status.phase in ("Succeeded", "Failed") for pod in client.list(Pod)), "its pod has ended"
            )


def test_a_run_whose_pod_is_removed(house: House, tmp_path: Path) -> None:
    """When somebody removes the Job of a run, the run has crashed, and says so."""
    house.run("removed", "for ever")
    with house.agent(), kubernetes.client(house.namespace) as client:
        here(tmp_path)
        (job,) = client.list(Job)
        client.delete(Job, job.metadata.name or "", cascade=CascadeType.BACKGROUND)
        assert "stopped by a signal to end" in house.awaited("removed", "Crashed")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"image": "headrace.invalid/nothing:1", "image_pull_policy": "Never"}, "is not on the node, and image_pull_policy says"),
        ({"command": ["python9"]}, "say by command how Python is called in the image"),
        ({"memory": "8Mi"}, ""),
        ({"namespace": "headrace-nowhere"}, "there is no namespace 'headrace-nowhere' in the cluster"),
    ],
    ids=["no image", "no Python", "no memory", "no namespace"],
)
def test_why_it_crashed(house: House, options: Any, why: str) -> None:
    """A run that cannot begin has crashed, with one sentence that says why; the agent goes on."""
    house.deploy("odd", **options)
    house.run("odd", deployment="odd")
    house.run("even")
    house("agent", "start", "q", "--run-once")
    state, said = house.state("odd")
    assert state == "Crashed"
    assert why in said
    assert house.state("even")[0] == "Completed"


def test_secrets_of_the_namespace(house: House) -> None:
    """A Secret that the deployment names is in the environment of its runs, and the run's own goes with its Job."""
    with kubernetes.client(house.namespace) as client:
        client.create(Secret.from_dict({"metadata": {"name": "warehouse"}, "stringData": {"COLOUR": "secretly green"}}))
        house.deploy("secret", secrets=["warehouse"], env={})
        house.run("green", deployment="secret")
        house("agent", "start", "q", "--run-once")
        assert "noted secretly green" in house("flow-run", "logs", "green")
        (job,) = client.list(Job)
        client.delete(Job, job.metadata.name or "", cascade=CascadeType.BACKGROUND)
        awaited(
            lambda: {each.metadata.name for each in client.list(Secret) if each.type == "Opaque"} == {"warehouse"}, "its Secret is gone"
        )
