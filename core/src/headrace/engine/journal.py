"""The journal: what the process of a run decided and said, written to the orchestration in batches.

One journal serves a root flow run and its subflows. A batch goes out when enough has come together, on the pulse, and when a flow run ends. What
could not be written stays, and goes with the next batch; while that is so, only who has time for it tries again: the pulse, and the end. Of lines
there is room for so many. When there are more, the oldest go, and one line in their place says how many those were. States are never dropped.
"""

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from itertools import chain

import attrs

from headrace.errors import HeadraceError, RunStopped
from headrace.model.journals import JournalBatch, RunState
from headrace.model.leases import LeaseOrder
from headrace.model.logs import LogLine
from headrace.model.runs import TaskRun

ENOUGH, ENOUGH_BYTES = 2_000, 1 << 20
"""States or lines, and bytes of lines, that are written at once."""

MOST_LINES, MOST_BYTES = 20_000, 1 << 24
"""Lines, and bytes of them, that are kept while they cannot be written."""

logger = logging.getLogger("headrace.journal")


@attrs.frozen
class _Gap:
    """Lines that were dropped: how many, and the newest of them."""

    count: int
    last: LogLine

    def line(self, flow_run_id: str) -> LogLine:
        """What stands in their place; it has the identity of the newest, so that it is written once, as that would have been."""
        lines = "1 line was" if self.count == 1 else f"{self.count} lines were"
        message = f"{lines} dropped here: the journal could not be written, and there was no room for more."
        return LogLine(
            id=self.last.id,
            flow_run_id=flow_run_id,
            timestamp=self.last.timestamp,
            level=logging.WARNING,
            logger=logger.name,
            message=message,
        )


@attrs.frozen
class _Taken:
    """What is being written: if it cannot be, it is put back."""

    runs: dict[str, TaskRun]
    states: list[RunState]
    gap: _Gap | None
    lines: deque[LogLine]

    def batch(self, flow_run_id: str, epoch: int) -> JournalBatch:
        before = () if self.gap is None else (self.gap.line(flow_run_id),)
        return JournalBatch(
            flow_run_id=flow_run_id,
            epoch=epoch,
            task_runs=tuple(self.runs.values()),
            states=tuple(self.states),
            logs=(*before, *self.lines),
        )


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
        self._gap: _Gap | None = None
        self._lines: deque[LogLine] = deque()
        self._bytes = 0
        self._is_behind = False
        self.stopped: str | None = None

    def note(self, run: TaskRun) -> None:
        """Notes that a task run entered the state it is in."""
        with self._lock:
            self._runs[run.id] = run
            self._states.append(RunState(run_id=run.id, revision=run.revision, state=run.state))
            enough = len(self._states) >= ENOUGH
        if enough:
            self._unburden()

    def say(self, line: LogLine) -> None:
        """Notes a line."""
        with self._lock:
            self._lines.append(line)
            self._bytes += sys.getsizeof(line.message)
            enough = len(self._lines) >= ENOUGH or self._bytes >= ENOUGH_BYTES
            if enough:
                self._drop()
        if enough:
            self._unburden()

    def flush(self) -> None:
        """Writes what was noted. Raises what the orchestration raises; nothing is lost by it."""
        with self._writing:
            self._flush()

    def try_flush(self) -> None:
        """Writes what was noted if that can be done now; else says so, once until it can, and it is written the next time."""
        was_behind = self._is_behind
        try:
            self.flush()
        except HeadraceError as error:
            if not was_behind:
                logger.warning("The journal could not be written yet: %s", error)

    @property
    def is_empty(self) -> bool:
        """Whether all that was noted is written."""
        with self._lock:
            return not (self._states or self._lines)

    def rest(self) -> JournalBatch | None:
        """Takes out what could not be written, for who keeps it elsewhere; None if all was."""
        taken = self._take()
        return None if taken is None else taken.batch(self._flow_run_id, self._epoch)

    def obey(self, order: LeaseOrder) -> None:
        """Takes an order that came with an answer."""
        if order.stop and self.stopped is None:
            self.stopped = order.reason

    def check(self, run: str) -> None:
        """Raises RunStopped if this process was told to stop."""
        if self.stopped is not None:
            raise RunStopped(run=run, reason=self.stopped)

    def _unburden(self) -> None:
        """Writes, where that holds up nobody who has something else to do: not while the last time failed, or somebody is at it."""
        if self._is_behind or not self._writing.acquire(blocking=False):
            return
        try:
            self._flush()
        except HeadraceError as error:
            logger.warning("The journal could not be written yet: %s", error)
        finally:
            self._writing.release()

    def _flush(self) -> None:
        taken = self._take()
        if taken is None:
            return
        try:
            for portion in taken.batch(self._flow_run_id, self._epoch).portions():
                self.obey(self._write(portion))
        except BaseException:
            self._put_back(taken)
            raise
        self._is_behind = False

    def _take(self) -> _Taken | None:
        with self._lock:
            if not (self._states or self._lines):
                return None
            taken = _Taken(self._runs, self._states, self._gap, self._lines)
            self._runs, self._states, self._gap, self._lines, self._bytes = {}, [], None, deque(), 0
            return taken

    def _put_back(self, taken: _Taken) -> None:
        with self._lock:
            self._is_behind = True
            self._runs = taken.runs | self._runs
            self._states[:0] = taken.states
            newer, gap = self._lines, self._gap
            self._gap, self._lines = taken.gap, taken.lines
            self._bytes += sum(sys.getsizeof(line.message) for line in taken.lines)
            if gap is not None:  # what was dropped meanwhile is newer than all that comes back
                self._drop(all_of_them=True)
                self._gap = _Gap(gap.count + (self._gap.count if self._gap else 0), gap.last)
            self._lines = deque(chain(self._lines, newer))
            self._drop()

    def _drop(self, *, all_of_them: bool = False) -> None:
        """Drops the oldest lines, as many as there is no room for."""
        count, last = (0, None) if self._gap is None else (self._gap.count, self._gap.last)
        while self._lines and (all_of_them or len(self._lines) > MOST_LINES or self._bytes > MOST_BYTES):
            last = self._lines.popleft()
            self._bytes -= sys.getsizeof(last.message)
            count += 1
        self._gap = None if last is None else _Gap(count, last)
