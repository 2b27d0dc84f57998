"""What is made in a cluster for an order: a Job, and the Secret with its variables, which the Job owns.

Nothing of the order's environment stands in the Job, where whoever may look at jobs would read it. What headrace cannot do without is put in last, so
that no manifest and no patch changes it: the Job tries once, since starting again is for the orchestration to decide, which gives a new epoch for it.
"""

from collections.abc import Mapping
from copy import deepcopy
from math import ceil
from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidOption
from headrace.model.orders import VARIABLE, Order
from headrace.settings import variable
from headrace_kubernetes.names import IDENTITY, labels_of, name_of
from headrace_kubernetes.options import WHERE, why_no_variables
from headrace_kubernetes.patches import patched

if TYPE_CHECKING:
    from headrace_kubernetes.flow_runner import KubernetesFlowRunner

Manifest = dict[str, Any]

CONTAINER = "run"
"""What the container of the run is called, if a manifest does not call it otherwise."""

ENGINE = ("python3", "-m", "headrace.engine")
HOME = "/var/lib/headrace"
"""The home in the container: an empty folder that anybody may write to, whatever user the image has."""

OF_THE_AGENTS_MACHINE = frozenset(variable(name) for name in ("home", "profile", "profiles_path", "keys_path", "sign_with"))
"""What is said of the machine that the agent is on, and is not so in a pod."""

_VOLUME = "headrace-home"
_GRACE = variable("grace_seconds")
_USUAL_GRACE, _MARGIN = 30, 10
"""What Kubernetes gives a pod that is to end; and what the processes around a run need beyond the run's own grace."""


def job_of(order: Order, runner: "KubernetesFlowRunner", orchestration: str) -> Manifest:
    """The Job. Raises InvalidOption for a patch that cannot be done, or leaves nothing that could be started."""
    job: Manifest = _plain(runner.job) if runner.job is not None else {}
    _fill(job, runner, _own_variables(order, runner))
    job = patched(job, (_plain(each) for each in runner.customizations), where=WHERE)
    _check(job)
    _hold(job, order, runner, orchestration)
    return job


def secret_of(order: Order, job: Mapping[str, Any]) -> Manifest:
    """The Secret of a Job that is there; it goes when that goes."""
    made = job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": made["name"], "uid": made["uid"]}
    metadata = {"name": made["name"], "labels": _own_labels(made.get("labels", {})), "ownerReferences": [owner]}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "immutable": True,
        "stringData": variables_of(order),
    }


def variables_of(order: Order) -> dict[str, str]:
    """What of the order a process elsewhere needs. Raises InvalidOption."""
    found = {name: value for name, value in order.variables.items() if name not in OF_THE_AGENTS_MACHINE}
    why = why_no_variables(found)
    if why:
        raise InvalidOption(where=WHERE, option="environment", value="…", why=why)
    return found


def main_container(pod_spec: Mapping[str, Any]) -> Any:
    """The container of the run: the one that is called so, else the first."""
    containers = pod_spec.get("containers") or [{}]
    return next((each for each in containers if each.get("name") == CONTAINER), containers[0])


def is_in_hosts_network(job: Mapping[str, Any]) -> bool:
    """Whether its pod has the addresses of its machine."""
    return bool(_pod_spec(job).get("hostNetwork"))


def has_company(job: Mapping[str, Any]) -> bool:
    """Whether another container is in its pod, with which it shares addresses."""
    spec = _pod_spec(job)
    return len(spec.get("containers", ())) > 1 or any(each.get("restartPolicy") == "Always" for each in spec.get("initContainers", ()))


# What is said


def _fill(job: Manifest, runner: "KubernetesFlowRunner", own: Mapping[str, str]) -> None:
    """Puts the options into the Job, over what its manifest says; what neither says is as it is usual here."""
    spec = job.setdefault("spec", {})
    pod = spec.setdefault("template", {}).setdefault("spec", {})
    if runner.ttl is not None:
        spec["ttlSecondsAfterFinished"] = runner.ttl
    if runner.active_deadline is not None:
        spec["activeDeadlineSeconds"] = runner.active_deadline
    for part in (job, spec["template"]):
        metadata = part.setdefault("metadata", {})
        metadata["labels"] = {**metadata.get("labels", {}), **runner.labels}
    if runner.service_account is not None:
        pod["serviceAccountName"] = runner.service_account
    pod.setdefault("automountServiceAccountToken", "serviceAccountName" in pod)  # most flows ask nothing of the cluster
    pod.setdefault("enableServiceLinks", False)  # a Service called headrace would look like settings
    if not pod.get("containers"):
        pod["containers"] = [{"name": CONTAINER}]
    _fill_container(main_container(pod), runner, own)
    _give_home(pod, main_container(pod))


def _fill_container(container: Manifest, runner: "KubernetesFlowRunner", own: Mapping[str, str]) -> None:
    container.setdefault("name", CONTAINER)
    if runner.image is not None:
        container["image"] = runner.image
    if runner.command is not None or "command" not in container:
        container["command"] = list(runner.command or ENGINE)
    if runner.image_pull_policy is not None:
        container["imagePullPolicy"] = runner.image_pull_policy
    for name, amount in (("cpu", runner.cpu), ("memory", runner.memory)):
        if amount is not None:
            resources = container.setdefault("resources", {})
            for bound in ("requests", "limits"):
                resources[bound] = {**resources.get(bound, {}), name: amount}
    container["env"] = _with_variables(container.get("env") or [], own)
    container["envFrom"] = [*(container.get("envFrom") or []), *({"secretRef": {"name": name}} for name in runner.secrets)]
    container.setdefault("securityContext", {}).setdefault("allowPrivilegeEscalation", False)


def _with_variables(known: list[Manifest], own: Mapping[str, str]) -> list[Manifest]:
    """Kubernetes replaces $(NAME) in values, and makes one dollar of two; here values are what they are."""
    return [
        *(each for each in known if each.get("name") not in own),
        *({"name": name, "value": value.replace("$", "$$")} for name, value in own.items()),
    ]


def _own_variables(order: Order, runner: "KubernetesFlowRunner") -> dict[str, str]:
    return dict(runner.env)


def _give_home(pod: Manifest, container: Manifest) -> None:
    if any(each.get("name") == variable("home") for each in container["env"]):
        return
    container["env"].append({"name": variable("home"), "value": HOME})
    mounts = container.setdefault("volumeMounts", [])
    if not any(each.get("mountPath", "").rstrip("/") == HOME for each in mounts):
        mounts.append({"name": _VOLUME, "mountPath": HOME})
        pod.setdefault("volumes", []).append({"name": _VOLUME, "emptyDir": {}})


# What must be so


def _check(job: Manifest) -> None:
    try:
        container = main_container(_pod_spec(job))
        is_whole = isinstance(container, dict) and isinstance(container.get("env", []), list)
    except (AttributeError, TypeError, IndexError, KeyError):
        is_whole = False
    if not is_whole:
        raise InvalidOption(where=WHERE, option="customizations", value="…", why="they leave no container that could be started")
    if not container.get("image"):
        raise InvalidOption(where=WHERE, option="image", value=None, why="name the image with headrace and what the flow needs")


def _hold(job: Manifest, order: Order, runner: "KubernetesFlowRunner", orchestration: str) -> None:
    name = name_of(order.identity)
    job.update({"apiVersion": "batch/v1", "kind": "Job"})
    job["metadata"].pop("generateName", None)
    job["metadata"]["name"] = name
    job["metadata"].pop("namespace", None)  # that of the flow runner
    spec = job["spec"]
    spec["backoffLimit"] = 0
    for several in ("parallelism", "completions", "completionMode", "backoffLimitPerIndex", "podFailurePolicy", "suspend"):
        spec.pop(several, None)
    pod = spec["template"]["spec"]
    pod["restartPolicy"] = "Never"
    pod.setdefault("terminationGracePeriodSeconds", _grace(order, runner))
    for part in (job, spec["template"]):
        metadata = part.setdefault("metadata", {})
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels_of(order, orchestration)}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), IDENTITY: order.identity, "headrace/run-name": order.run_name}
    container = main_container(pod)
    reference = {"name": VARIABLE, "valueFrom": {"secretKeyRef": {"name": name, "key": VARIABLE}}}
    container["env"] = [reference, *(each for each in container.get("env") or [] if each.get("name") != VARIABLE)]
    # the last one counts: what the flow runner has goes over what the order has
    container["envFrom"] = [{"secretRef": {"name": name}}, *(container.get("envFrom") or [])]


def _grace(order: Order, runner: "KubernetesFlowRunner") -> int:
    """How long a pod has that the cluster ends by itself, as when a node is drained: the run's own grace must fit in."""
    try:
        run = float(runner.env.get(_GRACE) or order.environment.get(_GRACE) or 0)
    except ValueError:
        run = 0
    return max(_USUAL_GRACE, ceil(run) + _MARGIN)


def _own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name.startswith("headrace/") or name == "app.kubernetes.io/managed-by"}


def _pod_spec(job: Mapping[str, Any]) -> Any:
    return job["spec"]["template"]["spec"]


def _plain(value: Any) -> Any:
    """A copy that may be changed, of mappings and lists alone."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return deepcopy(value)
