"""Agents: those that are there, or were lately."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from headrace.model.agents import Agent
from headrace.model.filters import MOST_ROWS, Page, WorkQueueFilter
from headrace.model.queues import WorkQueue
from headrace_dashboard.view import View

SHOWN = 200


class AgentsPage(View):
    """All of them, those at work first."""

    template = "agents.html"
    title = "Agents"
    section = "agents"
    at = "agents"
    live = ("agent.", "work-queue.", "flow-run.")
    every = 10

    @cached_property
    def _all(self) -> Sequence[Agent]:
        found = self.client.read_agents()
        return sorted(sorted(found, key=lambda agent: agent.started, reverse=True), key=lambda agent: (not agent.live, agent.is_draining))

    @property
    def agents(self) -> Sequence[Agent]:
        return self._all[:SHOWN]

    @property
    def more(self) -> int:
        """How many are not shown."""
        return max(0, len(self._all) - SHOWN)

    @property
    def at_work(self) -> int:
        """How many there are."""
        return sum(agent.live for agent in self._all)

    @cached_property
    def queues(self) -> Mapping[str, WorkQueue]:
        """The work queues that they serve, by id; deleted ones are not among them."""
        ids = tuple(sorted({each for agent in self.agents for each in agent.queues}))[:MOST_ROWS]
        return {each.id: each for each in self.client.read_work_queues(WorkQueueFilter(ids=ids), Page())} if ids else {}
