"""Which task runs of a flow run are shown, where there may be very many."""

from collections.abc import Sequence

import attrs

from headrace.model.filters import Page, TaskRunFilter
from headrace.model.runs import TaskRun
from headrace.model.states import StateType
from headrace.ports.client import OpenClient

FIRST = 200
OTHERS = 50
TELLING = (StateType.FAILED, StateType.CRASHED, StateType.RUNNING, StateType.PAUSED)


@attrs.frozen
class ShownTasks:
    """The first ones in their order, and of the others some that failed or have not ended; `are_more` than are shown."""

    runs: Sequence[TaskRun]
    are_more: bool

    @classmethod
    def of(cls, client: OpenClient, run_id: str) -> "ShownTasks":
        """Those of a flow run."""
        wanted = TaskRunFilter(flow_run_ids=(run_id,))
        found = client.read_task_runs(wanted, Page(limit=FIRST, newest_first=False))
        if len(found) < FIRST or not client.read_task_runs(wanted, Page(limit=1, after=found[-1].id, newest_first=False)):
            return cls(found, are_more=False)
        telling = attrs.evolve(wanted, state_types=TELLING)
        return cls([*found, *client.read_task_runs(telling, Page(limit=OTHERS, after=found[-1].id, newest_first=False))], are_more=True)
