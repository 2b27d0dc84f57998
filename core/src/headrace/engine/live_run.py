"""A flow run at work in this process: what its tasks share."""

import threading
from collections import Counter
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from headrace.engine.futures import TaskFuture, running_loop
from headrace.engine.journal import Journal
from headrace.engine.loop_thread import LoopThread
from headrace.engine.patience import Patience
from headrace.engine.performers import Performers
from headrace.engine.slots import Slots
from headrace.engine.voice import Voice
from headrace.instance import Instance, task_runner_choice
from headrace.model.choices import Choice
from headrace.model.definitions import FlowDefinition
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace.ports.task_runner import OpenTaskRunner, TaskRunner

CallOf = tuple[str, int]
"""Which call of which task: its key, and how many came before it."""


class LiveRun:
    """One try of a flow run. A subflow's has the journal, the patience, the loop and the slots of its root's, and a task runner of its own."""

    def __init__(
        self,
        house: Instance,
        definition: FlowDefinition,
        run: FlowRun,
        *,
        journal: Journal,
        patience: Patience,
        loop: LoopThread,
        slots: Slots,
        performers: Performers,
        may_retry: bool,
        result_storage: Choice | None = None,
    ) -> None:
        self.house = house
        self.definition = definition
        self.run = run
        self.epoch = run.epoch
        self.journal = journal
        self.patience = patience
        self.loop = loop
        self.slots = slots
        self.performers = performers
        self.may_retry = may_retry
        self.result_storage = result_storage
        self.deadline: float | None = None
        self._overdue: State | None = None
        self.title = f"Flow run {run.name!r}"
        self.voice = Voice(title=self.title, flow_run_id=run.id, new_id=house.ids.new, say=journal.say)
        self.user_loop: Any = None
        self.called_on = running_loop()  # of a plain flow that was called in an async one: it cannot go on before this one has returned
        self.futures: list[TaskFuture[Any]] = []
        self.completed_tasks = 0
        self.pauses = 0
        self.earlier: dict[CallOf, TaskRun] = {}
        self.latest: dict[CallOf, TaskRun] = {}
        self.last_in_order: Future[Any] | None = None
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._closing = ExitStack()
        self._runner: OpenTaskRunner | None = None
        self._runner_value: TaskRunner | None = None

    def next_call(self, task_key: str) -> CallOf:
        """Which call of the task this is."""
        with self._lock:
            number = self._calls[task_key]
            self._calls[task_key] = number + 1
        return task_key, number

    @property
    def time_left(self) -> float | None:
        """Seconds that are left for this try, and for all that was submitted in it; None if there is no end to them."""
        return None if self.deadline is None else self.deadline - self.house.clock.monotonic()

    def begin_again(self) -> None:
        """Makes ready for another try: what has finished is known, and calls are counted anew."""
        self._overdue = None
        self.earlier = {**self.earlier, **self.latest}
        self.latest = {}
        self.futures = []
        self.completed_tasks = 0
        self.pauses = 0
        self.last_in_order = None
        self._calls.clear()

    def note(self, run: TaskRun) -> None:
        """A task run entered the state it is in; where the time of the try is over, one that has not ended has ended with it."""
        with self._lock:
            if self._overdue is not None and not run.state.is_terminal():
                run = run.entering(self._overdue)
            self.latest[run.task_key, run.call] = run
            if run.state.is_completed():
                self.completed_tasks += 1
            self.journal.note(run)

    def end_overdue(self, state: State) -> None:
        """Ends in the journal what could not be ended: code that hears nothing, and runs that are only being made."""
        with self._lock:
            self._overdue = state
            unfinished = [run for run in self.latest.values() if not run.state.is_terminal()]
        for run in unfinished:
            self.note(run)

    @property
    def task_runner(self) -> TaskRunner:
        """The flow's task runner: its own choice, else the setting's, else concurrent where it is installed."""
        with self._lock:
            if self._runner_value is None:
                self._runner_value = _chosen(self.house, self.definition.task_runner)
            return self._runner_value

    @property
    def runner(self) -> OpenTaskRunner:
        """The flow's task runner at work, opened by the first call that is submitted."""
        value = self.task_runner
        with self._lock:
            if self._runner is None:
                self._runner = self._closing.enter_context(value.open())
            return self._runner

    def close(self) -> None:
        """Ends the task runner."""
        self._closing.close()
        self._runner = None


def check_task_runner(house: Instance, wanted: Any) -> None:
    """Raises NotInstalled, DoubleProvider where a flow's choice, or the setting's, names a task runner that there is not. None is loaded for it."""
    name = wanted.name if isinstance(wanted, Choice) else wanted or house.settings.task_runner
    if name and isinstance(name, str):
        house.registry.offer("task runner", name)


def _chosen(house: Instance, wanted: Any) -> TaskRunner:
    if isinstance(wanted, Choice):
        return house.registry.make("task runner", wanted)  # type: ignore[no-any-return]
    if isinstance(wanted, str) or wanted is None:
        choice = Choice(wanted) if wanted else task_runner_choice(house.settings, house.registry)
        return house.registry.make("task runner", choice)  # type: ignore[no-any-return]
    return wanted() if isinstance(wanted, type) else wanted  # type: ignore[no-any-return]
