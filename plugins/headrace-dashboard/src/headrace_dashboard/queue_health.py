"""How work queues are: what is under way, what waits, how late that is, and who serves them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from headrace.model.agents import Agent
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.ports.client import OpenClient

MOST_DUE = 50
"""As many runs are looked at that wait in a queue."""


@attrs.frozen(kw_only=True)
class QueueHealth:
    """A queue, how many of its runs are under way, the first of those that wait in it and are due, how late the first one is, and who serves it."""

    queue: WorkQueue
    under_way: int
    due: Sequence[FlowRun]
    late: timedelta | None
    agents: Sequence[Agent]

    @property
    def waiting(self) -> int:
        return len(self.due)

    @property
    def is_more(self) -> bool:
        """Whether more may wait than are looked at."""
        return len(self.due) >= MOST_DUE

    @property
    def is_full(self) -> bool:
        return self.queue.concurrency_limit is not None and self.under_way >= self.queue.concurrency_limit


def health_of(client: OpenClient, queues: Sequence[WorkQueue], now: datetime) -> list[QueueHealth]:
    """How some queues are."""
    agents = [agent for agent in client.read_agents() if agent.live]
    return [_health(client, queue, agents, now) for queue in queues]


def _health(client: OpenClient, queue: WorkQueue, agents: Sequence[Agent], now: datetime) -> QueueHealth:
    due = client.read_due(queue.id, now, MOST_DUE)
    return QueueHealth(
        queue=queue,
        under_way=client.count_under_way(queue.id),
        due=due,
        late=due[0].late_by(now) if due else None,
        agents=[agent for agent in agents if queue.id in agent.queues],
    )
