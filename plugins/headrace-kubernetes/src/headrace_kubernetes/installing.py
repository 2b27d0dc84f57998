"""Manifests that bring a server and agents into a cluster. What is in them runs as nobody in particular, and may write to its home and to /tmp."""

from collections.abc import Sequence
from typing import Any

import attrs

Manifest = dict[str, Any]

PORT = 4200
HOME = "/var/lib/headrace"
USER = 10001
"""A user that no image has, since it needs none."""

SCOPES = ("admin", "agent")
"""The tokens of a server, and the keys of its Secret: for people, and for agents."""

RIGHTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("batch", "jobs", ("create", "get", "list", "watch", "delete")),
    ("", "pods", ("get", "list", "watch", "delete")),
    ("", "pods/log", ("get",)),
    ("", "secrets", ("create",)),
    ("", "events", ("list",)),
)
"""What the flow runner asks of a cluster, and no more: it makes Secrets and reads none."""


@attrs.frozen(kw_only=True)
class Place:
    """What things are called, where they are, and what runs there."""

    name: str
    namespace: str
    image: str
    pull_policy: str | None = None

    @property
    def labels(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/part-of": "headrace"}

    def metadata(self, name: str = "") -> Manifest:
        """Those of one of its objects."""
        return {"name": name or self.name, "namespace": self.namespace, "labels": self.labels}


def server(place: Place, *, tokens: dict[str, str] | None, secret: str, storage: str, storage_class: str | None) -> list[Manifest]:
    """A server with its store on a volume. `tokens` None: the Secret is there already."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    if storage_class is not None:
        claim["storageClassName"] = storage_class
    made = [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": place.metadata(), "spec": claim}]
    if tokens is not None:
        made.insert(0, {"apiVersion": "v1", "kind": "Secret", "metadata": place.metadata(secret), "type": "Opaque", "stringData": tokens})
    ports = [{"name": "api", "port": PORT, "targetPort": "api"}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": place.metadata(), "spec": {"selector": place.labels, "ports": ports}}
    return [*made, _deployment(place, _server_pod(place, secret)), service]


def agent(place: Place, *, queues: Sequence[str], api_url: str, secret: str, drain_seconds: int = 20) -> list[Manifest]:
    """An agent that starts runs in Jobs beside it, with the rights that this takes."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": place.name}
    subject = {"kind": "ServiceAccount", "name": place.name, "namespace": place.namespace}
    rbac = "rbac.authorization.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place.metadata()},
        {"apiVersion": rbac, "kind": "Role", "metadata": place.metadata(), "rules": rules()},
        {"apiVersion": rbac, "kind": "RoleBinding", "metadata": place.metadata(), "roleRef": role, "subjects": [subject]},
        _deployment(place, _agent_pod(place, queues, api_url, secret, drain_seconds)),
    ]


def rules() -> list[Manifest]:
    """The rules of a role."""
    return [{"apiGroups": [group], "resources": [resource], "verbs": list(verbs)} for group, resource, verbs in RIGHTS]


def _server_pod(place: Place, secret: str) -> Manifest:
    admitted = [_admitting(place, secret, scope) for scope in SCOPES]
    probe = {"httpGet": {"path": "/health", "port": "api"}, "periodSeconds": 10, "timeoutSeconds": 5}
    serving = {
        **_container(place, "server", ["headrace", "server", "start", "--host", "0.0.0.0", "--port", str(PORT)]),
        "ports": [{"name": "api", "containerPort": PORT}],
        "readinessProbe": probe,
        "livenessProbe": {**probe, "failureThreshold": 6},
    }
    home = {"name": "home", "persistentVolumeClaim": {"claimName": place.name}}
    return {**_pod(home), "automountServiceAccountToken": False, "initContainers": admitted, "containers": [serving]}


def _admitting(place: Place, secret: str, scope: str) -> Manifest:
    """Tells the store of a token; it is not told twice."""
    command = ["headrace", "server", "token", "--here", "create", f"kubernetes-{scope}", "--scope", scope, "--known", "secret://env/TOKEN"]
    container = _container(place, f"token-{scope}", command)
    container["env"].append({"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": scope}}})
    return container


def _agent_pod(place: Place, queues: Sequence[str], api_url: str, secret: str, drain_seconds: int) -> Manifest:
    serving = _container(place, "agent", ["headrace", "agent", "start", *queues, "--drain-timeout", str(drain_seconds)])
    serving["env"] += [
        {"name": "HEADRACE_API_URL", "value": api_url},
        {"name": "HEADRACE_API_TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "agent"}}},
    ]
    return {
        **_pod({"name": "home", "emptyDir": {}}),
        "serviceAccountName": place.name,
        "terminationGracePeriodSeconds": drain_seconds + 10,
        "containers": [serving],
    }


def _deployment(place: Place, pod: Manifest) -> Manifest:
    """One at a time: a new server must not open the store before the old one has left it."""
    template = {"metadata": {"labels": place.labels}, "spec": pod}
    spec = {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": place.labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": place.metadata(), "spec": spec}


def _pod(home: Manifest) -> Manifest:
    user = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}
    # without links to services: one that is called headrace would look like settings
    return {"enableServiceLinks": False, "securityContext": user, "volumes": [home, {"name": "tmp", "emptyDir": {}}]}


def _container(place: Place, name: str, command: list[str]) -> Manifest:
    pulled = {} if place.pull_policy is None else {"imagePullPolicy": place.pull_policy}
    return {
        "name": name,
        "image": place.image,
        **pulled,
        "command": command,
        "env": [{"name": "HEADRACE_HOME", "value": HOME}],
        "volumeMounts": [{"name": "home", "mountPath": HOME}, {"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
    }
