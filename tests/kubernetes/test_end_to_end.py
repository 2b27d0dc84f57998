"""Deployments that run on a real cluster, with a server and agents: the whole way of a run, and what survives whom."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Node, Pod, Secret
from lightkube.types import CascadeType
from servers.kubernetes import SECONDS, OwnNamespace, awaited, patches
from servers.own import COMMAND, environment, headrace_server

LEASE_SECONDS = 5
SOON = 20
"""Seconds within which a run that has no process is cancelled; for what its pod lacks it is waited longer."""

BINDING = create_namespaced_resource("", "v1", "Binding", "bindings")
"""What a scheduler says: which node a pod is on."""

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

    def __init__(self, folder: Path, url: str, namespace: OwnNamespace, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self.namespace = namespace
        self.environment = environment(folder / "home", HEADRACE_API_URL=url, **settings)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        command = [COMMAND, *arguments]
        done = subprocess.run(command, env=self.environment, cwd=self._folder, text=True, capture_output=True, timeout=SECONDS, check=False)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout

    def deploy(self, name: str = "far", **options: Any) -> None:
        """Deploys the flow, to be run on the cluster; the pod is in the network of its node, where the server is."""
        flow_runner = {
            "type": "kubernetes",
            **self.namespace.access,
            "env": {"COLOUR": "blue", "HEADRACE_GRACE_SECONDS": "1"},
            "customizations": patches(self._folder),
            **options,
        }
        (self._folder / "errand.py").write_text(FLOW)
        spec = {"name": name, "flow_location": "errand.py", "flow_runner": flow_runner, "tags": ["far"]}
        (self._folder / "specs.yaml").write_text(json.dumps(spec))
        self("deployment", "create", "specs.yaml")

    def run(self, name: str, how: str = "", deployment: str = "far") -> None:
        """Asks for a run."""
        self("deployment", "run", f"errand/{deployment}", "--name", name, "--param", f"how={how}", "--param", f"folder={self._folder}")

    def run_in_full(self, name: str) -> Any:
        """All that is known of a run."""
        return json.loads(self("flow-run", "inspect", name, "--json"))

    def state(self, name: str) -> tuple[str, str]:
        """The state of a run, and what is said of it."""
        found = self.run_in_full(name)
        return found["state"], str(found)

    def awaited(self, name: str, *states: str) -> str:
        """What is said of a run as soon as it is in one of these states."""

        def said() -> str:
            state, text = self.state(name)
            return text if state in states else ""

        try:
            return str(awaited(said, f"{name} is {' or '.join(states)}"))
        except AssertionError as error:
            error.add_note(self.state(name)[1])
            raise

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
def settings() -> dict[str, str]:
    """Variables of the server, the agent and its runs that are not as usual."""
    return {}


@pytest.fixture
def house(tmp_path: Path, namespace: OwnNamespace, settings: dict[str, str]) -> Iterator[House]:
    """A server, a queue, and a deployment."""
    with headrace_server(tmp_path / "server", **settings) as url:
        house = House(tmp_path, url, namespace, settings)
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
    with house.namespace.client() as client:
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
    with house.namespace.client() as client:
        assert len(list(client.list(Job))) == 1


def test_a_run_that_is_cancelled(house: House, tmp_path: Path) -> None:
    """A run that is cancelled is told so itself, ends, and so does its pod."""
    house.run("endless", "for ever")
    with house.agent():
        here(tmp_path)
        house("flow-run", "cancel", "endless")
        house.awaited("endless", "Cancelled")
        with house.namespace.client() as client:
            awaited(
                lambda: all(pod.status and pod.status.phase in ("Succeeded", "Failed") for pod in client.list(Pod)), "its pod has ended"
            )
        assert "is not to begin any more" not in (tmp_path / "agent").read_text()


def test_a_run_whose_pod_is_removed(house: House, tmp_path: Path) -> None:
    """When somebody removes the Job of a run, the run has crashed, and says so."""
    house.run("removed", "for ever")
    with house.agent(), house.namespace.client() as client:
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
    with house.namespace.client() as client:
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


# What does not begin for long


class Held:
    """What a pod needs and has not, until it is given: a node, which only a scheduler gives that is nowhere; or a Secret that is not there."""

    def __init__(self, namespace: OwnNamespace, what: str) -> None:
        self._namespace = namespace
        self._what = what
        self.options: dict[str, Any] = {
            "a node": {"customizations": [{"spec": {"template": {"spec": {"schedulerName": "headrace-test"}}}}]},
            "a Secret": {"secrets": ["warehouse"]},
        }[what]

    def give(self) -> None:
        """From now on the pod may begin."""
        with self._namespace.client() as client:
            if self._what == "a Secret":
                client.create(Secret.from_dict({"metadata": {"name": "warehouse"}, "stringData": {"SECRET": "x"}}))
                return
            (node,) = client.list(Node)
            (pod,) = client.list(Pod)
            target = {"apiVersion": "v1", "kind": "Node", "name": node.metadata.name}
            client.create(BINDING.from_dict({"metadata": {"name": pod.metadata.name}, "target": target}))

    def await_pod(self) -> None:
        """Returns when there is a pod that waits."""
        with self._namespace.client() as client:
            awaited(lambda: any(self._waits(pod) for pod in client.list(Pod)), "its pod waits")

    def _waits(self, pod: Any) -> bool:
        return self._what == "a node" or any(
            each.state.waiting and each.state.waiting.message for each in pod.status.containerStatuses or []
        )


@pytest.fixture(params=["a node", "a Secret"])
def held(request: pytest.FixtureRequest, house: House, tmp_path: Path) -> Held:
    """A deployment whose pods lack something."""
    held = Held(house.namespace, request.param)
    own = tuple(held.options.pop("customizations", ()))
    house.deploy("late", customizations=[*patches(tmp_path), *own], **held.options)
    return held


@pytest.mark.parametrize(
    "settings", [{"HEADRACE_LEASE_SECONDS": str(LEASE_SECONDS), "HEADRACE_RENEW_SECONDS": "0.5"}], ids=["short leases"]
)
def test_a_pod_that_waits_for_longer_than_a_lease(house: House, held: Held) -> None:
    """Its run stays the same, in the same epoch, is started nowhere else, and completes when the pod may begin."""
    house.run("late", deployment="late")
    with house.agent():
        held.await_pod()
        waited = time.monotonic() + 3 * LEASE_SECONDS
        awaited(lambda: time.monotonic() > waited, "some leases have passed")
        found = house.run_in_full("late")
        assert (found["state"], found["epoch"]) == ("Pending", 1)
        held.give()
        house.awaited("late", "Completed", "Crashed", "Failed")
    found = house.run_in_full("late")
    assert (found["state"], found["epoch"], found["restarts"]) == ("Completed", 1, 0)
    with house.namespace.client() as client:
        assert [(job.metadata.labels or {})["headrace/epoch"] for job in client.list(Job)] == ["1"]


def test_cancelled_while_its_pod_waits(house: House, held: Held) -> None:
    """The run is CANCELLED soon, and nothing of it is left in the cluster; the agent goes on."""
    house.run("late", deployment="late")
    with house.agent(), house.namespace.client() as client:
        held.await_pod()
        house("flow-run", "cancel", "late")
        before = time.monotonic()
        house.awaited("late", "Cancelled", "Crashed", "Failed")
        assert time.monotonic() - before < SOON
        assert house.state("late")[0] == "Cancelled"
        awaited(lambda: not list(client.list(Job)) and not list(client.list(Pod)), "Job and pod are gone")
        awaited(lambda: not [each for each in house.namespace.secrets() if each.metadata.name != "warehouse"], "its Secret is gone")
        house.run("another")
        house.awaited("another", "Completed")
