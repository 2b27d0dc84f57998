"""The store of a simulated world: the real one in memory, which is busy, slow or fails, and whose every write the witness sees."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from headrace.errors import StoreBusy, StoreUnusable
from headrace.model.agents import Agent
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.journals import RunState
from headrace.model.logs import LogLine
from headrace.model.runs import FlowRun, TaskRun
from headrace.ports.run_store import OpenRunStore, Reading, Writing
from headrace.testing.sim.witness import Witness
from headrace.testing.sim.world import World

MOST_RUNS = 100_000


class WitnessedStore:
    """The store, in the hands of somebody."""

    def __init__(self, world: World, witness: Witness, store: OpenRunStore) -> None:
        self._world = world
        self._witness = witness
        self._store = store

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        self._is_to_fail_at_the_end()
        with self._store.reading() as reading:
            yield reading

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        fails = self._is_to_fail_at_the_end()
        with self._store.writing() as writing:
            witnessed = Witnessed(self._world, self._witness, writing)
            yield cast(Writing, witnessed)
            if fails:
                raise StoreUnusable(where="memory", why="it failed at the end of a transaction")
            witnessed.settle()

    def version(self) -> int:
        return self._store.version()

    def _is_to_fail_at_the_end(self) -> bool:
        """Has happen now what is to go wrong before the transaction."""
        world = self._world
        faults = world.faults
        if not faults.transaction_kinds or world.random.random() >= faults.transactions:
            return False
        kind = world.random.choice(faults.transaction_kinds)
        world.trouble("store", f"{self._witness.asked.name}: {kind}")
        match kind:
            case "waits":
                world.let_pass(world.random.expovariate(1 / 2))
            case "slow":
                world.clock.go_on_to(world.clock.monotonic() + world.random.expovariate(1 / 5))
            case "busy":
                raise StoreBusy(where="memory", seconds=30)
            case _:
                return True
        return False


class Witnessed:
    """A transaction; what it writes is told to the witness when all is written, and before it is kept."""

    def __init__(self, world: World, witness: Witness, writing: Writing) -> None:
        self._world = world
        self._witness = witness
        self._writing = writing
        self._told: list[tuple[Any, ...]] = []
        self._runs: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writing, name)

    def settle(self) -> None:
        """Tells the witness."""
        for tell, *what in self._told:
            tell(*what)
        if self._runs:
            self._witness.check(sorted(self._runs))

    def add_flow_run(self, run: FlowRun) -> bool:
        if not self._writing.add_flow_run(run):
            return False
        self._told.append((self._witness.added, run))
        self._runs.add(run.id)
        return True

    def add_flow_runs(self, runs: Sequence[FlowRun]) -> list[FlowRun]:
        return [run for run in runs if self.add_flow_run(run)]

    def update_flow_run(self, run: FlowRun, *, was: int) -> bool:
        if not self._writing.update_flow_run(run, was=was):
            return False
        self._told.append((self._witness.updated, run))
        self._runs.add(run.id)
        return True

    def delete_flow_run(self, run_id: str) -> bool:
        if not self._writing.delete_flow_run(run_id):
            return False
        self._told.append((self._witness.deleted, run_id))
        return True

    def forget_ticks(self, schedule_id: str, *, after: datetime | None = None) -> None:
        before = self._of_schedule(schedule_id)
        self._writing.forget_ticks(schedule_id, after=after)
        self._told += [(self._witness.deleted, run_id) for run_id in sorted(before - self._of_schedule(schedule_id))]

    def _of_schedule(self, schedule_id: str) -> set[str]:
        return {run.id for run in self._writing.flow_runs(FlowRunFilter(schedule_ids=(schedule_id,)), Page(limit=MOST_RUNS))}

    def grant_lease(self, run_id: str, *, epoch: int, holder: str, seconds: float) -> None:
        self._writing.grant_lease(run_id, epoch=epoch, holder=holder, seconds=seconds)
        self._told.append((self._witness.granted, run_id, epoch, holder, self._world.clock.monotonic() + seconds))
        self._runs.add(run_id)
        if self._witness.asked.name == "claim_runs":
            self._witness.check_room(run_id, self._writing)

    def renew_lease(self, run_id: str, *, epoch: int, seconds: float) -> bool:
        if not self._writing.renew_lease(run_id, epoch=epoch, seconds=seconds):
            return False
        self._told.append((self._witness.renewed, run_id, epoch, self._world.clock.monotonic() + seconds))
        self._runs.add(run_id)
        return True

    def end_lease(self, run_id: str) -> None:
        self._writing.end_lease(run_id)
        self._told.append((self._witness.lease_ended, run_id))
        self._runs.add(run_id)

    def put_task_runs(self, runs: Iterable[TaskRun]) -> None:
        runs = tuple(runs)
        self._writing.put_task_runs(runs)
        self._told.append((self._witness.wrote, sorted({run.flow_run_id for run in runs}), "task runs"))

    def add_states(self, states: Iterable[RunState]) -> None:
        self._writing.add_states(states)

    def add_logs(self, lines: Iterable[LogLine]) -> None:
        lines = tuple(lines)
        self._writing.add_logs(lines)
        self._told.append((self._witness.wrote, sorted({line.flow_run_id for line in lines}), "log lines"))

    def hold_slots(self, task_run_id: str, tags: Iterable[str], *, root_id: str, epoch: int) -> None:
        tags = frozenset(tags)
        self._writing.hold_slots(task_run_id, tags, root_id=root_id, epoch=epoch)
        self._told.append((self._witness.held, task_run_id, tags, root_id, epoch, self._writing))

    def free_slots(self, task_run_ids: Iterable[str]) -> None:
        task_run_ids = tuple(task_run_ids)
        self._writing.free_slots(task_run_ids)
        self._told.append((self._witness.freed, task_run_ids))

    def keep_agent(self, agent: Agent, *, seconds: float) -> None:
        self._writing.keep_agent(agent, seconds=seconds)
        self._told.append((self._witness.seen, agent.id, self._world.clock.monotonic() + seconds))

    def drop_agent(self, agent_id: str) -> bool:
        self._told.append((self._witness.left, agent_id))
        return self._writing.drop_agent(agent_id)
