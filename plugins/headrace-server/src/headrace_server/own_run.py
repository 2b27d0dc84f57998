"""What a run may ask for: what concerns itself and the subflows in it, in its own epoch. Whatever is not named here is not for runs."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs

from headrace.errors import NotAllowed
from headrace.model.journals import JournalBatch
from headrace.model.tokens import Scope
from headrace.ports.client import Operation
from headrace.ports.run_store import OpenRunStore


@attrs.frozen(kw_only=True)
class OwnRun:
    """A root run that asks, by the token of one epoch."""

    store: OpenRunStore
    run_id: str
    epoch: int

    def check(self, operation: Operation, arguments: Mapping[str, Any]) -> None:
        """Lets it look, and do what is its own. Raises NotAllowed."""
        if operation.scope is Scope.VIEWER:
            return
        concerns = _CONCERNS.get(operation.name)
        if concerns is None or not concerns(self, arguments):
            why = f"a run may ask for what is its own, in its epoch {self.epoch}"
            raise NotAllowed(who=f"flow run {self.run_id}", what=operation.name, why=why)

    def _has(self, flow_run_ids: Iterable[str]) -> bool:
        """Whether these are the run itself or subflows in it."""
        others = set(flow_run_ids) - {self.run_id}
        if not others:
            return True
        with self.store.reading() as reading:
            found = [reading.flow_run(each) for each in others]
        return all(run is not None and run.root_id == self.run_id for run in found)

    def makes(self, asked: Mapping[str, Any]) -> bool:
        """A subflow."""
        run = asked["run"]
        return run.root_id == self.run_id != run.id and run.epoch == self.epoch and not asked["holder"]

    def moves(self, asked: Mapping[str, Any]) -> bool:
        """Itself or a subflow."""
        return asked["move"].epoch == self.epoch and self._has([asked["move"].run_id])

    def moves_task_run(self, asked: Mapping[str, Any]) -> bool:
        """A task run that it has."""
        move, run = asked["move"], asked["run"]
        return move.epoch == self.epoch and move.run_id == run.id and self._has([run.flow_run_id])

    def is_it(self, asked: Mapping[str, Any]) -> bool:
        """Itself, by its id and epoch."""
        return bool(asked["run_id"] == self.run_id and asked["epoch"] == self.epoch)

    def writes(self, asked: Mapping[str, Any]) -> bool:
        """Its journal, in which all is its own."""
        batch: JournalBatch = asked["batch"]
        if batch.flow_run_id != self.run_id or batch.epoch != self.epoch:
            return False
        told = {run.id for run in batch.task_runs}
        of = {run.flow_run_id for run in batch.task_runs} | {line.flow_run_id for line in batch.logs}
        return all(state.run_id in told for state in batch.states) and self._has(of)

    def keeps(self, asked: Mapping[str, Any]) -> bool:
        """A result of its own."""
        return bool(asked["key"].startswith(f"results/{self.run_id}/"))

    def always(self, _: Mapping[str, Any]) -> bool:
        """What any run may: ask for runs of deployments, and read what others have kept, as results that are used again."""
        return True


_CONCERNS: Mapping[str, Callable[[OwnRun, Mapping[str, Any]], bool]] = MappingProxyType(
    {
        "create_flow_run": OwnRun.makes,
        "move_flow_run": OwnRun.moves,
        "name_flow_run": OwnRun.is_it,
        "renew_lease": OwnRun.is_it,
        "write_journal": OwnRun.writes,
        "move_task_run": OwnRun.moves_task_run,
        "request_run": OwnRun.always,
        "read_file": OwnRun.always,
        "list_files": OwnRun.always,
        "write_file": OwnRun.keeps,
        "delete_file": OwnRun.keeps,
    }
)
