"""What a run may ask for: what concerns itself and the subflows in it, in its own epoch. Whatever is not named here is not for runs.

What a run tells of itself reaches the orchestration in an old epoch too, which answers with the order to stop. All else is good for as long as the run is
the one of this epoch; and to look, until a while after it has ended, so that a token which was found later opens nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import attrs

from headrace.errors import NotAllowed, NotFound
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter
from headrace.model.journals import JournalBatch
from headrace.model.runs import FlowRun
from headrace.model.tokens import Scope
from headrace.ports.client import Operation
from headrace.ports.run_store import OpenRunStore

STILL_GOOD = timedelta(days=1)
"""How long a run may look and keep results after its end: it may have been presumed lost, and tells late what it could not tell before."""


@attrs.frozen(kw_only=True)
class OwnRun:
    """A root run that asks, by the token of one epoch."""

    store: OpenRunStore
    run_id: str
    epoch: int
    now: datetime

    def check(self, operation: Operation, arguments: Mapping[str, Any]) -> None:
        """Lets it look, and do what is its own. Raises NotAllowed, and NotFound where the run is gone."""
        if (tells := _TOLD.get(operation.name)) is not None:
            self._refuse_unless(tells(self, arguments), operation, f"a run may ask for what is its own, in its epoch {self.epoch}")
            return
        run = self._run()
        self._refuse_unless(not self._is_over(run), operation, "it has ended")
        if operation.scope is Scope.VIEWER:
            return
        may = _WHILE_ITS_OWN.get(operation.name)
        self._refuse_unless(may is not None and may(self, arguments), operation, "a run may ask for what is its own")
        self._refuse_unless(run.epoch == self.epoch, operation, f"it is in epoch {run.epoch} by now, not {self.epoch}")

    def _refuse_unless(self, is_allowed: bool, operation: Operation, why: str) -> None:  # noqa: FBT001 - read as a sentence
        if not is_allowed:
            raise NotAllowed(who=f"flow run {self.run_id}", what=operation.name, why=why)

    def _run(self) -> FlowRun:
        with self.store.reading() as reading:
            run = reading.flow_run(self.run_id)
        if run is None:
            raise NotFound(what="flow run", name=self.run_id, command="flow-run ls")
        return run

    def _is_over(self, run: FlowRun) -> bool:
        ended = run.state.timestamp
        return run.state.is_terminal() and ended is not None and ended + STILL_GOOD < self.now

    # What is its own

    def _has(self, flow_run_ids: Iterable[str]) -> bool:
        """Whether these are the run itself or subflows in it."""
        others = set(flow_run_ids) - {self.run_id}
        if not others:
            return True
        with self.store.reading() as reading:
            found = reading.flow_runs(FlowRunFilter(ids=tuple(others)), Page(limit=len(others)))
        return len(found) == len(others) and all(run.root_id == self.run_id for run in found)

    def _has_tasks(self, task_run_ids: Iterable[str]) -> bool:
        """Whether no task run that is known is another run's."""
        ids = set(task_run_ids)
        if not ids:
            return True
        with self.store.reading() as reading:
            known = reading.task_runs(TaskRunFilter(ids=tuple(ids)), Page(limit=len(ids)))
        return self._has(run.flow_run_id for run in known)

    def makes(self, asked: Mapping[str, Any]) -> bool:
        """A subflow."""
        run: FlowRun = asked["run"]
        is_inside = run.root_id == self.run_id != run.id and run.epoch == self.epoch and not asked["holder"]
        return is_inside and self._has_tasks([run.parent_task_run_id] if run.parent_task_run_id is not None else ())

    def moves(self, asked: Mapping[str, Any]) -> bool:
        """Itself or a subflow."""
        return asked["move"].epoch == self.epoch and self._has([asked["move"].run_id])

    def moves_task_run(self, asked: Mapping[str, Any]) -> bool:
        """A task run that it has."""
        move, run = asked["move"], asked["run"]
        return move.epoch == self.epoch and move.run_id == run.id and self._has([run.flow_run_id]) and self._has_tasks([run.id])

    def is_it(self, asked: Mapping[str, Any]) -> bool:
        """Itself, by its id and epoch."""
        return bool(asked["run_id"] == self.run_id and asked["epoch"] == self.epoch)

    def writes(self, asked: Mapping[str, Any]) -> bool:
        """Its journal, in which all is its own."""
        batch: JournalBatch = asked["batch"]
        if batch.flow_run_id != self.run_id or batch.epoch != self.epoch:
            return False
        told = {run.id for run in batch.task_runs}
        spoke = {line.task_run_id for line in batch.logs if line.task_run_id is not None}
        of = {run.flow_run_id for run in batch.task_runs} | {line.flow_run_id for line in batch.logs}
        return all(state.run_id in told for state in batch.states) and self._has(of) and self._has_tasks(told | spoke)

    def keeps(self, asked: Mapping[str, Any]) -> bool:
        """A result of its own, in the folder of the orchestration."""
        _, _, key = asked["key"].partition("/")
        return bool(key.startswith(f"results/{self.run_id}/"))

    def reserves(self, asked: Mapping[str, Any]) -> bool:
        """Its own results."""
        return bool(asked["run_id"] == self.run_id)

    def always(self, _: Mapping[str, Any]) -> bool:
        """What any run may: ask for runs of deployments, and read what others have kept, as results that are used again; so it opens the storages that these
        are in, too."""
        return True


_Concerns = Mapping[str, Callable[[OwnRun, Mapping[str, Any]], bool]]

_TOLD: _Concerns = MappingProxyType(
    {
        "create_flow_run": OwnRun.makes,
        "move_flow_run": OwnRun.moves,
        "name_flow_run": OwnRun.is_it,
        "renew_lease": OwnRun.is_it,
        "write_journal": OwnRun.writes,
        "move_task_run": OwnRun.moves_task_run,
    }
)
"""Each names the epoch that it is asked in, and the orchestration refuses those that are over."""

_WHILE_ITS_OWN: _Concerns = MappingProxyType(
    {
        "request_run": OwnRun.always,
        "open_storage": OwnRun.always,
        "reserve_results": OwnRun.reserves,
        "read_file": OwnRun.always,
        "list_files": OwnRun.always,
        "write_file": OwnRun.keeps,
        "delete_file": OwnRun.keeps,
    }
)
