"""What the tests of this dist share: a server of one's own on a free port, and who asks it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import urllib3

import headrace.instance
from headrace.instance import Instance
from headrace.settings import load
from headrace_server.serving import served


@pytest.fixture(autouse=True)
def tidy(nothing_left_behind: None) -> None:
    """Every test leaves things as it found them."""


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    data: Any
    headers: Any


@attrs.frozen
class Asking:
    """Asks a server over real connections."""

    address: str
    pool: urllib3.PoolManager

    def __call__(
        self, method: str, path: str, data: Any = None, *, raw: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """`data` goes as JSON, `raw` as it is; a path that begins with two slashes is outside of the API."""
        body = raw if data is None else json.dumps(data).encode()
        kinds = {} if body is None else {"Content-Type": "application/json"}
        base = self.address.removesuffix("/api") if path.startswith("//") else self.address
        came = self.pool.request(
            method, base + path.removeprefix("/" if path.startswith("//") else ""), body=body, headers={**kinds, **(headers or {})}
        )
        is_json = "json" in came.headers.get("content-type", "")
        return Answer(came.status, came.json() if is_json and came.data else came.data, came.headers)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Instance]:
    """An orchestration in memory, with all plugins."""
    chosen = {"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory", "HEADRACE_TASK_RUNNER": "sequential"}
    with headrace.instance.open(load(chosen)) as opened:
        yield opened


@pytest.fixture
def address(house: Instance) -> Iterator[str]:
    """The address of a server over `house`."""
    with served(house) as found:
        yield found


@pytest.fixture
def ask(address: str) -> Iterator[Asking]:
    """Asks that server."""
    with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30)) as pool:
        yield Asking(address, pool)
