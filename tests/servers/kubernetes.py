"""A real cluster, as tests need it: namespaces of their own, and an image with headrace in it.

The one that KUBECONFIG names, with an image that KUBERNETES_TEST_IMAGE names, is whole: it has a node. That is this machine, so that what runs there sees
the files of a test, and whoever listens on loopback. Any other has an API server and no node.
"""

import base64
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import attrs
import msgspec
from lightkube import Client, codecs
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Namespace, Pod, Secret, ServiceAccount, ServiceAccountToken
from lightkube.resources.rbac_authorization_v1 import Role, RoleBinding

from headrace.model.orders import Order
from headrace.testing.conformance.flow_runner import GRACE_SECONDS, Stage
from headrace_kubernetes.flow_runner import KubernetesFlowRunner
from headrace_kubernetes.names import name_of
from servers.own import COMMAND, environment

SECONDS = 90
"""How long a cluster may take for anything, on a busy machine."""

NO_API = "http://127.0.0.1:9/api"
"""The address of a server for runs that ask none."""


@attrs.frozen(kw_only=True)
class RealCluster:
    """How its administrator gets in, and the image of runs. `is_whole`: something begins in it; else it only answers."""

    kubeconfig: str
    image: str
    is_whole: bool

    @property
    def config(self) -> SingleConfig:
        """Its address, and the administrator's credentials."""
        found = KubeConfig.from_file(self.kubeconfig).get()
        assert found is not None
        return found

    @property
    def administrator(self) -> dict[str, Any]:
        """As a kubeconfig has a user."""
        found: dict[str, Any] = msgspec.to_builtins(self.config.user)
        return found

    def client(self, namespace: str) -> Client:
        """Asks it beside what is tested."""
        return Client(self.config, namespace=namespace)

    def kubeconfig_of(self, path: Path, user: dict[str, Any], *, server: str | None = None) -> str:
        """The path of a kubeconfig for the same cluster, with another user, or by another way."""
        known = self.config
        authority = (
            known.cluster.certificate_auth_data
            or base64.b64encode(Path(known.abs_file(known.cluster.certificate_auth or "")).read_bytes()).decode()
        )
        cluster = {"server": server or known.cluster.server, "certificate-authority-data": authority}
        config = {
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(config))
        return str(path)


def named_cluster() -> RealCluster | None:
    """The one that the environment names."""
    path, image = os.environ.get("KUBECONFIG"), os.environ.get("KUBERNETES_TEST_IMAGE")
    return RealCluster(kubeconfig=path, image=image, is_whole=True) if path and image else None


@attrs.frozen
class OwnNamespace:
    """A namespace of a test's own."""

    cluster: RealCluster
    name: str

    def client(self) -> Client:
        """Asks the cluster beside what is tested."""
        return self.cluster.client(self.name)

    def flow_runner(self, folder: Path, *, command: str = "headrace.testing.stand_in", **options: Any) -> KubernetesFlowRunner:
        """A flow runner whose processes are on this machine, and run a test's lines."""
        chosen = {**self.access, **options}
        given = tuple(chosen.pop("customizations", ()))
        return KubernetesFlowRunner(command=("python3", "-m", command), customizations=(*patches(folder), *given), **chosen)

    @property
    def access(self) -> dict[str, Any]:
        """Options of a flow runner: where it is, and with which image."""
        cluster = self.cluster
        return {"image": cluster.image, "namespace": self.name, "kubeconfig": cluster.kubeconfig, "image_pull_policy": "IfNotPresent"}

    def over(self, bridge: "Bridge", folder: Path) -> str:
        """The path of a kubeconfig of the administrator that leads over a bridge."""
        return self.cluster.kubeconfig_of(folder / "bridge", self.cluster.administrator, server=bridge.address)

    def account(self, name: str, rules: list[dict[str, Any]], folder: Path) -> str:
        """The path of a kubeconfig of a new service account with these rights in the namespace, and no others."""
        with self.client() as asking:
            asking.create(ServiceAccount(metadata=ObjectMeta(name=name)))
            if rules:
                asking.create(Role.from_dict({"metadata": {"name": name}, "rules": rules}))
                reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
                subject = {"kind": "ServiceAccount", "name": name, "namespace": self.name}
                asking.create(RoleBinding.from_dict({"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}))
            asked = ServiceAccountToken.from_dict({"metadata": {}, "spec": {"audiences": []}})
            token = asking.create(asked, name).status.token
        return self.cluster.kubeconfig_of(folder / f"{name}.kubeconfig", {"token": token})

    def manifests(self, folder: Path, *arguments: str) -> list[Any]:
        """The objects that `headrace kubernetes manifest` prints for it."""
        options = ("--namespace", self.name, "--image", self.cluster.image, "--image-pull-policy", "IfNotPresent")
        command = [COMMAND, "kubernetes", "manifest", *arguments, *options]
        done = subprocess.run(command, env=environment(folder / "home"), capture_output=True, text=True, check=True)
        return codecs.load_all_yaml(done.stdout)

    def job_of(self, order: Order) -> Job:
        """The Job of an order, as the cluster has it."""
        with self.client() as asking:
            return asking.get(Job, name_of(order.identity))

    def secrets(self) -> list[Secret]:
        """Those of runs; there may be some of accounts."""
        with self.client() as asking:
            return [each for each in asking.list(Secret) if each.type == "Opaque"]

    def printed(self, labels: dict[str, str]) -> list[str]:
        """The lines that the pod with these labels has printed."""
        with self.client() as asking:
            (pod,) = asking.list(Pod, labels=dict(labels))
            return list(asking.log(str(pod.metadata.name), newlines=False))


@contextmanager
def own_namespace(cluster: RealCluster) -> Iterator[OwnNamespace]:
    """A new one, gone with all that is in it afterwards."""
    name = f"headrace-{uuid4().hex[:12]}"
    with cluster.client("default") as asking:
        asking.create(Namespace(metadata=ObjectMeta(name=name)))
        try:
            yield OwnNamespace(cluster, name)
        finally:
            with suppress(ApiError):
                asking.delete(Namespace, name)


def patches(folder: Path) -> tuple[dict[str, Any], ...]:
    """Customizations: the pod is in this machine's network, and sees a folder where it is."""
    spec = "/spec/template/spec"
    return (
        {"spec": {"template": {"spec": {"hostNetwork": True}}}},
        {"op": "add", "path": f"{spec}/volumes/-", "value": {"name": "test", "hostPath": {"path": str(folder)}}},
        {"op": "add", "path": f"{spec}/containers/0/volumeMounts/-", "value": {"name": "test", "mountPath": str(folder)}},
    )


def stage_elsewhere() -> Stage:
    """Makes orders of processes in a cluster. Nobody asks their API."""
    return Stage({"HEADRACE_GRACE_SECONDS": str(GRACE_SECONDS), "HEADRACE_API_URL": NO_API})


def awaited(question: Callable[[], Any], what: str) -> Any:
    """The answer, as soon as it is one."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        answer = question()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {SECONDS} seconds")


class Bridge:
    """A way to the API server that can be broken off, and closed for a while."""

    def __init__(self, cluster: RealCluster) -> None:
        parts = urlsplit(cluster.config.cluster.server)
        self._goal = (parts.hostname or "", parts.port or 443)
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._is_open = True
        self.crossed = 0

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        self._begin(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def cut(self) -> None:
        """Breaks off whatever goes over it."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Lets nobody pass any more."""
        self._is_open = False
        self.cut()

    def open(self) -> None:
        """Lets pass again."""
        self._is_open = True

    def _begin(self, target: Callable[..., object], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if not self._is_open:
                near.close()
                continue
            self.crossed += 1
            far = socket.create_connection(self._goal)
            with self._lock:
                self._sockets |= {near, far}
            self._begin(self._carry, near, far)
            self._begin(self._carry, far, near)

    def _carry(self, source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                to.sendall(content)
        for each in (source, to):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()
