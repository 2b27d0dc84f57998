"""The port of clients: everything that an outsider may ask of the orchestration, in process or over a wire.

Each operation is declared once, here: what it is called, how it travels, who may ask it (`scope`) and how it behaves (`kind`). Servers,
documents and clients for a wire are derived from this table and from the signatures. A path names an argument, or a field of one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import attrs

from headrace.model.agents import Agent
from headrace.model.choices import Choice
from headrace.model.counts import CountFilter, FlowRunCounts
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.explanations import Explanation
from headrace.model.filters import DeploymentFilter, EventFilter, FlowFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.flows import Flow
from headrace.model.journals import JournalBatch
from headrace.model.leases import LeaseOrder
from headrace.model.limits import ConcurrencyLimit
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.news import EventNews, News
from headrace.model.queues import Claimed, ClaimRequest, WorkQueue
from headrace.model.retention import Forgotten
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.schedules import DeploymentSchedule, Scheduled, TickRun
from headrace.model.states import State
from headrace.model.storages import NamedStorage, Reserved, StoragePlace
from headrace.model.tokens import Scope, Token
from headrace.rules.facts import Retry
from headrace.rules.verdicts import Verdict


class Kind(StrEnum):
    """How an operation behaves: a plain question, a move (idempotent by its id), a wait, a stream."""

    ASK = "ask"
    MOVE = "move"
    WAIT = "wait"
    STREAM = "stream"


@attrs.frozen(kw_only=True)
class Operation:
    """One row of the table; `secrets` is the argument that may have secrets in it, which leave this machine over TLS only."""

    name: str
    method: str
    path: str
    scope: Scope
    kind: Kind
    secrets: str | None = None


F = TypeVar("F", bound=Callable[..., object])
_MARK = "__headrace_operation__"


def operation(method: str, path: str, *, scope: Scope, kind: Kind = Kind.ASK, secrets: str | None = None) -> Callable[[F], F]:
    """Declares an operation of the port."""

    def mark(function: F) -> F:
        setattr(function, _MARK, Operation(name=function.__name__, method=method, path=path, scope=scope, kind=kind, secrets=secrets))
        return function

    return mark


class OpenClient(Protocol):
    """The orchestration, as others see it. What may pass by itself is raised as a MayPass: a run that is under way asks again, for minutes."""

    @operation("POST", "/flow-runs", scope=Scope.RUN)
    def create_flow_run(self, run: FlowRun, holder: str | None = None) -> FlowRun:
        """Makes a run, in its first state; with a `holder`, owned by it from the start (epoch 1). A known id: the run as it is now. Raises RunStopped for a
        subflow whose root run is owned by somebody else by now, or gone."""
        ...

    @operation("GET", "/flow-runs/{run_id}", scope=Scope.VIEWER)
    def read_flow_run(self, run_id: str) -> FlowRun:
        """One run. Raises NotFound."""
        ...

    @operation("POST", "/flow-runs/query", scope=Scope.VIEWER)
    def read_flow_runs(self, wanted: FlowRunFilter, page: Page) -> list[FlowRun]:
        """Runs that fit, a page."""
        ...

    @operation("POST", "/flow-runs/counts", scope=Scope.VIEWER)
    def count_flow_runs(self, wanted: CountFilter) -> FlowRunCounts:
        """How many flow runs are in which state, of those made in a window of time: the last day, unless another one is wanted. Answered from
        counters, however many runs there are."""
        ...

    @operation("POST", "/flows/query", scope=Scope.VIEWER)
    def read_flows(self, wanted: FlowFilter, limit: int, since: datetime | None = None) -> list[Flow]:
        """Flows that fit, of which something is deployed, or ran and is remembered, in the order of their names; who wants more asks for those after the
        last. Those of their runs are counted that were made since the hour of a moment: in the last day, unless another one is given."""
        ...

    @operation("GET", "/flow-runs/{run_id}/explanation", scope=Scope.VIEWER)
    def explain_flow_run(self, run_id: str) -> Explanation:
        """Why a run is not running, or what happened to it. Raises NotFound."""
        ...

    @operation("DELETE", "/flow-runs/{run_id}", scope=Scope.OPERATOR)
    def delete_flow_run(self, run_id: str) -> None:
        """Forgets a run and all that belongs to it. Raises NotFound."""
        ...

    @operation("POST", "/flow-runs/{move.run_id}/moves", scope=Scope.RUN, kind=Kind.MOVE)
    def move_flow_run(self, move: Move) -> Verdict:
        """Asks that a flow run enter a state. Raises NotFound."""
        ...

    @operation("POST", "/flow-runs/{run_id}/retry", scope=Scope.OPERATOR, kind=Kind.MOVE)
    def retry_flow_run(self, run_id: str, move_id: str) -> FlowRun:
        """Lets a run that failed, crashed or was cancelled be started once more; what finished in it is not computed again. Raises NotFound, NotRetryable."""
        ...

    @operation("POST", "/flow-runs/{run_id}/resume", scope=Scope.OPERATOR, kind=Kind.MOVE)
    def resume_flow_run(self, run_id: str, move_id: str) -> FlowRun:
        """Lets a paused run be started again; what finished in it is not computed again. Raises NotFound, NotResumable."""
        ...

    @operation("PUT", "/flow-runs/{run_id}/name", scope=Scope.RUN)
    def name_flow_run(self, run_id: str, epoch: int, name: str) -> FlowRun:
        """Gives a run the name that its flow makes of its parameters. Raises NotFound, InvalidName, and RunStopped for a stale epoch."""
        ...

    @operation("POST", "/flow-runs/{run_id}/lease", scope=Scope.RUN)
    def renew_lease(self, run_id: str, epoch: int) -> LeaseOrder:
        """Prolongs the lease of a root run; the answer may order to stop."""
        ...

    @operation("POST", "/flow-runs/{batch.flow_run_id}/journal", scope=Scope.RUN)
    def write_journal(self, batch: JournalBatch) -> LeaseOrder:
        """Writes what a run's process decided and said. A stale epoch writes nothing and is ordered to stop."""
        ...

    @operation("POST", "/task-runs/{move.run_id}/moves", scope=Scope.RUN, kind=Kind.MOVE)
    def move_task_run(self, move: Move, run: TaskRun, retry: Retry) -> Verdict:
        """Asks for a task run's move that needs facts which the engine has not: caches and limits. `run` is as its engine knows it. Raises NotFound."""
        ...

    @operation("GET", "/task-runs/{run_id}", scope=Scope.VIEWER)
    def read_task_run(self, run_id: str) -> TaskRun:
        """One task run. Raises NotFound."""
        ...

    @operation("POST", "/task-runs/query", scope=Scope.VIEWER)
    def read_task_runs(self, wanted: TaskRunFilter, page: Page) -> list[TaskRun]:
        """Task runs that fit, a page."""
        ...

    @operation("GET", "/runs/{run_id}/states", scope=Scope.VIEWER)
    def read_states(self, run_id: str) -> list[State]:
        """All states that a run of either kind had, oldest first."""
        ...

    @operation("POST", "/logs/query", scope=Scope.VIEWER)
    def read_logs(self, wanted: LogFilter, page: Page) -> list[LogLine]:
        """Log lines that fit, a page. A text is looked for in the lines of some runs. Raises WrongData for one without runs."""
        ...

    @operation("GET", "/flow-runs/{run_id}/news", scope=Scope.VIEWER)
    def read_news(self, run_id: str, after: int = 0) -> News:
        """A flow run as it is, and what arrived in its log after a cursor, a page of it. Raises NotFound."""
        ...

    @operation("GET", "/flow-runs/{run_id}/news/stream", scope=Scope.VIEWER, kind=Kind.STREAM)
    def follow_flow_run(self, run_id: str, after: int = 0, every: float = 0.5) -> Iterator[News]:
        """News of a flow run as they come, for as long as somebody asks for the next: each line once, and after `every` seconds without anything new
        the run as it is. Who goes on later begins after the last cursor, and misses nothing. Raises NotFound."""
        ...

    @operation("POST", "/deployments", scope=Scope.OPERATOR)
    def put_deployments(self, deployments: tuple[Deployment, ...]) -> list[Deployment]:
        """Makes or changes deployments, all or none, each known by its flow's name and its own; who is known keeps its id and its creation.
        Raises InvalidName, WrongData."""
        ...

    @operation("GET", "/deployments/{deployment_id}", scope=Scope.VIEWER)
    def read_deployment(self, deployment_id: str) -> Deployment:
        """One deployment. Raises NotFound."""
        ...

    @operation("POST", "/deployments/query", scope=Scope.VIEWER)
    def read_deployments(self, wanted: DeploymentFilter, page: Page) -> list[Deployment]:
        """Deployments that fit, a page."""
        ...

    @operation("PUT", "/deployments/{deployment_id}/schedules", scope=Scope.OPERATOR)
    def put_schedules(self, deployment_id: str, version: int, schedules: tuple[DeploymentSchedule, ...]) -> Deployment:
        """Gives a deployment these schedules in place of its own, and changes nothing else; `version` is the one of the deployment that this is a change
        of. Raises NotFound, ChangedMeanwhile, WrongData."""
        ...

    @operation("GET", "/deployments/{deployment_id}/versions", scope=Scope.VIEWER)
    def read_deployment_versions(self, deployment_id: str, limit: int) -> list[Deployment]:
        """What a deployment is and was, the newest version first. Raises NotFound."""
        ...

    @operation("POST", "/deployments/{deployment_id}/pause", scope=Scope.OPERATOR)
    def pause_deployment(self, deployment_id: str) -> Deployment:
        """Lets nothing of a deployment be started until it is resumed; what is under way goes on. Raises NotFound."""
        ...

    @operation("POST", "/deployments/{deployment_id}/resume", scope=Scope.OPERATOR)
    def resume_deployment(self, deployment_id: str) -> Deployment:
        """Lets its runs be started again, those too that were asked for meanwhile. Raises NotFound."""
        ...

    @operation("DELETE", "/deployments/{deployment_id}", scope=Scope.OPERATOR)
    def delete_deployment(self, deployment_id: str) -> None:
        """Forgets a deployment, and those of its runs that have not started; what ran stays. Raises NotFound."""
        ...

    @operation("POST", "/deployments/{request.deployment_id}/runs", scope=Scope.RUN, kind=Kind.MOVE)
    def request_run(self, request: RunRequest) -> FlowRun:
        """Makes a run of a deployment. Raises NotFound, MissingParameter, UnknownParameter, WrongParameterType."""
        ...

    @operation("POST", "/work-queues", scope=Scope.OPERATOR)
    def put_work_queue(self, queue: WorkQueue) -> WorkQueue:
        """Makes a queue, or changes the one with its id, and looks which runs are wanted. Raises AlreadyThere for a name that is taken,
        ChangedMeanwhile, InvalidName, NotInstalled, WrongData."""
        ...

    @operation("GET", "/work-queues/{queue_id}", scope=Scope.VIEWER)
    def read_work_queue(self, queue_id: str) -> WorkQueue:
        """One work queue. Raises NotFound."""
        ...

    @operation("POST", "/work-queues/query", scope=Scope.VIEWER)
    def read_work_queues(self, wanted: WorkQueueFilter, page: Page) -> list[WorkQueue]:
        """Work queues that fit, a page."""
        ...

    @operation("DELETE", "/work-queues/{queue_id}", scope=Scope.OPERATOR)
    def delete_work_queue(self, queue_id: str) -> None:
        """Forgets a work queue, not its runs. Raises NotFound."""
        ...

    @operation("POST", "/work-queues/{queue_id}/due", scope=Scope.VIEWER)
    def read_due(self, queue_id: str, until: datetime, limit: int) -> list[FlowRun]:
        """What waits in a queue and is due until then, earliest first. Raises NotFound."""
        ...

    @operation("GET", "/work-queues/{queue_id}/under-way", scope=Scope.VIEWER)
    def count_under_way(self, queue_id: str) -> int:
        """How many runs that a queue wants are under way, which is what its limit counts. Raises NotFound."""
        ...

    @operation("POST", "/claims", scope=Scope.AGENT, kind=Kind.MOVE)
    def claim_runs(self, request: ClaimRequest) -> Claimed:
        """Takes runs that are due, with a lease on each. Paused queues and full ones give none. Raises NotFound for a queue that is gone."""
        ...

    @operation("POST", "/agents/{agent_id}/adopted", scope=Scope.AGENT)
    def adopt_runs(self, agent_id: str, identities: tuple[str, ...]) -> list[FlowRun]:
        """Gives an agent those of some processes' runs whose own agent is gone; each is given to one."""
        ...

    @operation("POST", "/leases/lost", scope=Scope.AGENT)
    def release_lost_runs(self) -> list[FlowRun]:
        """Says what becomes of runs whose lease has run out, as many as are done at once; gives those that changed. Many may ask at once."""
        ...

    @operation("POST", "/waits", scope=Scope.AGENT)
    def note_waits(self) -> int:
        """Remembers what keeps runs waiting that are due; how many were looked at, those first that have waited longest."""
        ...

    @operation("POST", "/schedules/ticks", scope=Scope.VIEWER)
    def read_ticks(self, schedule_ids: tuple[str, ...], first: datetime, last: datetime, limit: int) -> list[TickRun]:
        """The runs that were made for times of schedules between two moments, both included, and are remembered; by schedule, and of each at most `limit`,
        the latest, in the order of their times."""
        ...

    @operation("POST", "/schedules/runs", scope=Scope.AGENT)
    def schedule_runs(self) -> Scheduled:
        """Makes the runs that schedules ask for, as many as are made at once, and skips those that have not begun in time. Many may ask at once."""
        ...

    @operation("PUT", "/agents/{agent.id}", scope=Scope.AGENT)
    def keep_agent(self, agent: Agent) -> None:
        """Says that an agent is there; to be said again before the time of a lease is over."""
        ...

    @operation("DELETE", "/agents/{agent_id}", scope=Scope.AGENT)
    def drop_agent(self, agent_id: str) -> None:
        """Says that an agent has left; one that is not known is no error."""
        ...

    @operation("GET", "/agents", scope=Scope.VIEWER)
    def read_agents(self) -> list[Agent]:
        """All agents that were there lately."""
        ...

    @operation("POST", "/retention", scope=Scope.ADMIN)
    def forget_old(self) -> Forgotten:
        """Forgets a portion of what ended longer ago than it is to be kept; to be asked again until that was all."""
        ...

    @operation("GET", "/retention", scope=Scope.VIEWER)
    def plan_forgetting(self) -> Forgotten:
        """What `forget_old` would forget in the end; of events, only whether there are any."""
        ...

    @operation("GET", "/events/last", scope=Scope.VIEWER)
    def read_last_event(self) -> int:
        """The sequence of the newest event; what is asked after it is there, for `wait_for_events`, has not been missed."""
        ...

    @operation("POST", "/events/wait", scope=Scope.VIEWER, kind=Kind.WAIT)
    def wait_for_events(self, wanted: EventFilter, seconds: float) -> list[Event]:
        """Events that fit, as soon as there are any; none if there are none after so many seconds."""
        ...

    @operation("GET", "/events/stream", scope=Scope.VIEWER, kind=Kind.STREAM)
    def follow_events(self, wanted: EventFilter, every: float = 0.5) -> Iterator[EventNews]:
        """Events that fit as they come, runs that enter a state among them, for as long as somebody asks for the next: each once, and none after
        `every` seconds without any. Who goes on later begins after the last cursor, and misses nothing."""
        ...

    @operation("GET", "/concurrency-limits", scope=Scope.VIEWER)
    def read_limits(self) -> list[ConcurrencyLimit]:
        """All tag concurrency limits with who holds their slots."""
        ...

    @operation("PUT", "/concurrency-limits/{tag}", scope=Scope.OPERATOR)
    def set_limit(self, tag: str, limit: int) -> None:
        """Makes or changes the limit of a tag; 0 refuses every task run with it. Raises InvalidOption."""
        ...

    @operation("DELETE", "/concurrency-limits/{tag}", scope=Scope.OPERATOR)
    def delete_limit(self, tag: str) -> None:
        """Forgets the limit of a tag. Raises NotFound."""
        ...

    @operation("POST", "/storages", scope=Scope.OPERATOR, secrets="secrets")
    def put_storage(self, storage: NamedStorage, secrets: Mapping[str, Any]) -> NamedStorage:
        """Makes a storage with a name, or changes the one with its id, which keeps its name. `secrets` are options too; what is written out in them is kept
        encrypted, and shown as SEALED from then on. Raises AlreadyThere for a name that is taken, ChangedMeanwhile, InvalidName, NothingSeals, WrongData."""
        ...

    @operation("GET", "/storages", scope=Scope.VIEWER)
    def read_storages(self) -> list[NamedStorage]:
        """All storages that have a name, by it."""
        ...

    @operation("PUT", "/storages/{storage_id}/default", scope=Scope.OPERATOR)
    def set_default_storage(self, storage_id: str) -> NamedStorage:
        """Lets code and results go there if nothing else is said. Raises NotFound."""
        ...

    @operation("DELETE", "/default-storage", scope=Scope.OPERATOR)
    def reset_default_storage(self) -> None:
        """Lets none of them be the default; that none is, is no error."""
        ...

    @operation("DELETE", "/storages/{storage_id}", scope=Scope.OPERATOR)
    def delete_storage(self, storage_id: str) -> None:
        """Forgets a storage; what lies in it stays. Raises NotFound, and StillNeeded where keys in it are known."""
        ...

    @operation("DELETE", "/storages/{storage_id}/keys", scope=Scope.OPERATOR)
    def abandon_keys(self, storage_id: str) -> None:
        """Forgets which keys in a storage are known, so that nobody removes what lies there. Raises NotFound."""
        ...

    @operation("POST", "/storages/reseal", scope=Scope.ADMIN)
    def reseal_storages(self) -> int:
        """Encrypts anew, by the newest key, all secrets of storages that are kept; how many they are. Raises SecretUnresolved."""
        ...

    @operation("POST", "/storages/{name}/open", scope=Scope.RUN)
    def open_storage(self, name: str, user: str) -> Choice:
        """The type and options of the storage of a name, the secrets that are kept encrypted in their places, for `user`, who says who it is. This is the
        one way on which secrets leave; an event tells of it. Raises NotFound, SecretUnresolved."""
        ...

    @operation("GET", "/default-storage", scope=Scope.VIEWER)
    def read_place(self) -> StoragePlace:
        """Where code and results go if nothing else is said."""
        ...

    @operation("POST", "/storage-keys", scope=Scope.OPERATOR)
    def reserve_keys(self, storage: Choice, keys: tuple[str, ...]) -> StoragePlace:
        """Says which keys somebody is about to write in a storage, so that they can be removed some time, and are not before. Raises NotFound for a name that
        no storage has, WrongKey, WrongData, and KeyRemoved, which passes, where somebody is removing one."""
        ...

    @operation("POST", "/flow-runs/{run_id}/results", scope=Scope.RUN)
    def reserve_results(self, run_id: str, storage: Choice) -> StoragePlace:
        """Says that a root run is about to keep results in a storage; where it says itself whom to connect to and how, nobody removes them later.
        Raises NotFound for a name that no storage has, and KeyRemoved, which passes."""
        ...

    @operation("POST", "/storage-keys/unneeded", scope=Scope.VIEWER)
    def read_unneeded_keys(self, after: Reserved | None, limit: int) -> list[Reserved]:
        """Keys that were reserved more than a day ago and that nothing names: no version of a deployment, and no run that is remembered."""
        ...

    @operation("POST", "/storage-keys/removing", scope=Scope.OPERATOR)
    def begin_removing(self, keys: tuple[Reserved, ...]) -> list[Reserved]:
        """Lets nobody write those of these keys which are unneeded still, until `end_removing`, or for an hour."""
        ...

    @operation("POST", "/storage-keys/removed", scope=Scope.OPERATOR)
    def end_removing(self, keys: tuple[Reserved, ...]) -> None:
        """Forgets these keys, which are not in their storages any more."""
        ...

    @operation("POST", "/tokens", scope=Scope.ADMIN)
    def create_token(self, token: Token) -> Token:
        """Remembers a token by the digest of its secret, which stays with who made it. A known id: the token as it is. Raises InvalidName, WrongData."""
        ...

    @operation("GET", "/tokens", scope=Scope.ADMIN)
    def read_tokens(self) -> list[Token]:
        """All tokens, without their digests, oldest first."""
        ...

    @operation("DELETE", "/tokens/{token_id}", scope=Scope.ADMIN)
    def revoke_token(self, token_id: str) -> None:
        """Forgets a token: who has it is not known any more, from the next question on. Raises NotFound."""
        ...


class Client(Protocol):
    """A client as a value: its fields are its options."""

    def open(self) -> AbstractContextManager[OpenClient]: ...


def operations(port: type = OpenClient) -> Mapping[str, Operation]:
    """The table, by name, in the order of the port; a server may declare what it answers beside in a class of its own."""
    marked = (getattr(member, _MARK, None) for member in vars(port).values())
    return MappingProxyType({found.name: found for found in marked if found is not None})
