"""What the tests of this dist share: a real Docker Engine, an image of this Python, and processes that run a test's lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from docker import APIClient
from servers.answering import Answering
from servers.docker import DockerEngine, NoDocker, docker_engine
from servers.images import python_image

from headrace.model.orders import Order
from headrace.testing.conformance.flow_runner import GRACE_SECONDS, Meeting, Stage
from headrace.testing.stand_in import MODULE
from headrace_docker.flow_runner import ADDRESS, HOME, needed
from headrace_docker.sightings import API


@pytest.fixture(autouse=True)
def tidy(nothing_left_behind: None) -> None:
    """Every test leaves things as it found them."""


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerEngine]:
    """A Docker Engine."""
    try:
        with docker_engine() as found:
            yield found
    except NoDocker as error:
        pytest.skip(f"there is no Docker Engine: {error}")


@pytest.fixture(scope="session")
def api(engine: DockerEngine) -> Iterator[Any]:
    """What the engine is asked by."""
    with APIClient(base_url=engine.url, version="auto", timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def image(api: Any) -> str:
    """An image with core in it, and with the client, where that is installed."""
    return python_image(api, "headrace-core", *["headrace-client"][: len(needed()) - 1])


@pytest.fixture
def address() -> Iterator[str]:
    """The address of an API, by which the containers of a test are known too."""
    with Answering() as server:
        yield server.url


@attrs.define
class Orders(Stage):
    """Makes orders of runs whose names nobody else uses."""

    prefix: str = attrs.field(kw_only=True)

    def order(self, lines: str, **variables: str) -> Order:
        order = super().order(lines, **variables)
        return attrs.evolve(order, run_id=f"{self.prefix}-{order.run_id}")


@pytest.fixture
def orders(engine: DockerEngine, api: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Makes orders; what is left of their containers is removed."""
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    monkeypatch.setenv(ADDRESS, address)
    environment = {"HEADRACE_HOME": HOME, "HEADRACE_GRACE_SECONDS": str(GRACE_SECONDS), ADDRESS: address}
    yield Orders(environment, prefix=address.rpartition(":")[2].partition("/")[0])
    for container in api.containers(all=True, filters={"label": f"{API}={address}"}):
        api.remove_container(container["Id"], force=True)


@pytest.fixture
def stand_in() -> tuple[str, ...]:
    """What the containers of tests run, in place of the engine."""
    return ("python3", *MODULE)


@pytest.fixture
def shared(tmp_path: Path) -> str:
    """The folder of a test, for its containers to write into."""
    return f"{tmp_path}:{tmp_path}"


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    """Where containers in the network of this machine come to."""
    with Meeting() as found:
        yield found
