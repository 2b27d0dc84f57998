"""Explaining: why a run is not running, now and earlier, looked up and said by the same rules that hand runs out."""

from collections.abc import Callable
from datetime import datetime

import attrs

from headrace.clock import Clock
from headrace.errors import NotFound
from headrace.hooks.wanting import Matcher, reasons
from headrace.model.deployments import Deployment
from headrace.model.explanations import Explanation, Obstacle, Wait
from headrace.model.moves import Move
from headrace.model.runs import LATE_AFTER, FlowRun
from headrace.model.states import State
from headrace.model.storages import name_in
from headrace.orchestration.matching import all_queues
from headrace.orchestration.scheduling import earlier_runs, later_runs
from headrace.ports.run_store import OpenRunStore, Reading
from headrace.rules.decide import RuleBook
from headrace.rules.explain import MOST_NAMED, QueueFacts, WaitFacts, explain_other, explain_waiting
from headrace.rules.facts import Facts, Retry

Change = tuple[FlowRun, datetime, tuple[Obstacle, ...]]

MOST_WAITS = 500
"""How many of the runs that wait longest are looked at in one round."""


@attrs.frozen(kw_only=True)
class Explaining:
    """Says why."""

    store: OpenRunStore
    rules: RuleBook
    clock: Clock
    matcher: Matcher

    def explain(self, run_id: str) -> Explanation:
        """What is to be said of a run now, with what kept it waiting earlier."""
        with self.store.reading() as reading:
            run = reading.flow_run(run_id)
            if run is None:
                raise NotFound(what="flow run", name=run_id, command="flow-run ls")
            return attrs.evolve(self._explain(reading, run, lambda: _queues(reading)), waits=tuple(reading.waits(run_id)))

    def note_waits(self) -> int:
        """Remembers what keeps runs waiting that are late; how many were looked at."""
        now = self.clock.now()
        with self.store.reading() as reading:
            late = reading.late(now - LATE_AFTER, MOST_WAITS)
            queues = _queues(reading) if late else []
            changes = [change for run in late if (change := self._change(reading, run, queues, now)) is not None]
        if changes:
            with self.store.writing() as writing:
                for run, since, obstacles in changes:
                    known = writing.flow_run(run.id)
                    if known is None or known.revision != run.revision:
                        continue
                    writing.end_waits(run.id, since)
                    if obstacles:
                        writing.add_wait(Wait(run_id=run.id, since=since, obstacles=obstacles))
        return len(late)

    def _change(self, reading: Reading, run: FlowRun, queues: list[QueueFacts], now: datetime) -> Change | None:
        """What stands in a run's way since when, if that is another than before; the first has been there since the run was due."""
        before = reading.waits(run.id)
        obstacles = self._explain(reading, run, lambda: queues).obstacles
        known = before[-1].obstacles if before and before[-1].until is None else ()
        if obstacles == known:
            return None
        return run, now if before else (run.state.scheduled_time or now), obstacles

    def _explain(self, reading: Reading, run: FlowRun, queues: Callable[[], list[QueueFacts]]) -> Explanation:
        now = self.clock.now()
        lease = reading.lease(run.root_id)
        if not run.state.is_scheduled() or run.max_restarts is None or (lease is not None and lease.live):
            return explain_other(run, now, _owner(reading, lease.holder) if lease is not None and lease.live else "")
        move = Move(id=f"{run.id}:explained", run_id=run.id, state=State.pending())
        deployment = reading.deployment(run.deployment_id or "")
        paused = deployment.full_name if deployment is not None and deployment.is_paused else None
        retry = Retry(limit=run.retries, delay=run.retry_delay)
        facts = Facts(
            now=now,
            run=run,
            retry=retry,
            is_deployment_paused=paused is not None,
            earlier_runs=earlier_runs(reading, run),
            later_runs=later_runs(reading, run, now),
        )
        verdict = self.rules.decide(move, facts)
        standing = tuple(attrs.evolve(facts, reasons=tuple(reasons(facts.queue, run, self.matcher))) for facts in queues())
        storage, lost = _storage(reading, deployment)
        return explain_waiting(
            WaitFacts(now=now, run=run, verdict=verdict, paused=paused, storage=storage, lost=lost, queues=standing),
        )


def _storage(reading: Reading, deployment: Deployment | None) -> tuple[str | None, str | None]:
    """Of which type the storage of a deployment's code is, and the name of one that is gone."""
    archive = deployment.code.archive if deployment is not None else None
    if archive is None or archive.storage is None:
        return None, None
    name = name_in(archive.storage)
    if name is None:
        return archive.storage.name, None
    found = reading.storage(name)
    return (found.choice.name, None) if found is not None else (None, name)


def _queues(reading: Reading) -> list[QueueFacts]:
    """How all queues stand, whatever run is asked about."""
    agents = [agent for agent in reading.agents() if agent.live]
    return [
        QueueFacts(
            queue=queue,
            in_use=reading.in_use(queue.id),
            under_way=tuple(reading.under_way(queue.id, MOST_NAMED)),
            agents=tuple(agent for agent in agents if queue.id in agent.queues),
        )
        for queue in all_queues(reading)
    ]


def _owner(reading: Reading, holder: str) -> str:
    """Who has a lease, in words."""
    agent_id = holder.partition("/")[0]
    found = next((agent for agent in reading.agents() if agent.id == agent_id), None)
    return f"agent {found.name} took it" if found is not None else "its process renews its lease"
