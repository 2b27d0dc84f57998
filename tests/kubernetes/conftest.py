"""Tests on a cluster that is named (`nox -s kubernetes`); else, where its programs are, on an API server alone; else none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import control_plane
from servers.kubernetes import Bridge, OwnNamespace, RealCluster, named_cluster, own_namespace, stage_elsewhere

from headrace.testing.conformance.flow_runner import Meeting, Stage

WITHOUT_A_NODE = "test_api_server.py"


def left_out() -> list[str]:
    """The files of which nothing can be tested here."""
    if named_cluster() is not None:
        return []
    every = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    return sorted(every - {WITHOUT_A_NODE} if control_plane.can_be_started() else every)


collect_ignore = left_out()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """The one that is named, or an API server of these tests' own."""
    named = named_cluster()
    if named is not None:
        yield named
        return
    with control_plane.control_plane(tmp_path_factory.mktemp("control-plane")) as kubeconfig:
        yield RealCluster(kubeconfig=kubeconfig, image="flows:1", is_whole=False)


@pytest.fixture
def namespace(cluster: RealCluster) -> Iterator[OwnNamespace]:
    """A namespace of the test's own."""
    with own_namespace(cluster) as namespace:
        yield namespace


@pytest.fixture
def stage() -> Stage:
    """Makes orders."""
    return stage_elsewhere()


@pytest.fixture
def meeting() -> Iterator[Meeting]:
    """Where processes come to."""
    with Meeting() as meeting:
        yield meeting


@pytest.fixture
def bridge(cluster: RealCluster) -> Iterator[Bridge]:
    """A way to the API server."""
    with Bridge(cluster) as bridge:
        yield bridge
