"""The course of a simulated world: bad times, in which everything may go wrong, then good times, in which everything must come to an end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import attrs

from headrace.errors import NotInstalled
from headrace.ids import Ids
from headrace.model.events import Event
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.runs import FlowRun
from headrace.model.states import NOT_ENDED, State
from headrace.orchestration.local_client import LocalClient
from headrace.ports.client import OpenClient
from headrace.ports.queue_matcher import QueueMatcher
from headrace.ports.run_store import OpenRunStore
from headrace.ports.service import Service
from headrace.reference.queue_matcher import FlowsMatcher
from headrace.rules.decide import RuleBook
from headrace.rules.transitions import is_legal
from headrace.services.late_runs import LateRuns
from headrace.services.lost_leases import LostLeases
from headrace.testing.schedules import every
from headrace.testing.sim import faults
from headrace.testing.sim.host import Host, registry_of
from headrace.testing.sim.house import House
from headrace.testing.sim.link import LONGEST_DELAY
from headrace.testing.sim.machine import Machine
from headrace.testing.sim.people import People
from headrace.testing.sim.process import Process
from headrace.testing.sim.store import WitnessedStore
from headrace.testing.sim.witness import OWNED, Witness
from headrace.testing.sim.world import World

LEASE_SECONDS = 20.0
ROUND_SECONDS = 3.0
TO_BE_FOUND = LEASE_SECONDS + 60.0 + 3 * ROUND_SECONDS
"""Seconds in which a run that was lost in bad times is found, once they are over: a service that failed is tried again within a minute."""

HOUR = 3600.0
TO_END = HOUR + 1500.0
"""Seconds in which everything has ended, once bad times are over; a run may wait for an hour that the clock was set back."""


@attrs.frozen(kw_only=True)
class Scheduler:
    """Has schedules' runs made every `every` seconds."""

    every: float

    def step(self, client: OpenClient, now: datetime) -> datetime:
        """A round."""
        client.schedule_runs()
        return now + timedelta(seconds=self.every)


class Course:
    """What happens in a world, from its beginning."""

    def __init__(self, world: World, store: OpenRunStore, rules: RuleBook, changed: Callable[[LocalClient], LocalClient]) -> None:
        self._world = world
        self._random = world.random
        self._witness = Witness(world)
        ids = Ids(world.clock, seed=self._random.getrandbits(32))
        client, onlooker = (
            LocalClient.over(
                each,
                rules=rules,
                clock=world.clock,
                lease_seconds=LEASE_SECONDS,
                ids=ids,
                matcher=_matcher,
                schedule=every,
                tell=self._tell,
            )
            for each in (WitnessedStore(world, self._witness, store), store)
        )
        self._house = House(
            world=world,
            witness=self._witness,
            store=store,
            client=changed(client),
            onlooker=onlooker,
            rules=rules,
            ids=ids,
        )
        self._machines = [Machine(self._house, f"machine-{number}") for number in range(1, self._random.randint(1, 3) + 1)]
        self._registry = registry_of(self._machines)
        self._services: dict[str, Service] = {"lost_leases": LostLeases(every=ROUND_SECONDS)}
        if self._random.random() < 0.5:
            self._services["scheduler"] = Scheduler(every=ROUND_SECONDS)
        if self._random.random() < 0.2:
            self._services["late_runs"] = LateRuns(every=4 * ROUND_SECONDS)
        self._people = People(self._house, self._machines, most_runs=self._random.randint(2, 6))
        self._hour = self._random.choice((-HOUR, HOUR))
        self._hosts = 0
        self._farthest_skew = 0.0

    def _tell(self, event: Event) -> None:
        for machine in self._machines:
            for host in machine.agents:
                if not host.is_dead:
                    host.hear(event)
            for process in machine.alive():
                process.hear(event)

    # Bad times

    def bad_times(self) -> None:
        """People are busy, and everything fails."""
        world, random = self._world, self._random
        self._people.prepare()
        world.faults = faults.drawn(random)
        world.note("world", "begins", str(world.faults))
        seconds = random.uniform(30.0, 80.0)
        for _ in range(random.randint(8, 20)):
            world.after(random.uniform(0.0, seconds), self._people.do_something, actor=self._people)
        self._look_after_machines()
        self._something_happens()
        world.go_on(seconds)
        world.faults = faults.NONE

    def _look_after_machines(self) -> None:
        """Where no agent is left, one is begun again, sooner or later."""
        for machine in self._machines:
            if all(host.is_dead for host in machine.agents) and self._random.random() < 0.5:
                self._begin_agent(machine)
        if self._world.faults is not faults.NONE:
            self._world.after(5.0, self._look_after_machines)

    def _begin_agent(self, machine: Machine) -> None:
        queues = self._house.onlooker.read_work_queues(WorkQueueFilter(), Page(newest_first=False))
        if not queues:
            return
        if self._world.faults is not faults.NONE:
            queues = self._random.sample(queues, self._random.randint(1, len(queues)))
        self._hosts += 1
        limit = self._random.choice((None, 1, 2))
        host = Host(self._house, machine, self._registry, self._services, queues, label=f"agent-{self._hosts}", limit=limit)
        machine.agents = [*(other for other in machine.agents if not other.is_dead), host]
        host.begin()

    def _something_happens(self) -> None:
        world, random = self._world, self._random
        if world.faults is faults.NONE:
            return
        if world.faults.happening_kinds:
            self._happen(random.choice(world.faults.happening_kinds))
        world.after(random.expovariate(1 / world.faults.pause), self._something_happens)

    def _happen(self, kind: str) -> None:
        world, random = self._world, self._random
        machine = random.choice(self._machines)
        hosts = [host for host in machine.agents if not host.is_dead]
        processes = machine.alive()
        match kind:
            case "clock":
                world.clock.skew = random.choice((0.0, self._hour))
                self._farthest_skew = max(self._farthest_skew, world.clock.skew)
                world.trouble("world", "the clock is set", f"{world.clock.skew:+.0f} seconds")
            case "sleep":
                machine.sleep(random.choice((3.0, 15.0, 25.0, 60.0)))
            case "kill machine":
                machine.kill()
            case "kill agent" | "drain" | "stop" if hosts:
                self._end_agent(random.choice(hosts), kind)
            case "kill code" if processes:
                random.choice(processes).kill_code()
            case "kill supervisor" if processes:
                random.choice(processes).kill()

    def _end_agent(self, host: Host, kind: str) -> None:
        self._world.trouble(host.label, kind)
        if kind == "kill agent":
            host.is_dead = True
            return
        host.agent.drain()
        host.is_to_stop = kind == "stop"

    # Good times

    def good_times(self) -> None:
        """Nothing fails any more: what was lost is found, and everything comes to an end."""
        world = self._world
        world.note("world", "nothing fails any more")
        self._people.tidy()
        self._look_after_agents()
        world.go_on(LONGEST_DELAY)
        if not self._is_at_rest():
            world.go_on(TO_BE_FOUND - LONGEST_DELAY)
            self._check_found()
        world.clock.skew = self._farthest_skew
        self._people.tidy()  # once more, since a message of theirs may have come for the second time
        for machine in self._machines:
            self._begin_agent(machine)
        for process in self._alive():
            if process.hangs:
                self._people.cancel(process.ordered.run_id)
        end = world.clock.monotonic() + TO_END
        while not self._is_at_rest():
            if world.clock.monotonic() > end:
                raise self._witness.broken("everything comes to an end", *self._restless())
            world.go_on(5.0)
        self._check_rest()

    def _look_after_agents(self) -> None:
        """Somebody sees to it that there is one."""
        if all(host.agent.agent.is_draining for host in self._all_hosts()):
            self._begin_agent(self._machines[0])
        self._world.after(5.0, self._look_after_agents)

    def _alive(self) -> list[Process]:
        return [process for machine in self._machines for process in machine.alive()]

    def _unfinished(self) -> list[FlowRun]:
        return self._house.onlooker.read_flow_runs(FlowRunFilter(state_types=NOT_ENDED), Page())

    def _check_found(self) -> None:
        long_ago = self._world.clock.monotonic() - 2 * ROUND_SECONDS
        for account in self._witness.accounts.values():
            if account.run.root_id == account.run.id and account.run.state.type in OWNED and account.expires < long_ago:
                raise self._witness.broken("what was lost is found", account.run.id, account.run.state)

    def _is_at_rest(self) -> bool:
        return not (self._alive() or self._unfinished() or any(host.agent.is_busy for host in self._all_hosts()))

    def _all_hosts(self) -> list[Host]:
        return [host for machine in self._machines for host in machine.agents if not host.is_dead]

    def _restless(self) -> list[str]:
        runs = [f"{run.id} is {run.state}" for run in self._unfinished()]
        processes = [f"process {process.identity} lives" for process in self._alive()]
        return [*runs, *processes, *(f"{host.label} waits for runs" for host in self._all_hosts() if host.agent.is_busy)]

    def _check_rest(self) -> None:
        """Nothing is held, nothing is under way, and every history tells how it came."""
        client, broken = self._house.onlooker, self._witness.broken
        for limit in self._house.onlooker.read_limits():
            if limit.holders:
                raise broken("no slot is held when all has ended", limit.tag, limit.holders)
        for queue in client.read_work_queues(WorkQueueFilter(), Page()):
            if client.count_under_way(queue.id):
                raise broken("no place in a queue is held when all has ended", queue.name)
        for run in client.read_task_runs(TaskRunFilter(), Page()):
            self._check_task_run(run.id)

    def _check_task_run(self, run_id: str) -> None:
        client, broken = self._house.onlooker, self._witness.broken
        run, states = client.read_task_run(run_id), client.read_states(run_id)
        if not run.state.is_terminal():
            raise broken("no task run is under way when all has ended", f"{run.name} of {run.flow_run_id}", run.state)
        for before, after in pairwise(states):
            if not is_legal(before.type, after.type) and not _is_word_of_others(before):
                raise broken("histories of task runs are legal", run.name, f"{before} → {after}")
        if len(states) > run.revision:
            raise broken("a history tells every state of a task run once", run.name, run.revision, [str(state) for state in states])


def _is_word_of_others(state: State) -> bool:
    """Whether this was said of a task run because its flow run had ended; should its process come back, that knows better, and counts on from its own."""
    return (state.message or "").startswith("Its root flow run")


def _matcher(name: str) -> QueueMatcher:
    if name != "flows":
        raise NotInstalled(port="queue matcher", name=name, installed=("flows",))
    return FlowsMatcher()
