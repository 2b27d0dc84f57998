"""The half of a Kubernetes that answers questions: an API server beside an etcd, both built elsewhere. Nothing begins in it, since it has no node."""

import json
import shutil
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from servers.process import LONGEST_START, free_ports, served

PROGRAMS = ("etcd", "kube-apiserver")
TOKEN = "a-token-that-nobody-guesses"


def can_be_started() -> bool:
    """Whether its programs are on the path."""
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def control_plane(folder: Path) -> Iterator[str]:
    """The path of a kubeconfig of its administrator. It listens on loopback, keeps all it has in the folder, and ends with the block."""
    kept, among_themselves, asked = (f"http://127.0.0.1:{port}" for port in free_ports(3))
    etcd = {
        "data-dir": folder / "etcd" / "data",
        "listen-client-urls": kept,
        "advertise-client-urls": kept,
        "listen-peer-urls": among_themselves,
        "initial-advertise-peer-urls": among_themselves,
        "initial-cluster": f"default={among_themselves}",
    }
    pki = folder / "pki"
    pki.mkdir(parents=True)
    (pki / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
    _write_key(pki / "accounts.pem")
    api_server = {
        "etcd-servers": kept,
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": _port(asked),
        "cert-dir": pki,
        "token-auth-file": pki / "tokens.csv",
        "service-account-key-file": pki / "accounts.pem",
        "service-account-signing-key-file": pki / "accounts.pem",
        "service-account-issuer": "https://kubernetes.default.svc",
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": "10.0.0.0/24",
        "endpoint-reconciler-type": "none",
    }
    with served(_command("etcd", etcd), _port(kept), folder / "etcd"):
        with served(_command("kube-apiserver", api_server), _port(asked), folder / "kube-apiserver"):
            address, authority = asked.replace("http:", "https:"), pki / "apiserver.crt"
            _await(address, authority)
            yield _kubeconfig(folder, address, authority)


def _command(program: str, options: dict[str, object]) -> list[str]:
    return [program, *(f"--{name}={value}" for name, value in options.items())]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _write_key(path: Path) -> None:
    """The key that the tokens of service accounts are signed with."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def _await(address: str, authority: Path) -> None:
    """Returns when it is ready."""
    context = ssl.create_default_context(cafile=str(authority))
    until, said = time.monotonic() + LONGEST_START, ""
    while time.monotonic() < until:
        try:
            with urlopen(Request(f"{address}/readyz", headers={"Authorization": f"Bearer {TOKEN}"}), context=context, timeout=5):
                return
        except (URLError, OSError) as error:
            said = str(error)
        time.sleep(0.1)
    raise RuntimeError(f"the API server at {address} does not get ready: {said}")


def _kubeconfig(folder: Path, address: str, authority: Path) -> str:
    config = {
        "clusters": [{"name": "test", "cluster": {"server": address, "certificate-authority": str(authority)}}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)
