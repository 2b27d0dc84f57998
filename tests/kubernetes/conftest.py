"""Tests on a cluster, where there is one: `nox -s kubernetes`."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from servers.kubernetes import is_there, namespace_of_ones_own

collect_ignore_glob = [] if is_there() else ["test_*.py"]


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace of the test's own."""
    with namespace_of_ones_own(f"headrace-{uuid4().hex[:12]}") as name:
        yield name
