"""Whatever goes wrong with a cluster is one sentence that says what, where, and what to do; and then nothing runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from servers.api_server import Answer, ApiServer, Asked, listing, refusal, write_kubeconfig
from servers.manifests import ORDER
from servers.process import free_ports

from headrace.errors import FlowRunnerAway, FlowRunnerFailed
from headrace_kubernetes.flow_runner import KubernetesFlowRunner


def why_not(**options: Any) -> str:
    """What the error says of a run that cannot be started: one line, without anything secret."""
    with KubernetesFlowRunner(**{"image": "flows:1", **options}).open() as opened, pytest.raises(FlowRunnerFailed) as failure:
        opened.start(ORDER)
    said = str(failure.value)
    assert said.startswith("flow runner 'kubernetes' could not start flow run 'certain-cormorant': ")
    assert "\n" not in said
    assert "sesame" not in said
    return said


FORBIDDEN = 'jobs.batch is forbidden: User "flow" cannot create resource "jobs" in API group "batch" in the namespace "flows"'


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refusal(401, "Unauthorized", "Unauthorized"), "does not know who asks ("),
        (refusal(401, "Unauthorized", "Unauthorized"), "its token or certificate is wrong, or has expired; get a new one"),
        (
            refusal(403, "Forbidden", FORBIDDEN),
            "may not do this with jobs in namespace 'flows'; give them the role that `headrace",
        ),
        (
            refusal(403, "Forbidden", 'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'),
            "the quota of namespace 'flows' is used up",
        ),
        (
            refusal(403, "Forbidden", 'jobs.batch "x" is forbidden: unable to create: namespace flows is being terminated'),
            "namespace 'flows' is being removed",
        ),
        (
            refusal(403, "Forbidden", 'admission webhook "policy" denied the request'),
            "the rules of the cluster forbid it in namespace 'flows'",
        ),
        (refusal(404, "NotFound", 'namespaces "flows" not found', kind="namespaces"), "there is no namespace 'flows' in the cluster"),
        (refusal(404, "NotFound", "the server could not find the requested resource"), "knows no jobs: it is too old"),
        (
            refusal(422, "Invalid", 'Job.batch "x" is invalid: spec.template: Required value'),
            "Kubernetes does not take it, correct the options",
        ),
        (refusal(400, "BadRequest", "json: cannot unmarshal string"), "json: cannot unmarshal string (400)"),
        (refusal(409, "Conflict", "the object has been modified"), "Kubernetes was just changing it"),
        (refusal(429, "TooManyRequests", "slow down"), "cannot do it now: slow down (429)"),
        (refusal(500, "InternalError", "etcdserver: request timed out"), "cannot do it now: etcdserver: request timed out (500)"),
        (Answer("<html>", 502, "text/html"), "is no API server of Kubernetes, or something before it refuses (502)"),
        (
            Answer("<html>", 404, "text/html"),
            "is no API server of Kubernetes, or something before it refuses (404); look at the kubeconfig",
        ),
    ],
)
def test_what_a_cluster_refuses(answer: Answer, why: str, tmp_path: Path) -> None:
    """Each refusal says what it means."""
    with ApiServer(tmp_path, lambda asked: answer).serving() as server:
        said = why_not(kubeconfig=server.kubeconfig)
        assert why.replace("its token", "the token") in said
        assert [asked.method for asked in server.asked] == ["POST"]


def job(**more: Any) -> Any:
    """The Job of the order, as a cluster has it."""
    metadata = {"name": "x", "uid": "7", "annotations": {"headrace/identity": ORDER.identity}, **more}
    return {"metadata": metadata, "spec": {"template": {"spec": {"containers": [{"name": "run", "image": "flows:1"}]}}}}


def test_a_job_without_its_secret_is_removed(tmp_path: Path) -> None:
    """When the Secret cannot be made, the Job that was made for it is removed again."""

    def answer(asked: Asked) -> Answer:
        if asked.kind == "secrets":
            return refusal(403, "Forbidden", 'secrets is forbidden: User "flow" cannot create resource "secrets"')
        return Answer(job(), 201 if asked.method == "POST" else 200)

    with ApiServer(tmp_path, answer).serving() as server:
        assert "may not do this with secrets" in why_not(kubeconfig=server.kubeconfig)
        assert [(asked.method, asked.kind) for asked in server.asked] == [("POST", "jobs"), ("POST", "secrets"), ("DELETE", "jobs")]


def test_somebody_elses_job(tmp_path: Path) -> None:
    """A Job of that name which is no run's is left alone."""

    def answer(asked: Asked) -> Answer:
        return refusal(409, "AlreadyExists", "already exists") if asked.method == "POST" else Answer(job(annotations={}))

    with ApiServer(tmp_path, answer).serving() as server:
        assert "is no run's; remove it" in why_not(kubeconfig=server.kubeconfig)


def test_nobody_answers(tmp_path: Path) -> None:
    """An address at which nobody listens is named."""
    (port,) = free_ports(1)
    said = why_not(kubeconfig=write_kubeconfig(tmp_path, f"http://127.0.0.1:{port}"))
    assert f"no API server answers at http://127.0.0.1:{port} (connection refused); start the cluster" in said


def test_a_name_that_is_nowhere(tmp_path: Path) -> None:
    """So is one that nobody has."""
    assert "cannot be reached" in why_not(kubeconfig=write_kubeconfig(tmp_path, "http://cluster.invalid:1"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "it cannot be told which cluster is meant ("),
        ("", "is no kubeconfig that can be used"),
        ("[", "is no kubeconfig that can be used"),
        ('{"clusters": [], "contexts": []}', "No current context set"),
        (
            '{"clusters": [], "contexts": [{"name": "a", "context": {"cluster": "b"}}], "current-context": "a"}',
            "is no kubeconfig that can be used",
        ),
        (
            '{"clusters": [{"name": "b", "cluster": {}}], "contexts": [{"name": "a", "context": {"cluster": "b"}}], "current-context": "a"}',
            "context 'a' of",
        ),
    ],
)
def test_kubeconfigs_that_cannot_be_used(content: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with a kubeconfig is told, with its path."""
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    said = why_not()
    assert why in said
    assert str(path) in said


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    """A context that the kubeconfig does not have is named."""
    said = why_not(kubeconfig=write_kubeconfig(tmp_path, "http://127.0.0.1:1"), context="production")
    assert "Context 'production' not found; name it by kubeconfig and context" in said


def test_a_server_that_pods_do_not_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of this machine is refused, unless the pod is in its node's network; so is none at all."""
    config = write_kubeconfig(tmp_path, "http://127.0.0.1:1")
    local = {"HEADRACE_API_URL": "http://127.0.0.1:4200/api"}
    assert "http://127.0.0.1:4200/api, means the pod itself" in why_not(kubeconfig=config, env=local)
    host = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    assert "means the pod itself" not in why_not(kubeconfig=config, env=local, customizations=[host])
    assert "set HEADRACE_API_URL to its address" in why_not(kubeconfig=config, env={"HEADRACE_API_URL": ""})


def test_who_cannot_look(tmp_path: Path) -> None:
    """Where the cluster cannot be asked, nobody says that nothing runs."""
    (port,) = free_ports(1)
    with KubernetesFlowRunner(image="flows:1", kubeconfig=write_kubeconfig(tmp_path, f"http://127.0.0.1:{port}")).open() as opened:
        with pytest.raises(FlowRunnerAway, match="flow runner 'kubernetes' has not listed its jobs: no API server answers"):
            opened.running()
        with pytest.raises(FlowRunnerAway, match="has not looked for job"):
            opened.find(ORDER.identity)


def test_nothing_is_there(tmp_path: Path) -> None:
    """A cluster without jobs has no process."""

    def answer(asked: Asked) -> Answer:
        return listing() if not asked.name else refusal(404, "NotFound", f'jobs.batch "{asked.name}" not found', kind="jobs")

    with ApiServer(tmp_path, answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            assert list(opened.running()) == []
            assert opened.find(ORDER.identity) is None
        assert {json.dumps(asked.query.get("labelSelector", "")) for asked in server.asked if not asked.name} == {
            json.dumps("app.kubernetes.io/managed-by=headrace,headrace/orchestration=")
        }


@pytest.mark.parametrize(("phase", "is_alive"), [("Pending", True), ("Failed", False)])
def test_a_pod_that_is_just_made(phase: str, is_alive: bool, tmp_path: Path) -> None:
    """A run whose pod comes while it is looked for is not missed; one whose pod has ended meanwhile has ended."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "7"}
    made = job(uid="7", annotations={"headrace/identity": ORDER.identity})
    metadata = {"name": "x-1", "ownerReferences": [owner], "annotations": made["metadata"]["annotations"]}
    pod = {"metadata": metadata, "spec": made["spec"]["template"]["spec"], "status": {"phase": phase}}

    def answer(asked: Asked) -> Answer:
        if asked.kind == "jobs":
            return listing(made)
        return listing(pod) if "job-name" in asked.query["labelSelector"] else listing()

    with ApiServer(tmp_path, answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            assert list(opened.running()) == ([ORDER.identity] if is_alive else [])
