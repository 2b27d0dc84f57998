"""The Docker Engine: reached when it is first needed, and reached again when it was away."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker import APIClient  # type: ignore[import-untyped]
from docker.utils import kwargs_from_env  # type: ignore[import-untyped]

from headrace_docker.troubles import FAILURES, understood

SECONDS = 60
"""How long an answer may take."""

DEFAULT = "unix:///var/run/docker.sock"


class Daemon:
    """The engine that `DOCKER_HOST` names, else the one of this machine."""

    def __init__(self) -> None:
        self.where = os.environ.get("DOCKER_HOST") or DEFAULT
        self._lock = threading.Lock()
        self._api: Any = None

    @contextmanager
    def asked(self) -> Iterator[Any]:
        """The engine's API within a block. What goes wrong there is raised as Refused, or Away."""
        try:
            self._check_socket()
            yield self._reached()
        except FAILURES as error:
            raise understood(error, where=self.where) from error

    def _check_socket(self) -> None:
        """Raises OSError where nobody listens. The engine's client would leave the socket of a vain attempt open."""
        kind, _, path = self.where.partition("://")
        if kind in ("unix", "http+unix") and path:
            with socket.socket(socket.AF_UNIX) as tried:
                tried.settimeout(SECONDS)
                tried.connect(path)

    def _reached(self) -> Any:
        with self._lock:
            if self._api is None:
                self._api = APIClient(**kwargs_from_env(), version="auto", timeout=SECONDS)
            return self._api

    def close(self) -> None:
        """Lets go of the connections; who asks again has new ones."""
        with self._lock:
            if self._api is not None:
                self._api.close()
