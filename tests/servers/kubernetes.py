"""The cluster that KUBECONFIG names, as tests need it: a namespace of their own, and an image with headrace in it, which KUBERNETES_TEST_IMAGE names.

Its node is this machine, so that what runs there sees the files of a test, and whoever listens on loopback.
"""

import base64
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
from lightkube import Client
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Pod, ServiceAccount, ServiceAccountToken
from lightkube.resources.rbac_authorization_v1 import Role, RoleBinding

from headrace.testing.conformance.flow_runner import GRACE_SECONDS, Stage
from headrace_kubernetes.flow_runner import KubernetesFlowRunner

SECONDS = 90
"""How long a cluster may take for anything, on a busy machine."""

KUBECONFIG, IMAGE = os.environ.get("KUBECONFIG", ""), os.environ.get("KUBERNETES_TEST_IMAGE", "")
NO_API = "http://127.0.0.1:9/api"
"""The address of a server for runs that ask none."""


def is_there() -> bool:
    """Whether there is a cluster to test on."""
    return bool(KUBECONFIG and IMAGE)


def patches(folder: Path) -> tuple[dict[str, Any], ...]:
    """Customizations: the pod is in this machine's network, and sees a folder where it is."""
    spec = "/spec/template/spec"
    return (
        {"spec": {"template": {"spec": {"hostNetwork": True}}}},
        {"op": "add", "path": f"{spec}/volumes/-", "value": {"name": "test", "hostPath": {"path": str(folder)}}},
        {"op": "add", "path": f"{spec}/containers/0/volumeMounts/-", "value": {"name": "test", "mountPath": str(folder)}},
    )


def flow_runner(namespace: str, folder: Path, *, command: str = "headrace.testing.stand_in", **options: Any) -> KubernetesFlowRunner:
    """A flow runner whose processes are on this machine, and run a test's lines."""
    chosen = {"image": IMAGE, "namespace": namespace, "kubeconfig": KUBECONFIG, "image_pull_policy": "IfNotPresent", **options}
    given = tuple(chosen.pop("customizations", ()))
    return KubernetesFlowRunner(command=("python", "-m", command), customizations=(*patches(folder), *given), **chosen)


def stage() -> Stage:
    """Makes orders. Nobody asks their API."""
    return Stage({"HEADRACE_GRACE_SECONDS": str(GRACE_SECONDS), "HEADRACE_API_URL": NO_API})


def client(namespace: str, kubeconfig: str = KUBECONFIG) -> Client:
    """Asks the cluster beside what is tested."""
    return Client(KubeConfig.from_file(kubeconfig), namespace=namespace)


@contextmanager
def namespace_of_ones_own(name: str) -> Iterator[str]:
    """A namespace, gone with all that is in it afterwards."""
    with client("default") as asking:
        asking.create(Namespace(metadata=ObjectMeta(name=name)))
        try:
            yield name
        finally:
            with suppress(ApiError):
                asking.delete(Namespace, name)


def awaited(question: Callable[[], Any], what: str) -> Any:
    """The answer, as soon as it is one."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        answer = question()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {SECONDS} seconds")


def account(namespace: str, name: str, rules: list[dict[str, Any]], folder: Path) -> str:
    """The path of a kubeconfig of a new service account with these rights in the namespace, and no others."""
    with client(namespace) as asking:
        asking.create(ServiceAccount(metadata=ObjectMeta(name=name)))
        if rules:
            asking.create(Role.from_dict({"metadata": {"name": name}, "rules": rules}))
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
            subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
            asking.create(RoleBinding.from_dict({"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}))
        asked = ServiceAccountToken.from_dict({"metadata": {}, "spec": {"audiences": []}})
        token = asking.create(asked, name).status.token
    return kubeconfig(folder / f"{name}.kubeconfig", {"token": token})


def kubeconfig(path: Path, user: dict[str, Any], *, server: str | None = None) -> str:
    """The path of a kubeconfig for the same cluster, with another user, or by another way."""
    known = KubeConfig.from_file(KUBECONFIG).get()
    assert known is not None
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


def administrator() -> dict[str, Any]:
    """The user of KUBECONFIG, as a kubeconfig has one."""
    known = KubeConfig.from_file(KUBECONFIG).get()
    assert known is not None
    assert known.user is not None
    found: dict[str, Any] = msgspec.to_builtins(known.user)
    return found


class Bridge:
    """A way to the API server that can be broken off, and closed for a while."""

    def __init__(self) -> None:
        known = KubeConfig.from_file(KUBECONFIG).get()
        assert known is not None
        parts = urlsplit(known.cluster.server)
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


def printed(namespace: str, labels: dict[str, str]) -> list[str]:
    """The lines that the pod with these labels has printed."""
    with client(namespace) as asking:
        (pod,) = asking.list(Pod, labels=dict(labels))
        return list(asking.log(str(pod.metadata.name), newlines=False))
