"""Storages that are made and changed as people do it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import headrace
import headrace.reference.plugin as reference
from headrace.errors import AlreadyThere, ChangedMeanwhile, InvalidName, InvalidOption, StillNeeded, StorageUnusable, WrongData
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Registry, inline
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.storages import SEALED, named
from headrace.ports.storage import OpenStorage
from headrace.reference.storage import MemoryStorage
from headrace.settings import load
from headrace.storing.keeping import changed, created, must_work


@attrs.frozen(kw_only=True)
class Shelf:
    """A storage that works where its place is not `nowhere` and its key is not `wrong`."""

    outlives_process = True
    reaches_others = False

    place: str = attrs.field(converter=str.lower, metadata={"place": True})
    key: str | None = attrs.field(default=None, metadata={"secret": True})

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        if self.place == "nowhere" or self.key == "wrong":
            raise StorageUnusable(where="a shelf", why="it is not there")
        with MemoryStorage().open() as opened:
            yield opened


@hookimpl
def headrace_storages() -> list[Provider[Any]]:
    return [Provider("shelf", Shelf, "A shelf")]


@hookimpl
def headrace_seal(secret: str) -> str:
    return f"secret://sealed/k/{secret[::-1]}"


@hookimpl
def headrace_secret(reference: str) -> str | None:
    return reference.removeprefix("secret://sealed/k/")[::-1] if reference.startswith("secret://sealed/k/") else None


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Instance]:
    """With a shelf, and somebody who seals secrets."""
    plugin = SimpleNamespace(headrace_storages=headrace_storages, headrace_seal=headrace_seal, headrace_secret=headrace_secret)
    registry = Registry([inline(reference, name="reference"), inline(plugin)])
    settings = load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})
    with headrace.open(settings, registry=registry) as opened:
        yield opened


def test_created(house: Instance) -> None:
    """Its options are in one form, and its secrets sealed."""
    kept = created(house, "s", Choice("shelf", {"place": "HERE", "key": "k"}), must_work)
    assert kept.choice == Choice("shelf", {"place": "here", "key": SEALED})
    assert house.client.read_storages() == [kept]
    assert house.client.open_storage("s", "a test").options == {"place": "here", "key": "k"}


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("a/b", {"place": "here"}, InvalidName),
        ("taken", {"place": "here"}, AlreadyThere),
        ("s", {}, InvalidOption),
        ("s", {"place": "nowhere"}, WrongData),
    ],
)
def test_what_cannot_be_is_not_kept(house: Instance, name: str, options: dict[str, Any], error: type[Exception]) -> None:
    """It is told why."""
    created(house, "taken", Choice("shelf", {"place": "there"}), must_work)
    with pytest.raises(error):
        created(house, name, Choice("shelf", options), must_work)
    assert [each.name for each in house.client.read_storages()] == ["taken"]


def test_what_is_gone_with_its_process(house: Instance) -> None:
    """Nobody would find it by a name."""
    with pytest.raises(InvalidOption, match="is gone when the process ends"):
        created(house, "s", Choice("memory"), None)


def test_without_trying(house: Instance) -> None:
    """What does not work from here may work elsewhere."""
    assert created(house, "s", Choice("shelf", {"place": "nowhere"}), None).name == "s"
    elsewhere = {"place": "x", "key": "secret://env/NOT_SET_ANYWHERE_HERE"}
    assert created(house, "t", Choice("shelf", elsewhere), None).choice.options == elsewhere


def test_changed(house: Instance) -> None:
    """What is sealed stays as it is, and is opened to be tried with the rest."""
    kept = created(house, "s", Choice("shelf", {"place": "here", "key": "k"}), must_work)
    moved = changed(house, kept, lambda options: {**options, "place": "THERE"}, "a test", must_work, is_forced=False)
    assert moved.choice.options == {"place": "there", "key": SEALED}
    assert house.client.open_storage("s", "a test").options == {"place": "there", "key": "k"}
    again = changed(house, moved, lambda options: {**options, "key": "other"}, "a test", must_work, is_forced=False)
    assert house.client.open_storage("s", "a test").options == {"place": "there", "key": "other"}
    without = changed(house, again, lambda options: {"place": options["place"]}, "a test", must_work, is_forced=False)
    assert without.choice.options == {"place": "there"}


def test_a_change_that_does_not_work(house: Instance) -> None:
    """All stays as it was; so it does where somebody else was first."""
    kept = created(house, "s", Choice("shelf", {"place": "here"}), must_work)
    with pytest.raises(WrongData, match="nothing was kept, since it cannot be used"):
        changed(house, kept, lambda options: {**options, "key": "wrong"}, "a test", must_work, is_forced=False)
    stale = attrs.evolve(kept, revision=7)
    with pytest.raises(ChangedMeanwhile):
        changed(house, stale, lambda options: {**options, "place": "there"}, "a test", must_work, is_forced=False)
    assert house.client.read_storages() == [kept]


def test_what_is_needed_still(house: Instance) -> None:
    """A storage in which keys are known stays where it is, unless somebody means it."""
    kept = created(house, "s", Choice("shelf", {"place": "here"}), must_work)
    house.client.reserve_keys(named("s"), ("code/abc.tar.gz",))
    with pytest.raises(StillNeeded):
        changed(house, kept, lambda options: {**options, "place": "there"}, "a test", must_work, is_forced=False)
    moved = changed(house, kept, lambda options: {**options, "place": "there"}, "a test", must_work, is_forced=True)
    assert moved.choice.options == {"place": "there"}
