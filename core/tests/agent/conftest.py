"""A house with a flow runner that does what a test tells it to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace.instance
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Plugin, Registry, discovered
from headrace.ids import Ids
from headrace.instance import Instance
from headrace.model.orders import ExitStatus, Order
from headrace.reference.run_store import MemoryRunStore
from headrace.settings import load
from headrace.testing.clock import FixedClock


@attrs.define
class StagedProcess:
    """A process that ends when the test says so."""

    identity: str
    remark: str = ""
    last_words: str = ""
    status: ExitStatus | None = None
    grace: float | None = None

    def wait(self, timeout: float) -> ExitStatus | None:
        return self.status

    def stop(self, grace: float) -> None:
        self.grace = grace
        self.status = ExitStatus(-15)


@attrs.define
class Stage:
    """What the flow runner was given to do."""

    orders: list[Order] = attrs.field(factory=list)
    processes: dict[str, StagedProcess] = attrs.field(factory=dict)
    opened: int = 0
    refusal: Exception | None = None
    remark: str = ""
    trouble: Exception | None = None
    prepared: int = 0
    is_elsewhere: bool = False
    makes: Any = StagedProcess

    def start(self, order: Order) -> StagedProcess:
        if self.refusal is not None:
            raise self.refusal
        self.orders.append(order)
        return self.processes.setdefault(order.identity, self.makes(order.identity, self.remark))

    def prepare(self) -> None:
        self.prepared += 1
        if self.trouble is not None:
            raise self.trouble

    def find(self, identity: str) -> StagedProcess | None:
        return self.processes.get(identity)

    def running(self) -> list[str]:
        if self.trouble is not None:
            raise self.trouble
        return [identity for identity, process in self.processes.items() if process.status is None]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def house(tmp_path: Path, stage: Stage, clock: FixedClock) -> Iterator[Instance]:
    """An instance in memory, whose only flow runner is the staged one."""

    @attrs.frozen(kw_only=True)
    class StagedFlowRunner:
        env: dict[str, str] = attrs.field(factory=dict)

        @property
        def interpreter(self) -> str | None:
            return None if stage.is_elsewhere else sys.executable

        @contextmanager
        def open(self) -> Iterator[Stage]:
            stage.opened += 1
            yield stage
            stage.opened -= 1

    class Hooks:
        @hookimpl
        def headrace_flow_runners(self) -> list[Provider[Any]]:
            return [Provider("staged", StagedFlowRunner, "Does as it is told")]

        @hookimpl
        def headrace_run_stores(self) -> list[Provider[Any]]:
            def make() -> MemoryRunStore:
                return MemoryRunStore(clock=clock)

            return [Provider("staged", make, "Is in memory, and has the clock of the test")]

    chosen = {
        "HEADRACE_HOME": str(tmp_path),
        "HEADRACE_RUN_STORE": "staged",
        "HEADRACE_FLOW_RUNNER": "staged",
        "HEADRACE_LEASE_SECONDS": "30",
    }
    plugins = [plugin for plugin in discovered() if plugin.dist == "headrace-core"]
    registry = Registry([*plugins, Plugin(name="staged", dist="staged", version="1", load=Hooks)])
    with headrace.instance.open(load(chosen), registry=registry, clock=clock, ids=Ids(clock, seed=1)) as opened:
        yield opened
