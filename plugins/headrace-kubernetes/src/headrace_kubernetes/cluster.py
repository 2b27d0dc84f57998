"""A cluster: found by its kubeconfig or from inside, reached when it is first needed."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import httpx2
from lightkube import Client
from lightkube.config.kubeconfig import DEFAULT_KUBECONFIG, SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from headrace_kubernetes.kinds import Pod
from headrace_kubernetes.troubles import FAILURES, Asked, Refused, understood

if TYPE_CHECKING:
    from lightkube.generic_resource import GenericNamespacedResource

    Kind = type[GenericNamespacedResource]

Thing = Mapping[str, Any]

TIMES = httpx2.Timeout(15, connect=5)
"""How long an answer may take."""


@attrs.frozen(kw_only=True)
class Access:
    """Which cluster, and how one gets in. `kubeconfig` None: from inside, if this is a pod; else as other tools find it."""

    kubeconfig: str | None
    context: str | None
    namespace: str | None

    @property
    def whose(self) -> str:
        """Where the credentials come from, for a sentence."""
        if self._is_inside():
            return "the service account of this pod"
        path = self._path()
        return f"context {self.context!r} of {path}" if self.context else str(path)

    def config(self) -> SingleConfig:
        """Address, credentials and namespace. Raises Refused."""
        try:
            found = KubeConfig.from_service_account() if self._is_inside() else KubeConfig.from_file(self._path())
            config = found.get(self.context)
            assert config is not None, "there is no default"
        except ConfigError as error:
            raise Refused(f"it cannot be told which cluster is meant ({self.whose}): {error}; {_ADVICE}") from error
        except Exception as error:  # YAML, or what is missing in it
            why = f"{self._path()} is no kubeconfig that can be used ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
            raise Refused(f"{why}; {_ADVICE}") from error
        if config.user is None:
            raise Refused(f"context {config.context_name!r} of {self._path()} has no user; name one whose credentials are to be used")
        return config

    def _is_inside(self) -> bool:
        return (
            self.kubeconfig is None
            and self.context is None
            and "KUBERNETES_SERVICE_HOST" in os.environ
            and Path(SERVICE_ACCOUNT, "token").exists()
        )

    def _path(self) -> Path:
        return Path(self.kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG).expanduser()


_ADVICE = "name it by kubeconfig and context, or by KUBECONFIG in the agent's environment, or run the agent in the cluster"


class Cluster:
    """Asks the API server. What goes wrong is raised as Refused, or one of its kinds."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._is_closed = False
        self._config: SingleConfig | None = None

    @property
    def config(self) -> SingleConfig:
        """How it is reached. Raises Refused."""
        if self._config is None:
            self._config = self._access.config()
        return self._config

    @property
    def namespace(self) -> str:
        """Where everything is made. Raises Refused."""
        return self._access.namespace or self.config.namespace

    @property
    def where(self) -> str:
        """The address of the API server. Raises Refused."""
        return self.config.cluster.server

    def create(self, kind: "Kind", manifest: Mapping[str, Any]) -> Thing:
        """What was made. Raises Taken where there is one of that name."""
        with self._asked(kind) as client:
            return dict(client.create(kind.from_dict(dict(manifest)), namespace=self.namespace))

    def get(self, kind: "Kind", name: str) -> Thing:
        """Raises Missing."""
        with self._asked(kind) as client:
            return dict(client.get(kind, name, namespace=self.namespace))

    def found(self, kind: "Kind", labels: Mapping[str, str], fields: Mapping[str, Any] | None = None) -> list[Thing]:
        """All that have these labels, and of whose fields this is true, in lightkube's words."""
        with self._asked(kind) as client:
            listed = client.list(kind, namespace=self.namespace, labels=dict(labels), fields=dict(fields or {}), chunk_size=500)
            return [dict(each) for each in listed]

    def delete(self, kind: "Kind", name: str, *, grace: int | None = None) -> None:
        """What it owns goes with it, a little later. Raises Missing."""
        from lightkube.types import CascadeType

        with self._asked(kind) as client:
            client.delete(kind, name, namespace=self.namespace, grace_period=grace, cascade=CascadeType.BACKGROUND)

    def last_lines(self, pod: str, container: str, count: int) -> list[str]:
        """What a container has printed last."""
        with self._asked(Pod) as client:
            return list(client.log(pod, namespace=self.namespace, container=container, tail_lines=count, newlines=False))

    def asked(self, kind: "Kind") -> Asked:
        """What is asked for, for a sentence."""
        config, info = self._config, kind._api_info
        address = config.cluster.server if config is not None else "an unknown address"
        namespace = self._access.namespace or (config.namespace if config is not None else "")
        return Asked(what=info.plural, namespace=namespace, where=address, whose=self._access.whose)

    def close(self) -> None:
        """Lets go of the connections; who still asks has one for each question."""
        with self._lock:
            self._is_closed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()

    @contextmanager
    def _asked(self, kind: "Kind") -> Iterator[Client]:
        try:
            client, is_lasting = self._reached()
            try:
                yield client
            finally:
                if not is_lasting:
                    client.close()
        except FAILURES as error:
            raise understood(error, self.asked(kind)) from error

    def _reached(self) -> tuple[Client, bool]:
        with self._lock:
            if self._client is not None:
                return self._client, True
            client = Client(self.config, timeout=TIMES)
            if not self._is_closed:
                self._client = client
            return client, not self._is_closed
