"""What a Job and its pods say of a run's process: whether it has ended, how, and why it does not begin. Facts go in, and nothing is asked here."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from headrace.model.orders import ExitStatus
from headrace_kubernetes.manifest import main_container

Thing = Mapping[str, Any]

AT_ONCE = 0.0
SOON = 60.0
"""Seconds after which what keeps a container from starting is believed: it may pass, as when a registry is slow, or a Secret is just being made."""

_OF_JOB = ("batch.kubernetes.io/controller-uid", "controller-uid")
"""The label that says whose a pod is, in newer and in older versions."""

_NEVER = {"ErrImageNeverPull", "InvalidImageName"}
_IMAGE = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable", "ImageInspectError"}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError"}
_BEGINNING = {"", "ContainerCreating", "PodInitializing"}


@attrs.frozen(kw_only=True)
class Hindrance:
    """Why a pod does not begin, in a sentence. After so many seconds it is not waited for any more; None: as long as the flow runner waits for a start.

    What is of the same `kind` may be told in other words each time.
    """

    why: str
    kind: str = ""
    seconds: float | None = None


@attrs.frozen(kw_only=True)
class End:
    """How a process ended, and what there is to say of it."""

    status: ExitStatus
    why: str = ""


# Of one pod


def belongs(pod: Thing, uid: str) -> bool:
    """Whether it is of that Job, though this may have been removed without it; one of the same name may have been there before."""
    labels, owners = pod["metadata"].get("labels") or {}, pod["metadata"].get("ownerReferences") or []
    return uid in (*(labels.get(name) for name in _OF_JOB), *(owner.get("uid") for owner in owners))


def end_of(pod: Thing) -> End | None:
    """How the run's container ended; None while it has not."""
    ended = _state(pod).get("terminated")
    if ended is not None and ended.get("exitCode") is not None:
        return End(status=ExitStatus.told(int(ended["exitCode"])), why=_why_terminated(pod, ended))
    if _status(pod).get("phase") in ("Succeeded", "Failed"):
        return End(status=ExitStatus(None), why=_why_failed(_status(pod)))
    return None


def is_silent(pod: Thing) -> bool:
    """Whether it has ended, and nothing is said of how; a node that is busy may say that a little later."""
    return end_of(pod) == _SILENT_END


def has_begun(pod: Thing) -> bool:
    """Whether the run's container runs, or has."""
    return "running" in _state(pod) or end_of(pod) is not None


def is_held_back(pod: Thing) -> bool:
    """Whether its container certainly does not run. That one is being made may be said of it for a while although it runs."""
    if has_begun(pod):
        return False
    return not pod["spec"].get("nodeName") or any(state.get("reason", "") not in _BEGINNING for state in _waiting(pod))


def hindrance_of(pod: Thing, image: str) -> Hindrance | None:
    """Why it does not begin; None where it has, or just does."""
    if has_begun(pod):
        return None
    for state in _waiting(pod):
        reason, message = state.get("reason", ""), " ".join(state.get("message", "").split())
        if reason in _IMAGE:
            return Hindrance(why=_why_no_image(reason, message, image), kind="image", seconds=AT_ONCE if reason in _NEVER else SOON)
        if reason in _CONFIG:
            return Hindrance(why=f"its container cannot be made ({reason}): {message}", kind="container", seconds=SOON)
        if reason not in _BEGINNING:
            return Hindrance(why=f"its container does not begin ({reason}): {message}")
    unscheduled = _condition(_status(pod), "PodScheduled")
    if unscheduled is not None and unscheduled.get("status") == "False":
        message = " ".join(unscheduled.get("message", "").split())
        return Hindrance(why=f"no node takes its pod: {message}")
    return Hindrance(why="its pod was on its way, and its container had not begun")


# Of a Job


def end_of_all(job: Thing | None, pods: Iterable[Thing]) -> End | None:
    """How the process ended; None while it has not. `job` None: it is not there any more; its pods may still be ending."""
    known = list(pods)
    ends = [end_of(pod) for pod in known]
    told = next((end for end in ends if end is not None), None)
    if told is not None and all(end is not None for end in ends):
        return attrs.evolve(told, why=_why_over(job) or told.why)
    if known:
        return None
    if job is None:
        return End(status=ExitStatus(None), why="its job was removed from the cluster")
    return End(status=ExitStatus(None), why=_why_over(job) or "its pod was removed from the cluster") if is_over(job) else None


def is_over(job: Thing) -> bool:
    """Whether the cluster does nothing more about it."""
    conditions = job.get("status", {}).get("conditions") or []
    return any(each.get("type") in ("Complete", "Failed") and each.get("status") == "True" for each in conditions)


def why_no_pod(events: Iterable[Thing]) -> str:
    """Why a Job has no pod, from what the cluster has to say about it."""
    warnings = [event for event in events if event.get("type") == "Warning" and event.get("message")]
    return " ".join(warnings[-1]["message"].split()) if warnings else "the cluster has not made a pod for it"


def age(job: Thing, now: datetime) -> float:
    """How many seconds ago it was made, by the clock of the cluster and that of this machine."""
    made = job["metadata"].get("creationTimestamp")
    return max(0.0, (now - datetime.fromisoformat(made)).total_seconds()) if made else 0.0


def is_news(kind: str, operation: str, thing: Thing) -> bool:
    """Whether an event may be the end of a process, or tells why it does not begin; most are neither."""
    if operation == "DELETED":
        return True
    if kind == "Job":
        return is_over(thing)
    return has_ended_or_hangs(thing)


def has_ended_or_hangs(pod: Thing) -> bool:
    """Whether there is something to look at."""
    return end_of(pod) is not None or any(state.get("reason", "") not in _BEGINNING for state in _waiting(pod))


# Sentences


def _why_terminated(pod: Thing, ended: Thing) -> str:
    reason, message = ended.get("reason", ""), " ".join((ended.get("message") or "").split())
    if reason == "OOMKilled":
        limit = main_container(pod["spec"]).get("resources", {}).get("limits", {}).get("memory")
        return f"its container needed more memory than it may have{f' ({limit})' if limit else ''} (OOMKilled)"
    if reason in ("ContainerCannotRun", "StartError"):
        return f"its container could not be started; say by command how Python is called in the image ({message})"
    if _status(pod).get("reason"):
        return _why_failed(_status(pod))
    return message


def _why_failed(status: Thing) -> str:
    reason, message = status.get("reason", ""), " ".join((status.get("message") or "").split())
    if reason == "DeadlineExceeded":
        return _DEADLINE
    return f"the cluster ended its pod ({reason or 'Failed'}){f': {message}' if message else ''}"


_DEADLINE = "it ran longer than active_deadline lets it (DeadlineExceeded)"


def _why_over(job: Thing | None) -> str:
    failed = _condition(job.get("status", {}), "Failed") if job is not None else None
    if failed is None:
        return ""
    return _DEADLINE if failed.get("reason") == "DeadlineExceeded" else ""


def _why_no_image(reason: str, message: str, image: str) -> str:
    if reason == "ErrImageNeverPull":
        return f"the image {image!r} is not on the node, and image_pull_policy says that it is never pulled ({reason})"
    if reason == "InvalidImageName":
        return f"{image!r} is no name of an image ({reason})"
    return (
        f"the image {image!r} cannot be pulled; correct its name, or give the namespace credentials for its registry ({reason}: {message})"
    )


_SILENT_END = End(status=ExitStatus(None), why=_why_failed({}))


# Where it stands


def _status(pod: Thing) -> Thing:
    found: Thing = pod.get("status") or {}
    return found


def _state(pod: Thing) -> Thing:
    """That of the run's container."""
    name = main_container(pod["spec"]).get("name")
    found: Thing = next((each for each in _status(pod).get("containerStatuses") or [] if each.get("name") == name), {})
    state: Thing = found.get("state") or {}
    return state


def _waiting(pod: Thing) -> list[Thing]:
    """What the containers wait for that have not begun, those before the run's too."""
    every = [*(_status(pod).get("initContainerStatuses") or []), *(_status(pod).get("containerStatuses") or [])]
    return [each["state"]["waiting"] for each in every if (each.get("state") or {}).get("waiting") is not None]


def _condition(status: Thing, kind: str) -> Thing | None:
    return next((each for each in status.get("conditions") or [] if each.get("type") == kind), None)
