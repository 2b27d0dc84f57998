"""How a run ended, and why it does not begin, from what Kubernetes says of Jobs and pods."""

from datetime import UTC, datetime
from typing import Any

import pytest

from headrace.model.orders import ExitStatus
from headrace_kubernetes.pods import age, belongs, end_of, end_of_all, has_begun, hindrance_of, is_held_back, is_news, is_silent, why_no_pod

SPEC: dict[str, Any] = {"containers": [{"name": "proxy"}, {"name": "run", "image": "flows:1", "resources": {"limits": {"memory": "64Mi"}}}]}


def pod(state: Any = None, *, phase: str = "Running", node: str | None = None, **status: Any) -> Any:
    """A pod whose run's container is in a state, beside another one that goes on."""
    containers = [{"name": "proxy", "state": {"running": {}}}, *([] if state is None else [{"name": "run", "state": state}])]
    spec = {**SPEC, **({} if node is None else {"nodeName": node})}
    return {"metadata": {"name": "x-1"}, "spec": spec, "status": {"phase": phase, "containerStatuses": containers, **status}}


def terminated(code: int, **more: Any) -> Any:
    return {"terminated": {"exitCode": code, **more}}


def waiting(reason: str, message: str = "") -> Any:
    return {"waiting": {"reason": reason, "message": message}}


def job(*conditions: tuple[str, str]) -> Any:
    return {
        "metadata": {"name": "x"},
        "status": {"conditions": [{"type": kind, "status": "True", "reason": why} for kind, why in conditions]},
    }


DEADLINE = "it ran longer than active_deadline lets it (DeadlineExceeded)"


@pytest.mark.parametrize(
    ("seen", "code", "why"),
    [
        (pod(terminated(0)), 0, ""),
        (pod(terminated(3)), 3, ""),
        (pod(terminated(143)), -15, ""),
        (pod(terminated(137)), -9, ""),
        (pod(terminated(137, reason="OOMKilled")), -9, "its container needed more memory than it may have (64Mi) (OOMKilled)"),
        (
            pod(terminated(128, reason="ContainerCannotRun", message='exec: "py": not found')),
            128,
            'say by command how Python is called in the image (exec: "py": not found)',
        ),
        (pod(terminated(128, reason="StartError", message="no such file")), 128, "its container could not be started"),
        (pod(terminated(1, message="said in the\nmessage file")), 1, "said in the message file"),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
            None,
            "the cluster ended its pod (Evicted): The node was low",
        ),
        (pod(phase="Failed", reason="DeadlineExceeded"), None, DEADLINE),
        (pod(terminated(137), phase="Failed", reason="DeadlineExceeded"), -9, DEADLINE),
        (pod(waiting("ContainerCreating"), phase="Failed"), None, "the cluster ended its pod (Failed)"),
    ],
)
def test_ends(seen: Any, code: int | None, why: str) -> None:
    """The exit code of the run's container counts, with what the cluster says of it, and not that of others beside it."""
    end = end_of(seen)
    assert end is not None
    assert end.status == ExitStatus(code)
    assert why in end.why
    assert bool(why) == bool(end.why)


@pytest.mark.parametrize(
    "seen", [pod({"running": {}}), pod(waiting("ContainerCreating"), phase="Pending"), pod(phase="Pending"), {**pod(), "status": {}}]
)
def test_no_end(seen: Any) -> None:
    """As long as its container has not ended, a pod has not."""
    assert end_of(seen) is None


@pytest.mark.parametrize(
    ("said", "pods", "code", "why"),
    [
        (job(), [pod(terminated(3))], 3, ""),
        (None, [pod(terminated(143))], -15, ""),
        (job(("Failed", "DeadlineExceeded")), [pod(terminated(137))], -9, DEADLINE),
        (job(("Failed", "DeadlineExceeded")), [], None, DEADLINE),
        (job(("Failed", "BackoffLimitExceeded")), [], None, "its pod was removed from the cluster"),
        (job(("Complete", "")), [], None, "its pod was removed from the cluster"),
        (None, [], None, "its job was removed from the cluster"),
    ],
)
def test_ends_of_jobs(said: Any, pods: list[Any], code: int | None, why: str) -> None:
    """A process has ended when its pods have, or when there are none and will be none."""
    end = end_of_all(said, pods)
    assert end is not None
    assert (end.status, end.why) == (ExitStatus(code), why)


@pytest.mark.parametrize(
    ("said", "pods"),
    [
        (job(), []),
        (job(), [pod({"running": {}})]),
        (None, [pod({"running": {}})]),
        (job(("Failed", "DeadlineExceeded")), [pod({"running": {}})]),
    ],
)
def test_jobs_that_live(said: Any, pods: list[Any]) -> None:
    """While a container runs, nothing else that is said of it is its end; and a Job without a pod may get one."""
    assert end_of_all(said, pods) is None


UNSCHEDULED = {
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available:\n3 Insufficient cpu."}
    ]
}


@pytest.mark.parametrize(
    ("seen", "why", "seconds"),
    [
        (pod(phase="Pending", **UNSCHEDULED), "no node takes its pod: 0/3 nodes are available: 3 Insufficient cpu.", None),
        (pod(waiting("ErrImageNeverPull"), phase="Pending"), "the image 'flows:1' is not on the node, and image_pull_policy says", 0),
        (pod(waiting("InvalidImageName"), phase="Pending"), "'flows:1' is no name of an image", 0),
        (pod(waiting("ImagePullBackOff", "no such host"), phase="Pending"), "the image 'flows:1' cannot be pulled; correct its name", 60),
        (pod(waiting("ErrImagePull", "denied"), phase="Pending"), "(ErrImagePull: denied)", 60),
        (pod(waiting("CreateContainerConfigError", 'secret "warehouse" not found'), phase="Pending"), 'secret "warehouse" not found', 60),
        (pod(waiting("Strange", "very"), phase="Pending"), "its container does not begin (Strange): very", None),
        (pod(waiting("ContainerCreating"), phase="Pending"), "its container had not begun", None),
    ],
)
def test_hindrances(seen: Any, why: str, seconds: float | None) -> None:
    """Why a pod does not begin is a sentence; what will not pass is believed at once, what may pass after a minute, the rest is left to the flow runner."""
    hindrance = hindrance_of(seen, "flows:1")
    assert hindrance is not None
    assert why in hindrance.why
    assert hindrance.seconds == seconds


def test_nothing_hinders_what_runs() -> None:
    """A container that runs, or has, has begun."""
    for seen in (pod({"running": {}}), pod(terminated(1))):
        assert has_begun(seen)
        assert hindrance_of(seen, "flows:1") is None


@pytest.mark.parametrize(
    ("seen", "is_so"),
    [
        (pod(phase="Pending", **UNSCHEDULED), True),
        (pod(waiting("CreateContainerConfigError"), phase="Pending", node="n"), True),
        (pod(waiting("ContainerCreating"), phase="Pending", node="n"), False),
        (pod(phase="Pending", node="n"), False),
        (pod({"running": {}}, node="n"), False),
        (pod(terminated(1), node="n"), False),
    ],
    ids=["no node", "no Secret", "being made", "just placed", "runs", "has ended"],
)
def test_what_is_held_back(seen: Any, is_so: bool) -> None:
    """A container certainly does not run where its pod has no node, or it is told what it lacks; one that is said to be made may run already."""
    assert is_held_back(seen) == is_so


def test_what_is_silent() -> None:
    """A pod has ended without a word when neither its container nor the cluster says how."""
    assert is_silent(pod(phase="Failed"))
    assert is_silent(pod(waiting("ContainerCreating"), phase="Failed"))
    assert not is_silent(pod(phase="Failed", reason="Evicted"))
    assert not is_silent(pod(terminated(1), phase="Failed"))
    assert not is_silent(pod({"running": {}}))


def test_what_is_news() -> None:
    """Only what may be an end, or tells of a hindrance, is looked at; a pod on its way is not."""
    assert not is_news("Pod", "MODIFIED", pod(waiting("ContainerCreating"), phase="Pending"))
    assert not is_news("Pod", "ADDED", pod({"running": {}}))
    assert is_news("Pod", "MODIFIED", pod(terminated(0)))
    assert is_news("Pod", "MODIFIED", pod(waiting("ImagePullBackOff"), phase="Pending"))
    assert is_news("Pod", "DELETED", pod({"running": {}}))
    assert not is_news("Job", "MODIFIED", job())
    assert is_news("Job", "MODIFIED", job(("Failed", "DeadlineExceeded")))
    assert is_news("Job", "DELETED", job())


def test_why_there_is_no_pod() -> None:
    """The last warning of the cluster about a Job says it."""
    warned = {"type": "Warning", "message": 'Error creating: pods "x" is forbidden:\nexceeded quota'}
    assert why_no_pod([warned, {"type": "Normal", "message": "fine"}]) == 'Error creating: pods "x" is forbidden: exceeded quota'
    assert why_no_pod([]) == "the cluster has not made a pod for it"


def test_whose_a_pod_is() -> None:
    """A pod is of the Job with that uid, and not of one that had the same name before."""
    owned = {"metadata": {"ownerReferences": [{"uid": "7"}]}}
    assert belongs(owned, "7")
    assert not belongs(owned, "8")
    assert not belongs({"metadata": {}}, "7")


@pytest.mark.parametrize("name", ["controller-uid", "batch.kubernetes.io/controller-uid"])
def test_whose_an_orphan_is(name: str) -> None:
    """A pod whose Job was removed without it is still known as that Job's."""
    assert belongs({"metadata": {"labels": {name: "7"}}}, "7")


def test_how_old_a_job_is() -> None:
    """By the cluster's clock; one that is ahead makes nothing younger than new."""
    now = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
    assert age({"metadata": {"creationTimestamp": "2026-01-01T12:00:00Z"}}, now) == 30
    assert age({"metadata": {"creationTimestamp": "2026-01-01T13:00:00Z"}}, now) == 0
    assert age({"metadata": {}}, now) == 0
