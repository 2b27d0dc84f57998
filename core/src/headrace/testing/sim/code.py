"""The process of a run's code: it asks what the engine asks, in the engine's order, with the engine's own journal.

It is a generator of waiting times. What the engine leaves to its driver, is left out: threads, loops, results.
"""

from collections.abc import Generator
from datetime import datetime

import attrs

from headrace.engine.journal import Journal
from headrace.engine.terminated import Terminated
from headrace.errors import HeadraceError, RunStopped
from headrace.model.filters import Page, TaskRunFilter
from headrace.model.moves import Move
from headrace.model.orders import OrderedRun
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State, StateType
from headrace.ports.client import OpenClient
from headrace.rules.facts import Facts, Retry
from headrace.rules.verdicts import Answer, Verdict
from headrace.testing.sim.house import House
from headrace.testing.sim.plan import Call, Plan

ENDED, STOPPED, CRASHED = 0, 3, 1
FOR_EVER = 100_000.0
SHORTEST = 0.01

Waits = Generator[float, None, None]


class Gone(BaseException):
    """The process ends at once, without a word."""


class Code:
    """The code of one run in one epoch, with the engine around it."""

    def __init__(self, house: House, ordered: OrderedRun, client: OpenClient, plan: Plan) -> None:
        self._house = house
        self._client = client
        self._ordered = ordered
        self._plan = plan
        self._journal = Journal(client.write_journal, flow_run_id=ordered.run_id, epoch=ordered.epoch)
        self._earlier: dict[tuple[str, int], TaskRun] = {}
        self._latest: dict[tuple[str, int], TaskRun] = {}

    def life(self) -> Generator[float, None, int]:
        """From loading to the end: the exit code."""
        yield self._plan.loading
        try:
            run = self._client.read_flow_run(self._ordered.run_id)
            if run.epoch != self._ordered.epoch or run.state.is_terminal():
                return STOPPED
            return (yield from self._lived(run))
        except (HeadraceError, Terminated):
            return CRASHED
        except Gone:
            return -9

    def _lived(self, run: FlowRun) -> Generator[float, None, int]:
        self._run = run
        try:
            assert run.deployment_id is not None, "a claimed run is of a deployment"
            self._client.read_deployment(run.deployment_id)
        except HeadraceError as error:
            state = State.failed(message=f"The flow could not be got: {type(error).__name__}")
            self._client.move_flow_run(Move(id=f"{run.id}:{run.epoch}:code", run_id=run.id, state=state, epoch=run.epoch))
            return ENDED
        if self._plan.is_named:
            self._client.name_flow_run(run.id, run.epoch, f"{run.id} named")
        code = ENDED
        try:
            yield from self._tries()
        except RunStopped as stop:
            self._stopped(stop)
            code = STOPPED
        except (HeadraceError, Terminated) as error:
            self._crashed(error)
            code = CRASHED
        self._journal.try_flush()
        return code

    def _tries(self) -> Waits:
        while True:
            yield from self._started()
            if self._run.epoch > 1 and not self._earlier:
                self._earlier = self._finished_before()
            state = yield from self._tried()
            self._journal.flush()
            verdict = self._moved(state)
            if verdict.answer is not Answer.REPLACED or verdict.state is None or verdict.state.scheduled_time is None:
                return
            yield self._until(verdict.state.scheduled_time)
            self._earlier, self._latest = {**self._earlier, **self._latest}, {}

    def _started(self) -> Waits:
        while True:
            verdict = self._moved(State.running())
            if verdict.answer is Answer.REFUSED:
                raise RunStopped(run=self._run.id, reason=verdict.reason)
            if verdict.until is None:
                return
            yield self._until(verdict.until)

    def _until(self, moment: datetime) -> float:
        return max(SHORTEST, (moment - self._house.world.clock.now()).total_seconds())

    def _finished_before(self) -> dict[tuple[str, int], TaskRun]:
        wanted = TaskRunFilter(flow_run_ids=(self._run.id,), state_types=(StateType.COMPLETED,))
        found = self._client.read_task_runs(wanted, Page(newest_first=False))
        return {(run.task_key, run.call): run for run in found}

    def _tried(self) -> Generator[float, None, State]:
        for number, call in enumerate(self._plan.calls):
            self._journal.check(self._run.id)
            known = self._earlier.get(("call", number))
            if known is not None and known.state.is_completed():
                self._note(known)
            else:
                yield from self._called(call, number)
        match self._plan.end:
            case "dies":
                raise Gone
            case "hangs":
                yield FOR_EVER
        self._journal.check(self._run.id)
        return State.failed(message="as planned") if self._plan.end == "fails" else State.completed()

    # Tasks

    def _called(self, call: Call, number: int) -> Waits:
        house, now = self._house, self._house.world.clock.now()
        self._task = TaskRun(
            id=house.ids.new(),
            name=f"call-{number}",
            state=attrs.evolve(State.pending(), timestamp=now),
            created=now,
            tags=(call.tag,) if call.tag is not None else (),
            flow_run_id=self._run.id,
            task_name="call",
            task_key="call",
            call=number,
        )
        self._note(self._task)
        try:
            yield from self._task_tries(call)
        except RunStopped:
            raise
        except (HeadraceError, Terminated) as error:
            if not self._task.state.is_terminal():
                self._enter(State.crashed(type(error).__name__))
            raise

    def _task_tries(self, call: Call) -> Waits:
        while True:
            started = yield from self._task_started()
            if not started:
                return
            self._journal.say(self._house.line(self._run.id, "at work", task_run_id=self._task.id))
            yield from self._worked(call)
            is_failure = self._task.run_count <= call.failures
            state = State.failed(message="as planned") if is_failure else State.completed()
            verdict = self._task_moved(state, Retry(limit=call.retries, delay=2.0))
            if verdict.answer is not Answer.REPLACED or verdict.state is None or verdict.state.scheduled_time is None:
                return
            yield self._until(verdict.state.scheduled_time)

    def _worked(self, call: Call) -> Waits:
        """The pulse writes the journal meanwhile."""
        if call.is_subflow:
            yield from self._subflow(call)
            return
        if call.seconds >= 1.0:
            self._journal.try_flush()
        yield call.seconds

    def _task_started(self) -> Generator[float, None, bool]:
        while True:
            verdict = self._task_moved(State.running(), Retry())
            if verdict.answer is Answer.WAIT and verdict.until is not None:
                self._journal.try_flush()
                self._journal.check(self._run.id)
                yield max(1.0, self._until(verdict.until))
                continue
            if verdict.answer is Answer.REFUSED:
                self._task_moved(State.failed(message=verdict.reason), Retry())
            return self._task.state.is_running()

    def _task_moved(self, state: State, retry: Retry) -> Verdict:
        run = self._task
        move = Move(id=f"{run.id}:{run.revision}", run_id=run.id, state=state, epoch=self._run.epoch)
        if run.tags:
            verdict = self._client.move_task_run(move, run, retry)
        else:
            verdict = self._house.rules.decide(move, Facts(now=self._house.world.clock.now(), run=run, retry=retry))
        if verdict.stop:
            raise RunStopped(run=run.name, reason=verdict.reason)
        if verdict.state is not None:
            self._enter(verdict.state)
        return verdict

    def _enter(self, state: State) -> None:
        if state.timestamp is None:
            state = attrs.evolve(state, timestamp=self._house.world.clock.now())
        self._task = self._task.entering(state)
        self._note(self._task)

    def _note(self, run: TaskRun) -> None:
        self._latest[run.task_key, run.call] = run
        self._journal.note(run)

    def _subflow(self, call: Call) -> Waits:
        house, root = self._house, self._run
        now = house.world.clock.now()
        run = FlowRun(
            id=house.ids.new(),
            name="subflow",
            state=attrs.evolve(State.pending(), timestamp=now),
            created=now,
            flow_name="subflow",
            parent_task_run_id=self._task.id,
            root_id=root.id,
            epoch=root.epoch,
        )
        self._client.create_flow_run(run, None)
        for state in (State.running(), State.completed()):
            move = Move(id=f"{run.id}:{run.epoch}:{run.revision}", run_id=run.id, state=state, epoch=run.epoch)
            verdict = self._client.move_flow_run(move)
            if verdict.stop or verdict.state is None:
                raise RunStopped(run=run.name, reason=verdict.reason)
            run = run.entering(verdict.state)
            yield call.seconds / 2

    # Moves and ends

    def _moved(self, state: State) -> Verdict:
        run = self._run
        verdict = self._client.move_flow_run(Move(id=f"{run.id}:{run.epoch}:{run.revision}", run_id=run.id, state=state, epoch=run.epoch))
        if verdict.stop:
            raise RunStopped(run=run.id, reason=verdict.reason)
        if verdict.state is not None:
            self._run = run.entering(verdict.state)
        return verdict

    def _stopped(self, stop: RunStopped) -> None:
        try:
            self._moved(State.cancelled(stop.reason))
        except HeadraceError:
            return

    def _crashed(self, error: BaseException) -> None:
        if self._run.state.is_terminal():
            return
        try:
            self._journal.try_flush()
            self._moved(State.crashed(f"Execution was interrupted: {type(error).__name__}"))
        except HeadraceError:
            return
