"""Files that nothing refers to any more."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import headrace.instance
from headrace.instance import Instance
from headrace.model.deployments import Archive, Code, Deployment
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.services.leftovers import Leftovers, leftovers, remove_leftovers
from headrace.settings import load
from headrace.testing.clock import START


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Instance]:
    with headrace.instance.open(load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})) as opened:
        yield opened


def archive(letter: str) -> Archive:
    return Archive(sha256=letter * 64, files=1, size=1)


def deployment(letter: str) -> Deployment:
    return Deployment(id="d", name="d", flow_name="f", code=Code(entrypoint="m:f", archive=archive(letter)), created=START, updated=START)


def test_nothing_is_left_over(house: Instance) -> None:
    """Neither where there is nothing, nor where all of it is referred to."""
    assert leftovers(house) == Leftovers()


def test_what_is_left_over_is_removed(house: Instance) -> None:
    """What runs and deployments refer to stays: results of known runs, archives of all versions, and what is unpacked of the newest."""
    pytest.importorskip("headrace_files")  # what is kept must outlive the opening that kept it
    state = attrs.evolve(State.running(), timestamp=START)
    house.client.create_flow_run(FlowRun(id="known", name="known", state=state, created=START, flow_name="f", root_id="known"))
    house.client.put_deployments((deployment("a"),))
    house.client.put_deployments((deployment("b"),))
    kept = ["code/" + letter * 64 + ".tar.gz" for letter in "ab"] + ["results/known/task"]
    with house.code_storage() as storage:
        for key in (*kept, archive("c").key, "results/gone/one", "results/gone/two"):
            storage.write(key, [b"x"])
    for letter in "abc":
        (house.settings.home / "code" / (letter * 64) / "tree").mkdir(parents=True)
    found = leftovers(house)
    assert found == Leftovers(results=("gone",), archives=(archive("c").key,), unpacked=("a" * 64, "c" * 64))
    remove_leftovers(house, found)
    with house.code_storage() as storage:
        assert list(storage.keys()) == kept
    assert [path.name for path in (house.settings.home / "code").iterdir()] == ["b" * 64]
    assert leftovers(house) == Leftovers()


def test_an_archive_that_is_deployed_meanwhile_stays(house: Instance) -> None:
    """It is looked once more before it is removed."""
    pytest.importorskip("headrace_files")  # what is kept must outlive the opening that kept it
    with house.code_storage() as storage:
        storage.write(archive("a").key, [b"x"])
    found = leftovers(house)
    house.client.put_deployments((deployment("a"),))
    remove_leftovers(house, found)
    with house.code_storage() as storage:
        assert storage.exists(archive("a").key)
