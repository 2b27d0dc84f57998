"""What `headrace kubernetes manifest` prints begins in a real cluster, and the server in it serves."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from lightkube.resources.core_v1 import PersistentVolume, Pod, Secret
from servers.kubernetes import OwnNamespace, awaited


@pytest.fixture
def volume(namespace: OwnNamespace, tmp_path: Path) -> Iterator[None]:
    """Room for a claim: a folder of this machine."""
    folder = tmp_path / "volume"
    folder.mkdir()
    folder.chmod(0o777)
    for above in folder.parents[:2]:
        above.chmod(0o755)
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": str(folder)},
        "storageClassName": namespace.name,
    }
    with namespace.client() as client:
        client.create(PersistentVolume.from_dict({"metadata": {"name": namespace.name}, "spec": spec}))
        yield
        client.delete(PersistentVolume, namespace.name)


def asked(address: str, token: str = "") -> int:
    """The status that an address answers with; 0 if nobody does."""
    try:
        with urlopen(Request(address, headers={"Authorization": f"Bearer {token}"} if token else {}), timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_server(namespace: OwnNamespace, tmp_path: Path, volume: None) -> None:
    """It gets ready, knows the tokens of its Secret and nobody else, and still does after it was restarted and applied anew."""
    with namespace.client() as client:
        for each in namespace.manifests(tmp_path, "server", "--storage", "1Gi", "--storage-class", namespace.name):
            client.create(each)
        tokens = {name: base64.b64decode(value).decode() for name, value in (client.get(Secret, "headrace-tokens").data or {}).items()}
        for _ in range(2):
            pod = awaited(lambda: ready(client), "the server is ready")
            api = f"http://{pod.status.podIP}:4200/api"
            assert asked(f"{api}/server") == 401
            assert asked(f"{api}/server", tokens["agent"]) == 200
            assert [asked(f"{api}/tokens", tokens[name]) for name in ("admin", "agent")] == [200, 403]
            client.delete(Pod, pod.metadata.name, grace_period=1)
            awaited(lambda name=pod.metadata.name: all(each.metadata.name != name for each in client.list(Pod)), "the pod is gone")


def ready(client: Any) -> Any:
    """The pod of the server, if it is ready."""
    for pod in client.list(Pod):
        conditions = (pod.status and pod.status.conditions) or []
        if pod.metadata.deletionTimestamp is None and any(each.type == "Ready" and each.status == "True" for each in conditions):
            return pod
    return None


def test_an_agent(namespace: OwnNamespace, tmp_path: Path) -> None:
    """A pod is made of it, with the account that has the role."""
    with namespace.client() as client:
        for each in namespace.manifests(tmp_path, "agent", "q"):
            client.create(each)
        pod = awaited(lambda: list(client.list(Pod)), "the agent's pod is made")[0]
        assert pod.spec.serviceAccountName == "headrace-agent"
