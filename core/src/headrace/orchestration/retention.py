"""Retention: what ended long ago is forgotten, in portions so small that nobody waits for them.

What has not ended stays, however old it is. The mark says up to which creation the details are gone, so that no portion is looked at twice.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import attrs

from headrace.clock import Clock
from headrace.model.agents import Agent
from headrace.model.filters import EventFilter, FlowRunFilter, Page
from headrace.model.retention import Forgotten, Retention
from headrace.model.runs import FlowRun
from headrace.model.states import TERMINAL
from headrace.ports.run_store import OpenRunStore, Reading

MOST_RUNS = 20
"""How many runs are forgotten in one transaction."""

MOST_EVENTS = 1000

DAY = timedelta(days=1)
PATIENCE_SECONDS = 0.5

FORGOTTEN, DETAILS = "forgotten at", "details forgotten up to"
"""Names of marks."""


@attrs.frozen(kw_only=True)
class Forgetting:
    """Forgets."""

    store: OpenRunStore
    clock: Clock
    retention: Retention
    forget_results: Callable[[Iterable[str]], None]

    def forget(self) -> Forgotten:
        """Forgets a portion; `is_all` says whether nothing is left."""
        now = self.clock.now()
        with self.store.reading() as reading:
            runs, details = self._old_runs(reading, now, MOST_RUNS), self._old_details(reading, now, MOST_RUNS)
            events, agents = self._old_events(reading, now), _gone_agents(reading, now)
        if runs or details or events or agents:
            with self.store.writing() as writing:
                for run in runs:
                    writing.delete_flow_run(run.id)
                for run in details:
                    writing.forget_details(run.id)
                    writing.put_mark(DETAILS, run.id)
                if events:
                    writing.forget_events(events[-1])
                for agent in agents:
                    writing.drop_agent(agent.id)
            self.forget_results([run.id for run in runs])
        is_all = len(runs) < MOST_RUNS and len(details) < MOST_RUNS and len(events) < MOST_EVENTS
        return Forgotten(runs=len(runs), details=len(details), events=len(events), agents=len(agents), is_all=is_all)

    def forget_daily(self) -> None:
        """Forgets for a moment, once a day: for people who run scripts only, and have nobody who does it for them."""
        now = self.clock.now()
        with self.store.reading() as reading:
            last = reading.mark(FORGOTTEN)
        if last is not None and now - DAY < datetime.fromisoformat(last) <= now:
            return
        end = self.clock.monotonic() + PATIENCE_SECONDS
        while not self.forget().is_all:
            if self.clock.monotonic() >= end:
                return  # whoever comes next goes on
        with self.store.writing() as writing:
            writing.put_mark(FORGOTTEN, now.isoformat())

    def plan(self) -> Forgotten:
        """What there is to forget, counted and left."""
        now = self.clock.now()
        with self.store.reading() as reading:
            runs, details = 0, 0
            after: str | None = None
            while portion := self._old_runs(reading, now, Page().limit, after):
                runs, after = runs + len(portion), portion[-1].id
            after = reading.mark(DETAILS)
            while portion := self._old_details(reading, now, Page().limit, after):
                details, after = details + len(portion), portion[-1].id
            events = len(self._old_events(reading, now))
            return Forgotten(runs=runs, details=details, events=events, agents=len(_gone_agents(reading, now)), is_all=False)

    def _old_runs(self, reading: Reading, now: datetime, limit: int, after: str | None = None) -> list[FlowRun]:
        return self._ended(reading, now, self.retention.runs, limit, after)

    def _old_details(self, reading: Reading, now: datetime, limit: int, after: str | None = None) -> list[FlowRun]:
        return self._ended(reading, now, self.retention.details, limit, after or reading.mark(DETAILS))

    def _ended(self, reading: Reading, now: datetime, kept: timedelta | None, limit: int, after: str | None) -> list[FlowRun]:
        """The oldest root runs that have ended and were made before the time for which they are kept."""
        if kept is None:
            return []
        wanted = FlowRunFilter(created_before=now - kept, state_types=tuple(sorted(TERMINAL)), root_only=True)
        return reading.flow_runs(wanted, Page(limit=limit, after=after, newest_first=False))

    def _old_events(self, reading: Reading, now: datetime) -> list[int]:
        """The sequences of events older than details are kept, oldest first."""
        if self.retention.details is None:
            return []
        before = now - self.retention.details
        return [event.sequence for event in reading.events(EventFilter(), MOST_EVENTS) if event.moment < before]


def _gone_agents(reading: Reading, now: datetime) -> list[Agent]:
    return [agent for agent in reading.agents() if not agent.live and agent.started < now - DAY]
