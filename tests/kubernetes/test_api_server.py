"""What a real API server takes, keeps, refuses and tells of runs. It needs no node: nothing here begins, or only because a test says so in its place."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
from lightkube.core.exceptions import ApiError
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, ResourceQuota, ServiceAccount
from lightkube.types import CascadeType, PatchType
from servers.kubernetes import SECONDS, Bridge, OwnNamespace, RealCluster, awaited

from headrace.errors import FlowRunnerFailed
from headrace.model.orders import ExitStatus, Order
from headrace.ports.flow_runner import Arrives, OpenFlowRunner, Process
from headrace.testing.conformance.flow_runner import GRACE_SECONDS, Stage
from headrace_kubernetes import installing
from headrace_kubernetes.flow_runner import KubernetesFlowRunner
from headrace_kubernetes.manifest import job_of
from headrace_kubernetes.names import labels_of_identity, name_of

NOWHERE = {"spec": {"template": {"spec": {"nodeSelector": {"headrace.test/node": "none"}}}}}
"""No node takes such a pod, where there are any."""

CALLED_SOON = 25
"""Seconds within which an end is told; after some more, it would be found out by looking from time to time."""


def held(namespace: OwnNamespace, folder: Path, *customizations: Any, **options: Any) -> KubernetesFlowRunner:
    """A flow runner whose processes do not begin."""
    return namespace.flow_runner(folder, customizations=[NOWHERE, *customizations], **options)


@pytest.fixture
def opened(namespace: OwnNamespace, tmp_path: Path) -> Iterator[OpenFlowRunner]:
    """One that is open."""
    with held(namespace, tmp_path).open() as opened:
        yield opened


def jobs(namespace: OwnNamespace) -> list[Any]:
    """What there is."""
    with namespace.client() as client:
        return list(client.list(Job))


# In place of a node


@attrs.frozen
class PodByHand:
    """The pod of a run, whose container is said to run, and to have ended, by a test."""

    namespace: OwnNamespace
    name: str

    def tell(self, phase: str, **state: Any) -> None:
        """Says how its container is."""
        container = {"name": "run", "image": "x", "imageID": "x", "ready": False, "restartCount": 0, "state": state}
        with self.namespace.client() as client:
            client.patch(Pod.Status, self.name, {"status": {"phase": phase, "containerStatuses": [container]}}, patch_type=PatchType.MERGE)

    def run(self) -> None:
        """Its container runs."""
        self.tell("Running", running={"startedAt": "2026-01-01T00:00:00Z"})

    def end(self, code: int) -> None:
        """Its container has ended."""
        self.tell("Failed" if code else "Succeeded", terminated={"exitCode": code, "reason": "Error" if code else "Completed"})


def pod_of(namespace: OwnNamespace, order: Order) -> PodByHand:
    """The pod of an order, which no node takes. Where nobody makes pods, it is made as a cluster makes it: of the template in the Job, which owns it."""
    with namespace.client() as client:
        if namespace.cluster.is_whole:
            made = awaited(lambda: list(client.list(Pod, labels=dict(labels_of_identity(order.identity)))), "a pod is made")[0]
            return PodByHand(namespace, str(made.metadata.name))
        client.create(ServiceAccount.from_dict({"metadata": {"name": "default"}}))
        job = namespace.job_of(order).to_dict()
        name, template = job["metadata"]["name"], job["spec"]["template"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": True}
        metadata = {**template["metadata"], "name": f"{name}-made", "ownerReferences": [owner]}
        client.create(Pod.from_dict({"metadata": metadata, "spec": template["spec"]}))
        return PodByHand(namespace, f"{name}-made")


# Who asks


def refused(flow_runner: KubernetesFlowRunner, order: Order) -> str:
    """What is said of a run that cannot be started."""
    with flow_runner.open() as opened, pytest.raises(FlowRunnerFailed) as failure:
        opened.start(order)
    assert "\n" not in str(failure.value)
    return str(failure.value)


def refused_in_the_end(opened: OpenFlowRunner, order: Callable[[], Order], why: str) -> str:
    """What is said as soon as runs cannot be started for that reason; an API server does not hear of it at once."""

    def said() -> str:
        try:
            opened.start(order()).stop(0)
        except FlowRunnerFailed as error:
            return str(error) if why in str(error) else ""
        return ""

    return str(awaited(said, f"it is refused: {why}"))


def test_who_is_not_known(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """A token that the cluster does not know is told, and not shown."""
    config = namespace.cluster.kubeconfig_of(tmp_path / "wrong", {"token": "open-sesame"})
    said = refused(held(namespace, tmp_path, kubeconfig=config), stage.order("pass"))
    assert "does not know who asks" in said
    assert "sesame" not in said


def test_who_may_not(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """Who has no rights is told which, and where to find them; who may make no Secret leaves no Job behind."""
    config = namespace.account("nobody", [], tmp_path)
    said = refused(held(namespace, tmp_path, kubeconfig=config), stage.order("pass"))
    place = f"namespace '{namespace.name}'"
    assert f"may not do this with jobs in {place}; give them the role that `headrace kubernetes manifest agent` prints" in said
    config = namespace.account("halfway", [each for each in installing.rules() if each["resources"] != ["secrets"]], tmp_path)
    assert "may not do this with secrets" in refused(held(namespace, tmp_path, kubeconfig=config), stage.order("pass"))
    awaited(lambda: not jobs(namespace), "the Job is gone")


def test_the_rights_of_the_role(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """With those of the printed role, and no others, runs are started, listed, found, stopped, and given up with a reason."""
    config = namespace.account("agent", installing.rules(), tmp_path)
    with held(namespace, tmp_path, kubeconfig=config, start_timeout=2).open() as opened:
        given_up = opened.start(stage.order("pass"))
        assert given_up.wait(SECONDS) == ExitStatus(None)
        assert "no node takes its pod" in given_up.last_words or "has not made a pod for it" in given_up.last_words
    with held(namespace, tmp_path, kubeconfig=config).open() as opened:
        process = opened.start(stage.order("pass"))
        assert list(opened.running()) == [process.identity]
        found = opened.find(process.identity)
        assert found is not None
        found.stop(GRACE_SECONDS)
        assert list(opened.running()) == []


def test_a_namespace_that_is_not_there(cluster: RealCluster, stage: Stage, tmp_path: Path) -> None:
    """It is named."""
    said = refused(held(OwnNamespace(cluster, "headrace-nowhere"), tmp_path), stage.order("pass"))
    assert "there is no namespace 'headrace-nowhere' in the cluster" in said


def test_a_namespace_that_is_being_removed(namespace: OwnNamespace, opened: OpenFlowRunner, stage: Stage) -> None:
    """That is told; something in it keeps it for now."""
    with namespace.client() as client:
        client.create(ConfigMap.from_dict({"metadata": {"name": "kept", "finalizers": ["headrace.test/kept"]}}))
        client.delete(Namespace, namespace.name)
        said = refused_in_the_end(opened, lambda: stage.order("pass"), "being")
        client.patch(ConfigMap, "kept", {"metadata": {"finalizers": None}}, patch_type=PatchType.MERGE)
    assert f"namespace '{namespace.name}' is being removed" in said


# What is refused


@pytest.mark.parametrize(
    ("customization", "why"),
    [
        ({"spec": {"template": {"spec": {"volumes": [{"name": "A B"}]}}}}, "spec.template.spec.volumes[0].name: Invalid value"),
        ({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": "long"}}}}, "Kubernetes does not take it"),
    ],
    ids=["invalid", "no manifest"],
)
def test_jobs_that_kubernetes_does_not_take(namespace: OwnNamespace, stage: Stage, tmp_path: Path, customization: Any, why: str) -> None:
    """What Kubernetes says of a Job that is none is told, with the advice to correct the options."""
    said = refused(held(namespace, tmp_path, customization), stage.order("pass"))
    assert "correct the options of the flow runner" in said
    assert why in said


def test_a_name_that_is_taken(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """A Job of that name that is no run's is left alone, and nothing is started."""
    order = stage.order("pass")
    container = {"name": "x", "image": namespace.cluster.image, "command": ["true"]}
    spec = {"template": {"spec": {**NOWHERE["spec"]["template"]["spec"], "restartPolicy": "Never", "containers": [container]}}}
    with namespace.client() as client:
        client.create(Job.from_dict({"metadata": {"name": name_of(order.identity)}, "spec": spec}))
    assert "is no run's; remove it" in refused(held(namespace, tmp_path), order)
    assert (len(jobs(namespace)), namespace.secrets()) == (1, [])


def test_a_quota_of_jobs(namespace: OwnNamespace, opened: OpenFlowRunner, stage: Stage) -> None:
    """One that is used up is told."""
    hard, used = {"count/jobs.batch": "0"}, {"count/jobs.batch": "0"}
    with namespace.client() as client:
        client.create(ResourceQuota.from_dict({"metadata": {"name": "none"}, "spec": {"hard": hard}}))
        client.patch(ResourceQuota.Status, "none", {"status": {"hard": hard, "used": used}}, patch_type=PatchType.MERGE)
    said = refused_in_the_end(opened, lambda: stage.order("pass"), "exceeded quota")
    assert f"the quota of namespace '{namespace.name}' is used up" in said


# What is made


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cpu": "500m", "memory": "64Mi", "active_deadline": 60, "service_account": "flows", "labels": {"team": "blue"}},
        {"env": {"PRICE": "$$5 $(HOME)"}, "secrets": ["warehouse"], "image_pull_policy": "Always"},
        {
            "job": {
                "metadata": {"annotations": {"team/contact": "blue"}},
                "spec": {
                    "backoffLimit": 4,
                    "completions": 3,
                    "template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "run"}, {"name": "beside", "image": "x"}]}},
                },
            },
            "customizations": [
                NOWHERE,
                {"op": "add", "path": "/spec/template/spec/tolerations", "value": [{"key": "batch", "operator": "Exists"}]},
                {"spec": {"template": {"spec": {"securityContext": {"runAsUser": 1000}}}}},
            ],
        },
    ],
    ids=["as it is usual", "bounds", "variables", "manifest and patches"],
)
def test_what_is_kept_of_a_job(namespace: OwnNamespace, stage: Stage, tmp_path: Path, options: Any) -> None:
    """All that is said of a Job is so in the cluster: nothing of it was not known, or is understood otherwise."""
    order = stage.order("pass")
    flow_runner = namespace.flow_runner(tmp_path, **{"customizations": [NOWHERE], "ttl": None, **options})
    with flow_runner.open() as opened:
        opened.start(order)
    kept, said = namespace.job_of(order).to_dict(), job_of(order, flow_runner, "any")
    for part in (said, said["spec"]["template"]):
        del part["metadata"]["labels"]["headrace/orchestration"]
    assert left_out(said, kept) == []
    assert (kept["spec"]["backoffLimit"], kept["spec"]["completions"], kept["spec"]["template"]["spec"]["restartPolicy"]) == (0, 1, "Never")


def left_out(said: Any, kept: Any, where: str = "") -> list[str]:
    """Where something was said that was not kept."""
    if isinstance(said, dict):
        found = kept if isinstance(kept, dict) else {}
        return [each for name, value in said.items() for each in left_out(value, found.get(name), f"{where}/{name}")]
    if isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        return [each for number, value in enumerate(said) for each in left_out(value, kept[number], f"{where}/{number}")]
    return [] if said == kept else [f"{where}: {said!r}, not {kept!r}"]


def test_nothing_secret_is_seen(namespace: OwnNamespace, opened: OpenFlowRunner, stage: Stage) -> None:
    """Neither the order nor its variables are in the Job; they are in a Secret that the Job owns, and that nobody changes."""
    order = stage.order("pass", PASSWORD="open sesame")
    opened.start(order)
    job = namespace.job_of(order)
    assert "sesame" not in json.dumps(job.to_dict())
    (secret,) = namespace.secrets()
    assert "PASSWORD" in (secret.data or {})
    assert secret.immutable
    (owner,) = secret.metadata.ownerReferences or []
    assert owner.uid == job.metadata.uid


def test_labels(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """Job and pod are found by the labels of their run, whatever the run is called."""
    order = attrs.evolve(stage.order("pass"), run_id="Ünknown run / 7", run_name="Größe, 100 %" * 10)
    with held(namespace, tmp_path, labels={"team": "blue"}).open() as opened:
        opened.start(order)
        assert list(opened.running()) == [order.identity]
    wanted = {**labels_of_identity(order.identity), "team": "blue"}
    with namespace.client() as client:
        (job,) = client.list(Job, labels=dict(wanted))
    assert (job.metadata.annotations or {})["headrace/run-name"] == order.run_name
    assert wanted.items() <= (job.spec.template.metadata.labels or {}).items()


def test_many_start_the_same(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """However many start a run at the same time, of one agent and of another, it has one Job and one Secret; one agent has one process of it."""
    order = stage.order("pass")
    with held(namespace, tmp_path).open() as one, held(namespace, tmp_path).open() as other, ThreadPoolExecutor(8) as threads:
        processes = list(threads.map(lambda opened: opened.start(order), [one, other] * 4))
        assert len({id(process) for process in processes}) == 2
        assert (list(one.running()), list(other.running())) == ([order.identity], [order.identity])
        assert (len(jobs(namespace)), len(namespace.secrets())) == (1, 1)
        processes[1].stop(GRACE_SECONDS)
        assert processes[0].wait(CALLED_SOON) == ExitStatus(None)
        assert (list(one.running()), one.find(order.identity)) == ([], None)
    awaited(lambda: not jobs(namespace), "the Job is gone")


def test_orchestrations_share_a_namespace(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """A flow runner lists the runs of its own orchestration, and no others."""
    mine, other = (held(namespace, tmp_path, env={"HEADRACE_API_URL": f"http://127.0.0.1:{port}/api"}) for port in (9, 10))
    with mine.open() as opened, other.open() as beside:
        process = opened.start(stage.order("pass"))
        assert list(opened.running()) == [process.identity]
        assert list(beside.running()) == []


@pytest.mark.parametrize(
    "arguments", [("server",), ("server", "--storage", "1Gi", "--storage-class", "fast"), ("agent", "q", "another")], ids=" ".join
)
def test_printed_manifests(namespace: OwnNamespace, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The cluster takes all of what `headrace kubernetes manifest` prints, once, and keeps all that is said there."""
    made = namespace.manifests(tmp_path, *arguments)
    assert made
    with namespace.client() as client:
        for each in made:
            said = each.to_dict()
            said.pop("stringData", None)
            assert left_out(said, client.create(each).to_dict()) == []
        with pytest.raises(ApiError, match="already exists"):
            client.create(made[0])


# What is told


def begun(process: Process) -> bool:
    """Whether its container is there."""
    assert isinstance(process, Arrives)
    return process.has_begun


def test_how_a_run_goes(namespace: OwnNamespace, opened: OpenFlowRunner, stage: Stage) -> None:
    """That its container has begun, and with which exit code it ended, is told as soon as the cluster knows it."""
    order = stage.order("pass")
    process = opened.start(order)
    pod = pod_of(namespace, order)
    assert (process.wait(0), begun(process), list(opened.running())) == (None, False, [order.identity])
    pod.run()
    awaited(lambda: begun(process), "it has begun")
    assert (process.wait(0), list(opened.running())) == (None, [order.identity])
    pod.end(3)
    assert process.wait(CALLED_SOON) == ExitStatus(3)
    assert list(opened.running()) == []


def test_removed_by_somebody(namespace: OwnNamespace, opened: OpenFlowRunner, stage: Stage) -> None:
    """When somebody removes the Job of a run that has not begun, the run has ended, and that is told."""
    order = stage.order("pass")
    process = opened.start(order)
    with namespace.client() as client:
        client.delete(Job, name_of(order.identity), cascade=CascadeType.BACKGROUND)
    assert process.wait(CALLED_SOON) == ExitStatus(None)
    assert process.last_words in ("its job was removed from the cluster", "its pod was removed from the cluster")


def test_given_up(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """A run that has not begun in time is given up, with the reason, and its Job is removed."""
    with held(namespace, tmp_path, start_timeout=2).open() as opened:
        process = opened.start(stage.order("pass"))
        assert process.wait(SECONDS) == ExitStatus(None)
        assert process.last_words
    awaited(lambda: not jobs(namespace), "the Job is gone")


# A cluster that is away


@pytest.fixture
def over_the_bridge(namespace: OwnNamespace, tmp_path: Path, bridge: Bridge) -> Iterator[OpenFlowRunner]:
    """A flow runner that goes over a bridge."""
    with held(namespace, tmp_path, kubeconfig=namespace.over(bridge, tmp_path)).open() as opened:
        yield opened


def test_a_watch_that_breaks_off(namespace: OwnNamespace, over_the_bridge: OpenFlowRunner, bridge: Bridge, stage: Stage) -> None:
    """It is resumed, and how a run goes is told as soon as ever."""
    order = stage.order("pass")
    process = over_the_bridge.start(order)
    pod = pod_of(namespace, order)
    for _ in range(3):
        crossed = bridge.crossed
        bridge.cut()
        awaited(lambda before=crossed: bridge.crossed >= before + 2, "both watches are resumed")
        assert process.wait(0) is None
    pod.run()
    awaited(lambda: begun(process), "it has begun")
    pod.end(5)
    assert process.wait(CALLED_SOON) == ExitStatus(5)


def test_a_cluster_that_is_away(namespace: OwnNamespace, over_the_bridge: OpenFlowRunner, bridge: Bridge, stage: Stage) -> None:
    """While the cluster cannot be asked, a run is not taken for ended; when it is there again, its end is known, though it came meanwhile."""
    order = stage.order("pass")
    process = over_the_bridge.start(order)
    pod = pod_of(namespace, order)
    bridge.close()
    pod.end(5)
    assert process.wait(3) is None
    bridge.open()
    assert process.wait(SECONDS) == ExitStatus(5)


def test_stopping_while_it_is_away(namespace: OwnNamespace, over_the_bridge: OpenFlowRunner, bridge: Bridge, stage: Stage) -> None:
    """Who stops a run waits until the cluster can be told."""
    process = over_the_bridge.start(stage.order("pass"))
    bridge.close()
    back = threading.Timer(2, bridge.open)
    back.start()
    process.stop(GRACE_SECONDS)
    back.join()
    assert process.wait(0) == ExitStatus(None)
    awaited(lambda: not jobs(namespace), "the Job is gone")
