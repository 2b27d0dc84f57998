"""The plan of a copy: which pages are in it."""

from collections.abc import Iterator, Sequence

import attrs

from headrace.cli import lookup
from headrace.errors import NotFound
from headrace.model.deployments import Deployment
from headrace.model.filters import MOST_ROWS, DeploymentFilter, FlowRunFilter, Page, WorkQueueFilter, all_of
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace.ports.client import OpenClient
from headrace_dashboard.copies.sheets import FIRST, Sheet, Sheets, file_name
from headrace_dashboard.menu import MENU
from headrace_dashboard.shown_tasks import ShownTasks
from headrace_dashboard.site import PAGES

FAILED = (StateType.FAILED, StateType.CRASHED)
BEGUN = tuple(kind for kind in StateType if kind is not StateType.SCHEDULED)


@attrs.frozen(kw_only=True)
class Wanted:
    """What a copy is to have: pages of the menu by their paths, with those that hang on them; so many of the newest flow runs, or those that are chosen."""

    pages: Sequence[str]
    runs: int
    chosen: Sequence[FlowRun] = ()
    failed_first: bool = False
    has_logs: bool = True


class Plan:
    """Finds the pages. `runs` and `deployments` are those that have a page of their own."""

    def __init__(self, client: OpenClient, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self.sheets = Sheets()
        self.runs: list[FlowRun] = []
        self.deployments: list[Deployment] = []

    def made(self) -> "Plan":
        """With all its pages."""
        self._add_menu()
        if "work-queues" in self._wanted.pages:
            self._add_work_queues()
        if "storages" in self._wanted.pages:
            self._add_storages()
        if "deployments" in self._wanted.pages:
            for deployment in all_of(self._client.read_deployments, DeploymentFilter()):
                self._add_deployment(deployment)
        if self._wanted.chosen:
            self._add_chosen()
        elif "flow-runs" in self._wanted.pages:
            for run in self._newest():
                self._add_run(run)
        return self

    def _add(self, sheet: Sheet) -> None:
        self.sheets.add(sheet)
        for told in dict(PAGES)[sheet.route].variants:
            self.sheets.add(sheet.varied(told))

    # Pages of the menu, and what hangs on them

    def _add_menu(self) -> None:
        for entry in MENU:
            if entry.path in self._wanted.pages:
                self._add(Sheet(route=f"/{entry.path}", file=f"{entry.path}.html" if entry.path else FIRST, title=entry.name))

    def _add_work_queues(self) -> None:
        for queue in all_of(self._client.read_work_queues, WorkQueueFilter()):
            self._add(
                Sheet(
                    route="/work-queues/{queue_id}",
                    places={"queue_id": queue.id},
                    file=f"work-queues/{file_name(queue.id)}.html",
                    title=f"Work queue {queue.name}",
                )
            )

    def _add_storages(self) -> None:
        for storage in self._client.read_storages():
            self._add(
                Sheet(
                    route="/storages/{storage}",
                    places={"storage": storage.name},
                    file=f"storages/{file_name(storage.id)}.html",
                    title=f"Storage {storage.name}",
                )
            )

    def _add_deployment(self, deployment: Deployment) -> None:
        if any(deployment.id == known.id for known in self.deployments):
            return
        self.deployments.append(deployment)
        self._add(
            Sheet(
                route="/deployments/{deployment_id}",
                places={"deployment_id": deployment.id},
                file=f"deployments/{file_name(deployment.id)}.html",
                title=f"Deployment {deployment.full_name}",
            )
        )

    # Runs

    def _newest(self) -> Iterator[FlowRun]:
        """The newest runs that have begun, and after them those that have not; failed ones first, if that is wanted."""
        wanted = [FlowRunFilter(state_types=FAILED)] if self._wanted.failed_first else []
        wanted += [FlowRunFilter(state_types=BEGUN), FlowRunFilter(state_types=(StateType.SCHEDULED,))]
        seen: set[str] = set()
        for each in wanted:
            for run in all_of(self._client.read_flow_runs, each):
                if len(seen) >= self._wanted.runs:
                    return
                if run.id not in seen:
                    seen.add(run.id)
                    yield run

    def _add_chosen(self) -> None:
        """Those that were chosen, with the runs of flows that they called and the deployment of each."""
        for chosen in self._wanted.chosen:
            for run in (chosen, *_subflows(self._client, chosen)):
                self._add_run(run)
        ids = tuple({run.deployment_id for run in self.runs if run.deployment_id is not None})
        for number in range(0, len(ids), MOST_ROWS):
            for deployment in self._client.read_deployments(DeploymentFilter(ids=ids[number : number + MOST_ROWS]), Page()):
                self._add_deployment(deployment)

    def _add_run(self, run: FlowRun) -> None:
        places = {"run_id": run.id}
        name = file_name(run.id)
        title = f"Flow run {run.name} of {run.flow_name}, {run.state.name.lower()}"
        if not self.sheets.add(Sheet(route="/flow-runs/{run_id}", places=places, file=f"flow-runs/{name}.html", title=title)):
            return
        self.runs.append(run)
        if self._wanted.has_logs:
            self.sheets.add(Sheet(route="/flow-runs/{run_id}/log.txt", places=places, file=f"flow-runs/{name}/log.txt"))
        for task in ShownTasks.of(self._client, run.id).runs:
            self.sheets.add(Sheet(route="/task-runs/{run_id}", places={"run_id": task.id}, file=f"task-runs/{file_name(task.id)}.html"))


def _subflows(client: OpenClient, run: FlowRun) -> Iterator[FlowRun]:
    """The runs of flows that a run called, and those that they called."""
    callers = {run.id}
    others = sorted(all_of(client.read_flow_runs, FlowRunFilter(root_ids=(run.root_id,))), key=lambda each: each.id)
    for other in others:
        if _caller(client, other) in callers:
            callers.add(other.id)
            yield other


def _caller(client: OpenClient, run: FlowRun) -> str | None:
    """Which run called it, as far as that is still known."""
    if run.parent_task_run_id is None:
        return None
    try:
        return client.read_task_run(run.parent_task_run_id).flow_run_id
    except NotFound:
        return None


def chosen_runs(client: OpenClient, given: Sequence[str]) -> Sequence[FlowRun]:
    """The runs that are meant. Raises NotFound, Ambiguous."""
    return [lookup.flow_run(client, each) for each in given]
