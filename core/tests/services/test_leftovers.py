"""Unpacked code that no deployment has any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace.instance
from headrace.instance import Instance
from headrace.model.deployments import Archive, Code, Deployment
from headrace.services.leftovers import leftovers, remove_leftovers
from headrace.settings import load
from headrace.testing.clock import START


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Instance]:
    with headrace.instance.open(load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})) as opened:
        yield opened


def deployment(letter: str) -> Deployment:
    archive = Archive(sha256=letter * 64, files=1, size=1)
    return Deployment(id="d", name="d", flow_name="f", code=Code(entrypoint="m:f", archive=archive), created=START, updated=START)


def test_code_that_no_deployment_has_now_is_removed(house: Instance) -> None:
    """What the newest version of a deployment has stays; with nothing unpacked, nothing is left over."""
    assert leftovers(house) == []
    house.client.put_deployments((deployment("a"),))
    house.client.put_deployments((deployment("b"),))
    for letter in "abc":
        (house.settings.home / "code" / (letter * 64) / "tree").mkdir(parents=True)
    found = leftovers(house)
    assert found == ["a" * 64, "c" * 64]
    remove_leftovers(house, found)
    assert [path.name for path in (house.settings.home / "code").iterdir()] == ["b" * 64]
    assert leftovers(house) == []
