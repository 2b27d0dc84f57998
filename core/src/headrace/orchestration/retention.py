"""Retention: what ended long ago is forgotten, in portions so small that nobody waits for them.

What has not ended stays, however old it is. The mark says up to which creation the details are gone, so that no portion is looked at twice.
"""

from bisect import bisect_left
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

MOST_COUNTED = 100_000
"""How far a plan counts runs, which takes some milliseconds."""

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
            runs, details = self._old_runs(reading, now), self._old_details(reading, now)
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
        """What there is to forget, counted as far as that takes a moment, and left."""
        now = self.clock.now()
        with self.store.reading() as reading:
            runs = self._count_ended(reading, now, self.retention.runs)
            details = self._count_ended(reading, now, self.retention.details, reading.mark(DETAILS))
            return Forgotten(
                runs=runs,
                details=details,
                events=self._count_old_events(reading, now),
                agents=len(_gone_agents(reading, now)),
                is_all=False,
                is_more=max(runs, details) >= MOST_COUNTED,
            )

    def _count_ended(self, reading: Reading, now: datetime, kept: timedelta | None, after: str | None = None) -> int:
        return 0 if kept is None else reading.count_ended(now - kept, after or "", MOST_COUNTED)

    def _old_runs(self, reading: Reading, now: datetime) -> list[FlowRun]:
        return self._ended(reading, now, self.retention.runs)

    def _old_details(self, reading: Reading, now: datetime) -> list[FlowRun]:
        return self._ended(reading, now, self.retention.details, reading.mark(DETAILS))

    def _ended(self, reading: Reading, now: datetime, kept: timedelta | None, after: str | None = None) -> list[FlowRun]:
        """The oldest root runs that have ended and were made before the time for which they are kept."""
        if kept is None:
            return []
        wanted = FlowRunFilter(created_before=now - kept, state_types=tuple(sorted(TERMINAL)), root_only=True)
        return reading.flow_runs(wanted, Page(limit=MOST_RUNS, after=after, newest_first=False))

    def _old_events(self, reading: Reading, now: datetime) -> list[int]:
        """The sequences of events older than details are kept, oldest first."""
        if self.retention.details is None:
            return []
        before = now - self.retention.details
        return [event.sequence for event in reading.events(EventFilter(), MOST_EVENTS) if event.moment < before]

    def _count_old_events(self, reading: Reading, now: datetime) -> int:
        """How many events are older than details are kept, found by halving: their sequences have no gaps, and their moments follow one another."""
        first = next(iter(reading.events(EventFilter(), 1)), None)
        if self.retention.details is None or first is None:
            return 0
        there = range(first.sequence, reading.last_event() + 1)
        return bisect_left(there, now - self.retention.details, key=lambda sequence: _moment_of(reading, sequence))


def _moment_of(reading: Reading, sequence: int) -> datetime:
    (event,) = reading.events(EventFilter(after=sequence - 1), 1)
    return event.moment


def _gone_agents(reading: Reading, now: datetime) -> list[Agent]:
    return [agent for agent in reading.agents() if not agent.live and agent.started < now - DAY]
