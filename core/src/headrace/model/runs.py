"""Runs of flows and tasks, as they are remembered."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

import attrs

from headrace.model.choices import Choice
from headrace.model.schedules import Tick
from headrace.model.states import AWAITING_RESUME, State, StateType
from headrace.model.tags import Tags

LATE_AFTER = timedelta(seconds=5)
"""After how long a run that is due is late; who waits for less was never kept waiting."""


@attrs.frozen(kw_only=True)
class _Run:
    """What runs of both kinds have; `revision` counts the states the run has had, `epoch` who owns it for the how-manieth time.

    Times are aware, in UTC; `total_run_time` is seconds spent RUNNING.
    """

    id: str
    name: str
    state: State
    created: datetime
    tags: Tags = ()
    revision: int = 1
    run_count: int = 0
    expected_start_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    total_run_time: float = 0.0

    def entering(self, state: State) -> Self:
        """This run in its next state, with the bookkeeping that goes with it. The state has its timestamp."""
        moment = state.timestamp
        assert moment is not None, "a state enters a run with its timestamp"
        ran = 0.0
        if self.state.type is StateType.RUNNING and self.state.timestamp is not None:
            ran = max(0.0, (moment - self.state.timestamp).total_seconds())
        starts = state.type is StateType.RUNNING
        return attrs.evolve(
            self,
            state=state,
            revision=self.revision + 1,
            run_count=self.run_count + starts,
            start_time=self.start_time or (moment if starts else None),
            end_time=moment if state.is_terminal() else None,
            total_run_time=self.total_run_time + ran,
        )

    def run_time(self, now: datetime) -> float:
        """The seconds that it has been running, up to now where it still does."""
        since = self.state.timestamp if self.state.is_running() else None
        return self.total_run_time + (max(0.0, (now - since).total_seconds()) if since is not None else 0.0)


@attrs.frozen(kw_only=True)
class FlowRun(_Run):
    """One run of a flow. `parameters` are plain data. A subflow knows its parent task run and the root run whose lease it lives under.

    `flow_runner` is of a run that an agent is to start. `is_named` says that somebody chose its name, so that its flow does not; `keeps_result` says
    that its result is to be read later, whatever its flow says. `max_restarts` is how often it is started anew when its process has crashed, and `restarts`
    how often it was; None: by nobody, since no agent takes it. `lost_starts` is how often it was taken and not begun. `pauses` is how often its flow has
    paused it. `work_queue` is the name that the queue had which it was last taken from. `tick` is the time of a schedule that it was made for.
    """

    flow_name: str
    flow_version: str | None = None
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    deployment_id: str | None = None
    parent_task_run_id: str | None = None
    root_id: str
    epoch: int = 0
    retries: int = 0
    retry_delay: float = 0.0
    flow_runner: Choice | None = None
    is_named: bool = False
    keeps_result: bool = False
    restarts: int = 0
    lost_starts: int = 0
    max_restarts: int | None = None
    pauses: int = 0
    work_queue: str | None = None
    tick: Tick | None = None

    def entering(self, state: State) -> Self:
        """As of every run; being started anew, and pausing by itself, is counted."""
        return attrs.evolve(
            super().entering(state),
            restarts=self.restarts + (state.awaits_restart() and not self.state.is_pending()),
            lost_starts=self.lost_starts + (state.awaits_restart() and self.state.is_pending()),
            pauses=self.pauses + (state.is_paused() and state.name == AWAITING_RESUME),
        )

    def late_by(self, now: datetime) -> timedelta | None:
        """How long ago it was due to start, where that is longer than `LATE_AFTER`; None: it is not late."""
        due = self.state.scheduled_time if self.state.is_scheduled() else None
        return now - due if due is not None and now - due > LATE_AFTER else None

    def coming_back(self, state: State) -> Self:
        """This run after all in the state it was in before it was presumed lost, as if it had not left it."""
        was_counted = self.state.awaits_restart()
        return attrs.evolve(
            self.entering(state),
            run_count=self.run_count,
            restarts=self.restarts - (was_counted and not state.is_pending()),
            lost_starts=self.lost_starts - (was_counted and state.is_pending()),
        )


@attrs.frozen(kw_only=True)
class TaskRun(_Run):
    """One call of a task in a flow run: the `call`-th of `task_key`, counted from 0.

    `inputs` says for each parameter which task runs its value came from; `inputs_hash` is what tells a retried run that nothing changed.
    """

    flow_run_id: str
    task_name: str
    task_key: str
    call: int
    task_version: str | None = None
    inputs: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    inputs_hash: str | None = None
    child_flow_run_id: str | None = None
