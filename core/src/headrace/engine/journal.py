"""The journal: what the process of a run decided and said, written to the orchestration in batches.

One journal serves a root flow run and its subflows. A batch goes out when enough has come together, on the pulse, and when a flow run ends. What
could not be written stays, and goes with the next batch.
"""

import logging
import threading
from collections.abc import Callable

from headrace.errors import HeadraceError, RunStopped
from headrace.model.journals import JournalBatch, RunState
from headrace.model.leases import LeaseOrder
from headrace.model.logs import LogLine
from headrace.model.runs import TaskRun

ENOUGH = 2000

logger = logging.getLogger("headrace.journal")


class Journal:
    """Takes notes from any thread. `stopped` is why this process may not go on, once it was told so."""

    def __init__(self, write: Callable[[JournalBatch], LeaseOrder], *, flow_run_id: str, epoch: int) -> None:
        self._write = write
        self._flow_run_id = flow_run_id
        self._epoch = epoch
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._runs: dict[str, TaskRun] = {}
        self._states: list[RunState] = []
        self._lines: list[LogLine] = []
        self.stopped: str | None = None

    def note(self, run: TaskRun) -> None:
        """Notes that a task run entered the state it is in."""
        with self._lock:
            self._runs[run.id] = run
            self._states.append(RunState(run_id=run.id, revision=run.revision, state=run.state))
            enough = len(self._states) >= ENOUGH
        if enough:
            self.try_flush()

    def say(self, line: LogLine) -> None:
        """Notes a line."""
        with self._lock:
            self._lines.append(line)
            enough = len(self._lines) >= ENOUGH
        if enough:
            self.try_flush()

    def flush(self) -> None:
        """Writes what was noted. Raises what the orchestration raises; nothing is lost by it."""
        with self._writing:
            batch = self._taken()
            if batch is None:
                return
            try:
                order = self._write(batch)
            except BaseException:
                self._put_back(batch)
                raise
            self.obey(order)

    def try_flush(self) -> None:
        """Writes what was noted if that can be done now; else says so, once more the next time."""
        try:
            self.flush()
        except HeadraceError as error:
            logger.warning("The journal could not be written yet: %s", error)

    def obey(self, order: LeaseOrder) -> None:
        """Takes an order that came with an answer."""
        if order.stop and self.stopped is None:
            self.stopped = order.reason

    def check(self, run: str) -> None:
        """Raises RunStopped if this process was told to stop."""
        if self.stopped is not None:
            raise RunStopped(run=run, reason=self.stopped)

    def _taken(self) -> JournalBatch | None:
        with self._lock:
            if not (self._states or self._lines):
                return None
            batch = JournalBatch(
                flow_run_id=self._flow_run_id,
                epoch=self._epoch,
                task_runs=tuple(self._runs.values()),
                states=tuple(self._states),
                logs=tuple(self._lines),
            )
            self._runs, self._states, self._lines = {}, [], []
            return batch

    def _put_back(self, batch: JournalBatch) -> None:
        with self._lock:
            self._runs = {run.id: run for run in batch.task_runs} | self._runs
            self._states[:0] = batch.states
            self._lines[:0] = batch.logs
