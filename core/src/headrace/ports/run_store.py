"""The port of run stores: where runs are remembered. A store remembers and decides nothing."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import ClassVar, Protocol

from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.counts import CountFilter, StateCount
from headrace.model.deployments import Archive, Deployment
from headrace.model.events import Event
from headrace.model.explanations import Wait
from headrace.model.filters import DeploymentFilter, EventFilter, FlowFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.journals import RunState
from headrace.model.leases import Lease
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import SchedulePlan, TickRun
from headrace.model.states import State
from headrace.model.storages import NamedStorage, Reserved
from headrace.model.tokens import Token
from headrace.rules.verdicts import Verdict


class Reading(Protocol):
    """Questions to one state of the store: nothing written meanwhile is seen. Lists are bounded by their page."""

    def flow_run(self, run_id: str) -> FlowRun | None: ...

    def flow_runs(self, wanted: FlowRunFilter, page: Page) -> list[FlowRun]:
        """Flow runs that fit, in order of their ids."""
        ...

    def count_flow_runs(self, wanted: CountFilter) -> list[StateCount]:
        """How many flow runs that fit are in which state, sorted by its type and name. Times are taken as whole hours of UTC, and a time that is not
        given is no bound. Answered from counters."""
        ...

    def flow_names(self, wanted: FlowFilter, limit: int) -> list[str]:
        """Names of flows that fit and that runs or deployments have, each once, in their order."""
        ...

    def count_ended(self, until: datetime, after: str, most: int) -> int:
        """How many root runs that have ended were made at a moment or before, and have a greater id than `after`; counted up to `most`."""
        ...

    def task_run(self, run_id: str) -> TaskRun | None: ...

    def task_runs(self, wanted: TaskRunFilter, page: Page) -> list[TaskRun]:
        """Task runs that fit, in order of their ids."""
        ...

    def states(self, run_id: str) -> list[State]:
        """All states that a flow run or task run had, oldest first."""
        ...

    def logs(self, wanted: LogFilter, page: Page) -> list[LogLine]:
        """Log lines that fit, in order of their ids."""
        ...

    def arrivals(self, flow_run_id: str, after: int, limit: int) -> list[tuple[int, LogLine]]:
        """Log lines of a flow run in the order in which they were written, each with a number that grows; those with one greater than `after`."""
        ...

    def lease(self, run_id: str) -> Lease | None:
        """Who owns the root run. Whether the lease is live is judged now, by the store's own clock, whatever the machine's clock was set to."""
        ...

    def verdict(self, move_id: str) -> Verdict | None:
        """What came of a move, or of a claim, if it was asked before."""
        ...

    def cached(self, cache_key: str, now: datetime) -> State | None:
        """The newest completed state kept under the key that has not expired."""
        ...

    def limits(self, tags: Iterable[str] | None = None) -> list[ConcurrencyLimit]:
        """Limits of these tags (None: all), sorted by tag, with the task runs that hold a slot: those held by a live lease."""
        ...

    def events(self, wanted: EventFilter, limit: int) -> list[Event]:
        """Events that fit, oldest first."""
        ...

    def last_event(self) -> int:
        """The greatest sequence that an event has; 0 before the first."""
        ...

    def deployment(self, deployment_id: str) -> Deployment | None: ...

    def deployments(self, wanted: DeploymentFilter, page: Page) -> list[Deployment]:
        """Deployments that fit, in order of their ids."""
        ...

    def deployment_versions(self, deployment_id: str, limit: int) -> list[Deployment]:
        """The versions of a deployment that were added, newest first."""
        ...

    def work_queue(self, queue_id: str) -> WorkQueue | None: ...

    def work_queues(self, wanted: WorkQueueFilter, page: Page) -> list[WorkQueue]:
        """Work queues that fit, in order of their ids."""
        ...

    def due(self, queue_id: str, until: datetime, limit: int, *, after: tuple[datetime, str] | None = None) -> list[FlowRun]:
        """Runs assigned to the queue that are SCHEDULED for a moment not after `until`, earliest first; none that a live lease is on. With `after`, those
        that come after a moment and an id."""
        ...

    def in_use(self, queue_id: str) -> int:
        """How many runs assigned to the queue have a live lease."""
        ...

    def under_way(self, queue_id: str, limit: int) -> list[FlowRun]:
        """The runs that `in_use` counts, in order of their ids."""
        ...

    def late(self, before: datetime, limit: int) -> list[FlowRun]:
        """Runs of deployments, in a queue or in none, that were due before and that no live lease is on, earliest first."""
        ...

    def overdue(self, now: datetime, limit: int) -> list[FlowRun]:
        """SCHEDULED runs that were never started, and that were to begin by a moment not after `now`, earliest first; none that a live lease is on."""
        ...

    def ticks_waiting(self, schedule_id: str, until: datetime, limit: int) -> list[FlowRun]:
        """Runs of a schedule for times not after `until` that wait to be started for the first time, earliest time first; none that somebody asked for
        once more."""
        ...

    def ticks(self, schedule_ids: Sequence[str], first: datetime, last: datetime, limit: int) -> list[TickRun]:
        """The runs of schedules for times between two moments, both included, by schedule and time; of each schedule the latest, at most `limit`."""
        ...

    def ticks_begun(self, schedule_id: str, limit: int) -> list[FlowRun]:
        """Runs of a schedule that are under way, earliest time first: those that somebody has taken, those that wait to go on or for another try, and
        those that were lost at their start and may come back."""
        ...

    def schedule_plan(self, schedule_id: str) -> SchedulePlan | None: ...

    def schedule_plans(self, until: datetime, limit: int) -> list[SchedulePlan]:
        """Plans that are to be looked at, not after `until`, earliest first."""
        ...

    def looked_after(self, moment: datetime) -> bool:
        """Whether a schedule that is to be looked at some time was looked at after a moment."""
        ...

    def waits(self, run_id: str) -> list[Wait]:
        """What kept a run waiting, oldest first; only the last may not have ended."""
        ...

    def held_by(self, holder: str) -> list[FlowRun]:
        """Root runs whose lease, live or not, was granted to this holder, in order of their ids."""
        ...

    def lost(self, limit: int) -> list[FlowRun]:
        """Root runs whose lease has run out and was not ended, in order of their ids."""
        ...

    def token(self, token_id: str) -> Token | None: ...

    def tokens(self) -> list[Token]:
        """All tokens, in order of their ids."""
        ...

    def storage(self, name: str) -> NamedStorage | None:
        """The storage of a name."""
        ...

    def storages(self) -> list[NamedStorage]:
        """All storages that have a name, by it."""
        ...

    def reserved(self, keys: Iterable[str]) -> list[Reserved]:
        """What is known of these keys, whatever storage they are in."""
        ...

    def reserved_before(self, moment: datetime, after: Reserved | None, limit: int) -> list[Reserved]:
        """Keys that were reserved before a moment, in an order that stays; those that come after one."""
        ...

    def count_reserved(self, storage: Choice, most: int) -> int:
        """How many keys are known that are in a storage; counted up to `most`."""
        ...

    def is_borrowed(self, kept_by: str) -> bool:
        """Whether a run that is remembered has taken results that this root run has kept."""
        ...

    def archives(self, sha256: str) -> list[Archive]:
        """The archives of this address that versions of deployments have, each once."""
        ...

    def mark(self, name: str) -> str | None:
        """What was remembered under a name."""
        ...

    def agent(self, agent_id: str) -> Agent | None:
        """An agent that is kept; `live` says whether its time is not over."""
        ...

    def agents(self) -> list[Agent]:
        """All agents that are kept, in order of their ids; `live` says whether their time is not over."""
        ...


class Writing(Reading, Protocol):
    """Changes, all of them or none: an exception leaves the store as it was. Reads see what was written before them here.

    What belongs to a run that is not known is left out, so that a journal which comes after its run was deleted leaves nothing behind.
    The live `data` of a state is not kept.
    """

    def add_flow_run(self, run: FlowRun) -> bool:
        """Remembers a new run with its first state; False, and nothing changed, where its id is known, or its version of a schedule has a run of this time."""
        ...

    def add_flow_runs(self, runs: Sequence[FlowRun]) -> list[FlowRun]:
        """Remembers new runs, one after the other, as `add_flow_run` does; those of them that it remembered."""
        ...

    def update_flow_run(self, run: FlowRun, *, was: int) -> bool:
        """Remembers the run in its next shape and state, if its revision is still `was`; else False, and nothing changed."""
        ...

    def delete_flow_run(self, run_id: str) -> bool:
        """Forgets a run with its states, task runs, logs, lease and subflows; False where there is none."""
        ...

    def put_task_runs(self, runs: Iterable[TaskRun]) -> None:
        """Remembers task runs; one that is known is replaced, unless it is known with a greater revision."""
        ...

    def add_states(self, states: Iterable[RunState]) -> None:
        """Adds to the history of task runs, which are put first; what is known is left as it is."""
        ...

    def add_logs(self, lines: Iterable[LogLine]) -> None:
        """Adds log lines; a line whose id is known is left as it is."""
        ...

    def remember(self, move_id: str, run_id: str, verdict: Verdict) -> None:
        """Keeps what came of a move, or of a claim, as long as the flow run is known; the first answer stays."""
        ...

    def grant_lease(self, run_id: str, *, epoch: int, holder: str, seconds: float) -> None:
        """Gives the root run to a holder, in place of whoever had it."""
        ...

    def renew_lease(self, run_id: str, *, epoch: int, seconds: float) -> bool:
        """Prolongs a lease, expired or not, if the epoch is still the run's; else False."""
        ...

    def end_lease(self, run_id: str) -> None:
        """Nobody owns the run any more; its epoch is kept, so that it never counts again from the start.

        Who had it last may still renew it, as after any expiry: a holder that was thought lost comes back so.
        """
        ...

    def keep_cached(self, cache_key: str, state: State, run_id: str) -> None:
        """Keeps a completed state of a task run under a cache key, until its `cache_expiration`, or until the task run is deleted."""
        ...

    def hold_slots(self, task_run_id: str, tags: Iterable[str], *, root_id: str, epoch: int) -> None:
        """Counts the task run against the limits of these tags and no others, as long as the root run's lease of that epoch lives."""
        ...

    def free_slots(self, task_run_ids: Iterable[str]) -> None:
        """Counts these task runs no longer."""
        ...

    def set_limit(self, tag: str, limit: int) -> None:
        """Makes or changes the limit of a tag."""
        ...

    def delete_limit(self, tag: str) -> bool:
        """Forgets the limit of a tag; False where there is none."""
        ...

    def put_deployment(self, deployment: Deployment) -> bool:
        """Remembers a deployment, in place of the one with its id; False, and nothing changed, where another has its flow's name and its own."""
        ...

    def delete_deployment(self, deployment_id: str) -> bool:
        """Forgets a deployment with the plans of its schedules, not its runs; False where there is none."""
        ...

    def put_schedule_plan(self, plan: SchedulePlan) -> None:
        """Remembers how far a schedule is decided, in place of what was known of it."""
        ...

    def drop_schedule_plan(self, schedule_id: str) -> None:
        """Forgets it; one that is not known is no error."""
        ...

    def look_again(self, now: datetime) -> None:
        """Has all schedules looked at now that are to be looked at later."""
        ...

    def forget_ticks(self, schedule_id: str, *, after: datetime | None = None) -> None:
        """Forgets runs of a schedule that never began. None: all that are SCHEDULED or PAUSED; else those for times after a moment that are SCHEDULED, or
        were skipped before their time."""
        ...

    def add_deployment_version(self, deployment: Deployment) -> None:
        """Remembers what a deployment is in its version, as long as the deployment is known; a version that is known stays as it is."""
        ...

    def put_work_queue(self, queue: WorkQueue) -> bool:
        """Remembers a work queue, in place of the one with its id; False, and nothing changed, where another has its name."""
        ...

    def delete_work_queue(self, queue_id: str) -> bool:
        """Forgets a work queue and what is assigned to it; False where there is none."""
        ...

    def assign(self, run_id: str, queue_ids: Iterable[str]) -> None:
        """Says which queues a flow run is in, in place of what was said before; queues that are not known are left out."""
        ...

    def add_wait(self, wait: Wait) -> None:
        """Remembers what keeps a run waiting, as long as the run is known; one that began at the same moment is replaced."""
        ...

    def end_waits(self, run_id: str, until: datetime) -> None:
        """Nothing keeps the run waiting any more."""
        ...

    def keep_agent(self, agent: Agent, *, seconds: float) -> None:
        """Remembers that an agent is there, for so many seconds, in place of what was known of it."""
        ...

    def drop_agent(self, agent_id: str) -> bool:
        """Forgets an agent; False where there is none."""
        ...

    def forget_details(self, run_id: str) -> None:
        """Forgets what a root run and its subflows said, how their task runs went, what came of moves, and what they waited for."""
        ...

    def forget_events(self, until: int) -> None:
        """Forgets events with a sequence up to this one, but never the newest of all, after whose sequence the next one comes."""
        ...

    def add_token(self, token: Token) -> bool:
        """Remembers a token; False, and nothing changed, where its id is known."""
        ...

    def delete_token(self, token_id: str) -> bool:
        """Forgets a token; False where there is none."""
        ...

    def put_storage(self, storage: NamedStorage) -> bool:
        """Remembers a storage, in place of the one with its id; False, and nothing changed, where another has its name."""
        ...

    def delete_storage(self, storage_id: str) -> bool:
        """Forgets a storage; False where there is none."""
        ...

    def put_reserved(self, keys: Iterable[Reserved]) -> None:
        """Remembers keys, in place of what was known of each in its storage."""
        ...

    def drop_reserved(self, keys: Iterable[Reserved]) -> None:
        """Forgets keys, each in its storage; one that is not known is no error."""
        ...

    def borrow(self, kept_by: str, run_id: str) -> None:
        """Remembers that a root run has taken results that another has kept, as long as it is remembered itself."""
        ...

    def drop_reserved_in(self, storage: Choice) -> None:
        """Forgets all keys that are known of a storage."""
        ...

    def put_mark(self, name: str, value: str) -> None:
        """Remembers a text under a name, in place of what was there."""
        ...

    def append_event(self, event: Event) -> Event:
        """Adds an event; the answer has its sequence."""
        ...

    def append_events(self, events: Sequence[Event]) -> list[Event]:
        """Adds events in their order; each of the answers has its sequence."""
        ...


class OpenRunStore(Protocol):
    """A store in use, by any number of threads.

    What may pass by itself is raised as a MayPass (StoreBusy, StoreAway): a run that is under way asks again, for minutes.
    """

    def reading(self) -> AbstractContextManager[Reading]:
        """One consistent look."""
        ...

    def writing(self) -> AbstractContextManager[Writing]:
        """One transaction; transactions come one after the other, also across processes. Raises StoreBusy after waiting long."""
        ...

    def version(self) -> int:
        """A number that is another one after each transaction that wrote, of any process. Asking costs microseconds, and waits for nobody."""
        ...


class RunStore(Protocol):
    """A run store as a value: its fields are its options. `open` makes or upgrades what it needs, whole or not at all.

    Raises StoreUnusable, StoreTooNew, StoreAway, StoreBusy. `outlives_process`: another process sees what was written.
    """

    outlives_process: ClassVar[bool]

    def open(self) -> AbstractContextManager[OpenRunStore]: ...
