"""A house that keeps code in a folder, with capabilities that only these tests have."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

import attrs
import pytest

import headrace.instance
import headrace.reference.plugin
from headrace.errors import InvalidOption, NotStored
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Plugin, Registry
from headrace.instance import Instance
from headrace.ports.storage import OpenStorage, Written
from headrace.settings import load
from headrace.testing.clock import FixedClock

Files = Callable[..., Path]


class _Open:
    """A folder of files."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, key: str) -> BinaryIO:
        if not self.exists(key):
            raise NotStored(storage="folder", key=key)
        return open(self._path / key, "rb")

    def write(self, key: str, chunks: Iterable[bytes]) -> Written:
        content = b"".join(chunks)
        (self._path / key).parent.mkdir(parents=True, exist_ok=True)
        (self._path / key).write_bytes(content)
        return Written(size=len(content), sha256="")

    def exists(self, key: str) -> bool:
        return (self._path / key).is_file()

    def delete(self, key: str) -> None:
        (self._path / key).unlink()

    def keys(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(path.relative_to(self._path).as_posix() for path in self._path.rglob("*") if path.is_file()))


@attrs.frozen(kw_only=True)
class FolderStorage:
    """Keeps bytes in a folder."""

    outlives_process: ClassVar[bool] = True
    reaches_others: ClassVar[bool] = False
    path: str

    @contextmanager
    def open(self) -> Iterator[OpenStorage]:
        yield _Open(Path(self.path))


@attrs.frozen(kw_only=True)
class OtherRunner:
    """Runs with another Python."""

    python: str = sys.executable
    env: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    @property
    def interpreter(self) -> str | None:
        if self.python == "nowhere":
            raise InvalidOption(where="this runner", option="python", value=self.python, why="there is no such Python here")
        return self.python or None


@attrs.frozen(kw_only=True)
class MoonSchedule:
    """Every full moon."""

    every: timedelta = timedelta(days=29)
    anchor: datetime | None = None


@hookimpl
def headrace_storages() -> Iterator[Provider[Any]]:
    yield Provider("local", FolderStorage, "A folder")


@hookimpl
def headrace_flow_runners() -> Iterator[Provider[Any]]:
    yield Provider("other", OtherRunner, "Another Python")


@hookimpl
def headrace_schedules() -> Iterator[Provider[Any]]:
    yield Provider("moon", MoonSchedule, "Full moons")


@pytest.fixture
def registry() -> Registry:
    """What core offers, and the above."""
    own = SimpleNamespace(
        headrace_storages=headrace_storages, headrace_flow_runners=headrace_flow_runners, headrace_schedules=headrace_schedules
    )
    modules: dict[str, Any] = {"core": headrace.reference.plugin, "own": own}
    return Registry(
        [Plugin(name=name, dist=f"dist-{name}", version="1", load=lambda module=module: module) for name, module in modules.items()]
    )  # type: ignore[misc]


@pytest.fixture
def kinds() -> Any:
    """The classes above, for tests that need values of them."""
    return SimpleNamespace(FolderStorage=FolderStorage, OtherRunner=OtherRunner, MoonSchedule=MoonSchedule)


@pytest.fixture
def lasting_house(tmp_path: Path, registry: Registry) -> Iterator[Instance]:
    """An instance whose runs are in memory and whose code is in a folder."""
    chosen = {"HEADRACE_HOME": str(tmp_path / "home"), "HEADRACE_RUN_STORE": "memory"}
    with headrace.instance.open(load(chosen), registry=registry, clock=FixedClock()) as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Writes files into a folder, by their paths."""

    def write(contents: Mapping[str, str], folder: str = "project") -> Path:
        root = tmp_path / folder
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return root

    return write


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a child that has nothing to do with the developer's own."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")},
        "HEADRACE_HOME": str(tmp_path / "home"),
    }
