"""Work queues: which there are, and how they are."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property

import attrs

from headrace.model.agents import Agent
from headrace.model.criteria import DEPLOYMENTS, all_in_words, texts_in
from headrace.model.filters import DeploymentFilter, Page, WorkQueueFilter
from headrace.model.queues import WorkQueue
from headrace_dashboard.forms import Form
from headrace_dashboard.view import Done, View

ROWS = 25
MOST_DUE = 50
"""As many runs are counted that wait in a queue."""

MOST_NAMED = 200


@attrs.frozen
class Row:
    """A queue with what it asks for in words, how many of its runs are under way and waiting, how late the first one is, and who serves it."""

    queue: WorkQueue
    wants: str
    under_way: int
    waiting: int
    is_more: bool
    late: timedelta | None
    agents: Sequence[Agent]

    @property
    def is_full(self) -> bool:
        return self.queue.concurrency_limit is not None and self.under_way >= self.queue.concurrency_limit


class WorkQueuesPage(View):
    """All of them, those made last first."""

    template = "work_queues.html"
    title = "Work queues"
    section = "work-queues"
    at = "work-queues"
    live = ("work-queue.", "flow-run.", "deployment.")
    every = 10

    @cached_property
    def _found(self) -> Sequence[WorkQueue]:
        return self.client.read_work_queues(WorkQueueFilter(), Page(limit=ROWS + 1, after=self.asked("after") or None))

    @property
    def next_after(self) -> str | None:
        """After which queue the next page begins."""
        return self._found[ROWS - 1].id if len(self._found) > ROWS else None

    @cached_property
    def rows(self) -> Sequence[Row]:
        titles = titles_of(self, self._found[:ROWS])
        agents = [agent for agent in self.client.read_agents() if agent.live]
        return [row_of(self, queue, titles, agents) for queue in self._found[:ROWS]]

    def do_pause(self, form: Form) -> Done:
        """Lets nothing of a queue start."""
        queue = paused(self, self.client.read_work_queue(form.text("queue")), is_paused=True)
        return Done(f"{queue.name} is paused.")

    def do_resume(self, form: Form) -> Done:
        """Lets runs of a queue start again."""
        queue = paused(self, self.client.read_work_queue(form.text("queue")), is_paused=False)
        return Done(f"{queue.name} goes on.")


def row_of(view: View, queue: WorkQueue, titles: Mapping[str, str], agents: Sequence[Agent]) -> Row:
    """How a queue is."""
    due = view.client.read_due(queue.id, view.now, MOST_DUE)
    return Row(
        queue=queue,
        wants=all_in_words(queue, titles),
        under_way=view.client.count_under_way(queue.id),
        waiting=len(due),
        is_more=len(due) >= MOST_DUE,
        late=due[0].late_by(view.now) if due else None,
        agents=[agent for agent in agents if queue.id in agent.queues],
    )


def paused(view: View, queue: WorkQueue, *, is_paused: bool) -> WorkQueue:
    """The queue, from now on so. Raises ChangedMeanwhile."""
    return view.client.put_work_queue(attrs.evolve(queue, is_paused=is_paused, updated=view.now))


def titles_of(view: View, queues: Sequence[WorkQueue]) -> Mapping[str, str]:
    """The names of deployments that queues ask for, by id."""
    ids = tuple(sorted({each for queue in queues for each in texts_in(queue.criteria.get(DEPLOYMENTS))}))[:MOST_NAMED]
    return {each.id: each.full_name for each in view.client.read_deployments(DeploymentFilter(ids=ids), Page())} if ids else {}
