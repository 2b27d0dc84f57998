"""People: they ask for runs, cancel and delete them, and change everything at any moment."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import attrs

from headrace.errors import HeadraceError
from headrace.model.choices import Choice
from headrace.model.deployments import UNIVERSAL, Code, Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, WorkQueueFilter
from headrace.model.moves import Move
from headrace.model.orders import OrderedRun
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, OnMissed, Overlap
from headrace.model.states import NOT_ENDED, TERMINAL, State, StateType
from headrace.testing.clock import START
from headrace.testing.sim.faults import NONE
from headrace.testing.sim.house import House
from headrace.testing.sim.machine import Machine
from headrace.testing.sim.plan import TAGS
from headrace.testing.sim.world import Actor

FLOWS = ("f", "g")
CATCH_ALL = "catch-all"
ENDS = tuple(sorted(TERMINAL))
CANCELLING = State(type=StateType.CANCELLING, message="a person said so")


class People(Actor):
    """Everybody who is no machine. `most_runs` is how many runs they ask for in all."""

    def __init__(self, house: House, machines: list[Machine], *, most_runs: int) -> None:
        super().__init__("people")
        self._house = house
        self._random = house.world.random
        self._machines = machines
        self._client = house.link(self)
        self._most_runs = most_runs
        self._runs = 0
        self._queues = 0
        self._doings: tuple[tuple[Callable[[], None], int], ...] = (
            (self._ask_for_a_run, 10),
            (self._execute, 1),
            (self._cancel, 4),
            (self._delete_run, 1),
            (self._retry_run, 2),
            (self._pause_run, 1),
            (self._resume_run, 2),
            (self._change_queue, 4),
            (self._make_queue, 1),
            (self._delete_queue, 1),
            (self._limit_tag, 2),
            (self._forget_limit, 1),
            (self._change_deployment, 1),
            (self._delete_deployment, 1),
            (self._pause_deployment, 1),
            (self._resume_deployment, 1),
        )

    # Before it begins

    def prepare(self) -> None:
        """Deployments, queues and limits that are there from the beginning."""
        client, random = self._client, self._random
        client.put_deployments(tuple(self._deployment(flow) for flow in FLOWS))
        for _ in range(random.randint(1, 3)):
            client.put_work_queue(self._new_queue())
        for tag in TAGS:
            if random.random() < 0.6:
                client.set_limit(tag, random.randint(1, 2))

    def _deployment(self, flow: str) -> Deployment:
        random = self._random
        return Deployment(
            id=flow,
            name=flow,
            flow_name=flow,
            code=Code(entrypoint=f"flows:{flow}"),
            retries=random.choice((0, 0, 1)),
            retry_delay=random.choice((1.0, 10.0)),
            max_restarts=random.choice((0, 0, 1, 2, 5)),
            created=START,
            updated=START,
            schedules=self._schedules(),
            flow_runner=Choice("unheard-of" if random.random() < 0.05 else UNIVERSAL),
        )

    def _schedules(self) -> tuple[DeploymentSchedule, ...]:
        random = self._random
        if random.random() < 0.7:
            return ()
        kind = Choice("every", {"seconds": random.choice((7.0, 20.0, 600.0))})
        on_missed, overlap = random.choice(tuple(OnMissed)), random.choice(tuple(Overlap))
        return (DeploymentSchedule(kind=kind, on_missed=on_missed, most_missed=random.randint(1, 3), overlap=overlap),)

    def _new_queue(self) -> WorkQueue:
        self._queues += 1
        name = f"queue-{self._queues}"
        return WorkQueue(id=name, name=name, created=START, updated=START, **self._wishes())

    def _wishes(self) -> Mapping[str, Any]:
        random = self._random
        criteria = {} if random.random() < 0.5 else {"flows": [random.choice(FLOWS)]}
        return {"criteria": criteria, "concurrency_limit": random.choice((None, None, 0, 1, 1, 2)), "is_paused": random.random() < 0.15}

    # What they do

    def do_something(self) -> None:
        """Whatever comes to mind."""
        if self._house.world.faults is NONE:
            return
        doings, weights = zip(*self._doings, strict=True)
        (doing,) = self._random.choices(doings, weights)
        try:
            doing()
        except HeadraceError as error:
            self._house.world.note(self.label, f"are told: {type(error).__name__}")

    def _ask_for_a_run(self) -> None:
        if self._runs < self._most_runs:
            self._client.request_run(self._request())

    def _request(self, holder: str | None = None) -> RunRequest:
        self._runs += 1
        random, name = self._random, f"run-{self._runs}"
        at = self._house.world.clock.now() + timedelta(seconds=random.uniform(-5, 30)) if random.random() < 0.4 else None
        return RunRequest(id=name, deployment_id=random.choice(FLOWS), name=name, at=at if holder is None else None, holder=holder)

    def _execute(self) -> None:
        """A run that nobody needs to take: its process is begun by who asks for it."""
        if self._runs < self._most_runs:
            run = self._client.request_run(self._request(self._house.ids.new()))
            self._random.choice(self._machines).begin(OrderedRun(run_id=run.id, epoch=run.epoch))

    def _some_run(self, state_types: tuple[StateType, ...] = NOT_ENDED) -> FlowRun | None:
        runs = self._house.onlooker.read_flow_runs(FlowRunFilter(state_types=state_types, root_only=True), Page())
        return self._random.choice(runs) if runs else None

    def _cancel(self) -> None:
        run = self._some_run()
        if run is not None:
            self.cancel(run.id)

    def cancel(self, run_id: str) -> None:
        """Says that a run is to end."""
        self._client.move_flow_run(Move(id=self._house.ids.new(), run_id=run_id, state=CANCELLING))

    def _delete_run(self) -> None:
        run = self._some_run()
        if run is not None:
            self._client.delete_flow_run(run.id)

    def _retry_run(self) -> None:
        run = self._some_run(ENDS)
        if run is not None:
            self._client.retry_flow_run(run.id, self._house.ids.new())

    def _pause_run(self) -> None:
        run = self._some_run()
        if run is not None:
            self._client.move_flow_run(Move(id=self._house.ids.new(), run_id=run.id, state=State.paused("a person said so")))

    def _resume_run(self) -> None:
        run = self._some_run((StateType.PAUSED,))
        if run is not None:
            self._client.resume_flow_run(run.id, self._house.ids.new())

    def _some_queue(self) -> WorkQueue | None:
        queues = [queue for queue in self._house.onlooker.read_work_queues(WorkQueueFilter(), Page()) if queue.name != CATCH_ALL]
        return self._random.choice(queues) if queues else None

    def _change_queue(self) -> None:
        queue = self._some_queue()
        if queue is not None:
            self._client.put_work_queue(attrs.evolve(queue, **self._wishes()))

    def _make_queue(self) -> None:
        self._client.put_work_queue(self._new_queue())

    def _delete_queue(self) -> None:
        queue = self._some_queue()
        if queue is not None:
            self._client.delete_work_queue(queue.id)

    def _limit_tag(self) -> None:
        self._client.set_limit(self._random.choice(TAGS), self._random.randint(0, 2))

    def _forget_limit(self) -> None:
        self._client.delete_limit(self._random.choice(TAGS))

    def _change_deployment(self) -> None:
        self._client.put_deployments((self._deployment(self._random.choice(FLOWS)),))

    def _delete_deployment(self) -> None:
        self._client.delete_deployment(self._random.choice(FLOWS))

    def _pause_deployment(self) -> None:
        self._client.pause_deployment(self._random.choice(FLOWS))

    def _resume_deployment(self) -> None:
        self._client.resume_deployment(self._random.choice(FLOWS))

    # When all is over

    def tidy(self) -> None:
        """What waits will be taken: a queue wants all runs, and tag limits let somebody through."""
        client = self._client
        if not client.read_work_queues(WorkQueueFilter(names=(CATCH_ALL,)), Page()):
            client.put_work_queue(WorkQueue(id=CATCH_ALL, name=CATCH_ALL, created=START, updated=START))
        for limit in client.read_limits():
            client.set_limit(limit.tag, max(1, limit.limit))
        there = client.read_deployments(DeploymentFilter(), Page())
        client.put_deployments(tuple(attrs.evolve(deployment, schedules=()) for deployment in there))
        deployments = [deployment.id for deployment in there]
        for deployment_id in deployments:
            client.resume_deployment(deployment_id)
        for run in client.read_flow_runs(FlowRunFilter(state_types=(StateType.PAUSED,), root_only=True), Page()):
            if run.deployment_id in deployments:
                client.resume_flow_run(run.id, self._house.ids.new())
            else:
                self.cancel(run.id)
