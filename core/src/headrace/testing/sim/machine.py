"""A machine: agents and the processes of runs live on it, and die with it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from headrace.errors import FlowRunnerFailed
from headrace.model.orders import Order, OrderedRun
from headrace.ports.flow_runner import OpenFlowRunner
from headrace.testing.sim.house import House
from headrace.testing.sim.process import Process

if TYPE_CHECKING:
    from headrace.testing.sim.host import Host


class Machine:
    """Starts the processes of runs: it is a flow runner, in use. `agents` are those that were started on it."""

    def __init__(self, house: House, name: str) -> None:
        self.name = name
        self.agents: list[Host] = []
        self._house = house
        self._processes: dict[str, Process] = {}
        self._awake_at = 0.0

    # A flow runner

    def start(self, order: Order) -> Process:
        world, trouble = self._house.world, ""
        faults = world.faults
        if faults.start_kinds and world.random.random() < faults.starts:
            trouble = world.random.choice(faults.start_kinds)
            world.trouble(self.name, f"start {order.identity}: {trouble}")
        caller = world.acting
        assert caller is not None, "an agent starts it"
        match trouble:
            case "refused":
                raise FlowRunnerFailed(runner=self.name, run=order.run_name, why="it is made to fail")
            case "failed":
                raise OSError("no fork")
            case "slow":
                world.wait(caller, world.random.expovariate(1 / 10))
            case "killed before":
                caller.is_dead = True
                world.wait(caller, 0.0)
        process = self.begin(OrderedRun(run_id=order.run_id, epoch=order.epoch))
        process.remark = "it is a remark" if trouble == "remark" else ""
        if trouble == "killed after":
            caller.is_dead = True
            world.wait(caller, 0.0)
        return process

    def begin(self, ordered: OrderedRun) -> Process:
        """The process of that identity, which begins if it has not."""
        if ordered.identity not in self._processes:
            process = self._processes[ordered.identity] = Process(self._house, ordered)
            process.supervisor.awake_at = process.code.awake_at = self._awake_at
            process.begin()
        return self._processes[ordered.identity]

    def find(self, identity: str) -> Process | None:
        process = self._processes.get(identity)
        return process if process is not None and process.is_alive else None

    def running(self) -> Iterable[str]:
        return [process.identity for process in self.alive()]

    def alive(self) -> list[Process]:
        """The processes that live."""
        return [process for process in self._processes.values() if process.is_alive]

    # What becomes of it

    def kill(self) -> None:
        """All that lives on it is gone, and forgotten."""
        self._house.world.note(self.name, "goes down")
        for agent in self.agents:
            agent.is_dead = True
        for process in self.alive():
            process.kill()
        self._processes.clear()

    def sleep(self, seconds: float) -> None:
        """Nothing on it acts for so long."""
        self._awake_at = self._house.world.clock.monotonic() + seconds
        self._house.world.trouble(self.name, f"sleeps for {seconds:.0f} seconds")
        for process in self.alive():
            process.supervisor.awake_at = process.code.awake_at = self._awake_at
        for agent in self.agents:
            agent.awake_at = self._awake_at


@attrs.frozen(eq=False)
class MachineFlowRunner:
    """The flow runner of one machine, as a value; its options are none."""

    machine: Machine
    interpreter: str | None = None

    @contextmanager
    def open(self) -> Iterator[OpenFlowRunner]:
        yield self.machine
