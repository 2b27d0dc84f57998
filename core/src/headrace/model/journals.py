"""What a run's process has decided and said since it last wrote: one batch of its journal."""

import attrs

from headrace.model.logs import LogLine
from headrace.model.runs import TaskRun
from headrace.model.states import State


@attrs.frozen(kw_only=True)
class RunState:
    """A state that a run had; `revision` is its place in the run's history, from 1."""

    run_id: str
    revision: int
    state: State


@attrs.frozen(kw_only=True)
class JournalBatch:
    """Task runs in their newest shape, the states that led there, and log lines; all of one root flow run and its subflows.

    Writing a batch twice changes nothing: each entry has its identity.
    """

    flow_run_id: str
    epoch: int
    task_runs: tuple[TaskRun, ...] = ()
    states: tuple[RunState, ...] = ()
    logs: tuple[LogLine, ...] = ()
