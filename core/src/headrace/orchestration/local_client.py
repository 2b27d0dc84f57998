"""The client without a wire: asks the orchestrator and the store of this process."""

import attrs

from headrace.errors import InvalidOption, NotFound
from headrace.model.filters import FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.journals import JournalBatch
from headrace.model.leases import LeaseOrder
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace.orchestration.orchestrator import Orchestrator
from headrace.ports.run_store import OpenRunStore
from headrace.rules.facts import Retry
from headrace.rules.verdicts import Verdict


@attrs.frozen(kw_only=True)
class LocalClient:
    """Everything an outsider may ask, answered in this process."""

    store: OpenRunStore
    orchestrator: Orchestrator

    def create_flow_run(self, run: FlowRun, holder: str | None = None) -> FlowRun:
        return self.orchestrator.create_flow_run(run, holder)

    def read_flow_run(self, run_id: str) -> FlowRun:
        with self.store.reading() as reading:
            run = reading.flow_run(run_id)
        if run is None:
            raise NotFound(what="flow run", name=run_id, command="flow-run ls")
        return run

    def read_flow_runs(self, wanted: FlowRunFilter, page: Page) -> list[FlowRun]:
        with self.store.reading() as reading:
            return reading.flow_runs(wanted, page)

    def delete_flow_run(self, run_id: str) -> None:
        with self.store.writing() as writing:
            if not writing.delete_flow_run(run_id):
                raise NotFound(what="flow run", name=run_id, command="flow-run ls")

    def move_flow_run(self, move: Move) -> Verdict:
        return self.orchestrator.move_flow_run(move)

    def renew_lease(self, run_id: str, epoch: int) -> LeaseOrder:
        return self.orchestrator.renew_lease(run_id, epoch)

    def write_journal(self, batch: JournalBatch) -> LeaseOrder:
        return self.orchestrator.write_journal(batch)

    def move_task_run(self, move: Move, run: TaskRun, retry: Retry) -> Verdict:
        return self.orchestrator.move_task_run(move, run, retry)

    def read_task_run(self, run_id: str) -> TaskRun:
        with self.store.reading() as reading:
            run = reading.task_run(run_id)
        if run is None:
            raise NotFound(what="task run", name=run_id, command="task-run ls")
        return run

    def read_task_runs(self, wanted: TaskRunFilter, page: Page) -> list[TaskRun]:
        with self.store.reading() as reading:
            return reading.task_runs(wanted, page)

    def read_states(self, run_id: str) -> list[State]:
        with self.store.reading() as reading:
            return reading.states(run_id)

    def read_logs(self, wanted: LogFilter, page: Page) -> list[LogLine]:
        with self.store.reading() as reading:
            return reading.logs(wanted, page)

    def read_limits(self) -> list[ConcurrencyLimit]:
        with self.store.reading() as reading:
            return reading.limits()

    def set_limit(self, tag: str, limit: int) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise InvalidOption(where=f"tag {tag!r}", option="limit", value=limit, why="it must be a whole number that is not negative")
        with self.store.writing() as writing:
            writing.set_limit(tag, limit)

    def delete_limit(self, tag: str) -> None:
        with self.store.writing() as writing:
            if not writing.delete_limit(tag):
                raise NotFound(what="concurrency limit of tag", name=tag, command="concurrency-limit ls")
