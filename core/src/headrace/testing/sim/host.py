"""An agent in a simulated world: the real one, with the services beside it, stepped as its loop steps it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

import attrs

from headrace.agent.agent import WAKING, AgentAtWork
from headrace.agent.starting import Chore
from headrace.errors import HeadraceError
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Registry, inline
from headrace.instance import Instance
from headrace.model.events import Event
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.orchestration.scheduling import earlier_runs
from headrace.ports.client import OpenClient
from headrace.ports.service import Service
from headrace.rules.gates import closed
from headrace.services.rounds import Rounds
from headrace.settings import Settings, load
from headrace.testing.sim.house import House
from headrace.testing.sim.machine import Machine, MachineFlowRunner
from headrace.testing.sim.world import Actor

IDLE, BUSY, LONGEST_PAUSE = 3.0, 1.5, 5.0


class Host(Actor):
    """One agent. It ends by being killed, or leaves when it was told to drain and has nothing under way."""

    def __init__(
        self,
        house: House,
        machine: Machine,
        registry: Registry,
        services: Mapping[str, Service],
        queues: Sequence[WorkQueue],
        *,
        label: str,
        limit: int | None,
    ) -> None:
        super().__init__(label)
        self.machine = machine
        self._house = house
        settings = _settings(machine.name)
        self.client: OpenClient = house.link(self, self._die)
        instance = Instance(
            settings=settings,
            registry=registry,
            clock=house.world.clock,
            ids=house.ids,
            rules=house.rules,
            client=self.client,
            places=cast(Any, None),
            results=cast(Any, None),
        )
        self.agent = AgentAtWork(instance, queues, limit=limit, beside=_at_once)
        self._rounds = Rounds(instance, {name: _Contained(house, service) for name, service in services.items()})
        self._names = ", ".join(queue.name for queue in queues)
        self._failures = 0
        self._quiet_rounds = 0
        self._turn = 0
        self.is_to_stop = False

    def begin(self) -> None:
        """From now on it is at work."""
        self._house.world.note(self.label, f"begins on {self.machine.name}", f"queues {self._names}", f"limit {self.agent.agent.limit}")
        self._again(0.0)

    def hear(self, event: Event) -> None:
        """It wakes for some events."""
        if event.kind in WAKING and not self.is_acting and self._house.world.random.random() < 0.25:
            self._again(self._house.world.random.uniform(0.0, 0.5))

    def _die(self) -> None:
        world = self._house.world
        if world.random.random() < 0.3:
            self.machine.kill()
        self.is_dead = True

    def _again(self, seconds: float) -> None:
        self._turn += 1
        turn = self._turn
        self._house.world.after(seconds, lambda: self._round(turn), actor=self)

    def _round(self, turn: int) -> None:
        if turn != self._turn:
            return
        world = self._house.world
        before = (world.actions, world.troubles)
        lying = self._left_lying() if self._quiet_rounds else None
        try:
            self._rounds.step()
            due = self.agent.step()
            if self._is_over():
                return
            self._failures = 0
            if before == (world.actions, world.troubles):
                self._quiet_rounds += 1
                self._check_work(lying)
            else:
                self._quiet_rounds = 0
            self._again(self._patience(due))
        except HeadraceError as error:
            self._quiet_rounds = 0
            self._failures += 1
            world.note(self.label, f"will try again: {type(error).__name__}")
            self._again(min(LONGEST_PAUSE, 0.1 * 2**self._failures))

    def _is_over(self) -> bool:
        agent = self.agent
        if self.is_to_stop:
            agent.stop_all()
        elif agent.is_busy or (agent.has_queues and not agent.agent.is_draining):
            return False
        with suppress(HeadraceError):
            agent.leave()
        self._house.world.note(self.label, "leaves")
        self.is_dead = True
        return True

    def _patience(self, due: datetime | None) -> float:
        world = self._house.world
        seconds = (BUSY if self.agent.is_busy else IDLE) * world.random.uniform(0.8, 1.2)
        return seconds if due is None else min(seconds, max(0.01, (due - world.clock.now()).total_seconds()))

    def _check_work(self, before: FlowRun | None) -> None:
        """Nothing went wrong, and nobody else did anything: whatever was claimed for this agent it has heard of, if it has room; and if that is so for the
        second time, what lay there before has been taken."""
        agent = self.agent.agent
        has_room = agent.limit is None or agent.limit > self.agent.underway
        if not has_room or agent.is_draining or not self.agent.has_queues:
            return
        self._house.witness.check_heard(agent.id)
        if before is not None and self._left_lying() == before:
            raise self._house.witness.broken("what is due is taken while there is room", before.id, self.label)

    def _left_lying(self) -> FlowRun | None:
        """The first run that is due in the queues of this agent that are open."""
        now = self._house.world.clock.now()
        with self._house.store.reading() as reading:
            for queue_id in self.agent.agent.queues:
                queue = reading.work_queue(queue_id)
                if queue is None or closed(queue, reading.in_use(queue_id)) is not None:
                    continue
                for run in reading.due(queue_id, now, 10):
                    deployment = reading.deployment(run.deployment_id or "")
                    is_held_back = deployment is not None and deployment.is_paused
                    is_anybodys = run.max_restarts is not None  # else it is of somebody whose process died, and is ended soon
                    if is_anybodys and not is_held_back and (run.run_count or not earlier_runs(reading, run)):
                        return run
        return None


class _Done:
    """What has ended when it is begun."""

    def join(self, timeout: float) -> None:
        """It has."""


def _at_once(chore: Chore) -> _Done:
    chore()
    return _Done()


@attrs.frozen
class _Contained:
    """A service; what it raises beside what is foreseen breaks the world, and is not tried again."""

    house: House
    service: Service

    def step(self, client: OpenClient, now: datetime) -> datetime:
        try:
            return self.service.step(client, now)
        except HeadraceError:
            raise
        except Exception as error:
            raise self.house.witness.broken("services raise what is foreseen", repr(error)) from error


@lru_cache(maxsize=16)
def _settings(machine: str) -> Settings:
    """Those of an agent on a machine; its home is a folder that is not there."""
    return load({"HEADRACE_HOME": "no-such-folder-of-a-simulation", "HEADRACE_FLOW_RUNNER": machine})


def registry_of(machines: Sequence[Machine]) -> Registry:
    """Plugins that offer each machine as a flow runner by its name."""

    class Hooks:
        @hookimpl
        def headrace_flow_runners(self) -> list[Provider[Any]]:
            return [Provider(machine.name, _made(machine), "A machine of a simulated world") for machine in machines]

    return Registry([inline(Hooks())])


def _made(machine: Machine) -> Any:
    def make() -> MachineFlowRunner:
        return MachineFlowRunner(machine)

    return make
