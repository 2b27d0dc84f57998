"""Finding the one thing that somebody means: by its whole id, by the start of its id, or by its name."""

from collections.abc import Callable, Sequence
from string import hexdigits
from typing import TypeVar

from headrace.errors import Ambiguous, NotFound
from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.ports.client import OpenClient

LEAST_PREFIX = 4
MOST_NAMED = 5
_PAGE = Page(limit=MOST_NAMED + 1)

R = TypeVar("R", FlowRun, TaskRun, Deployment, WorkQueue)


def flow_run(client: OpenClient, given: str) -> FlowRun:
    """The flow run that is meant. Raises NotFound, Ambiguous."""
    return _the_one(
        given,
        what="flow run",
        by_prefix=lambda prefix: client.read_flow_runs(FlowRunFilter(id_prefix=prefix), _PAGE),
        by_name=lambda name: client.read_flow_runs(FlowRunFilter(names=(name,)), _PAGE),
        title=lambda run: run.id,
    )


def task_run(client: OpenClient, given: str) -> TaskRun:
    """The task run that is meant. Raises NotFound, Ambiguous."""
    return _the_one(
        given,
        what="task run",
        by_prefix=lambda prefix: client.read_task_runs(TaskRunFilter(id_prefix=prefix), _PAGE),
        by_name=lambda name: client.read_task_runs(TaskRunFilter(names=(name,)), _PAGE),
        title=lambda run: run.id,
    )


def deployment(client: OpenClient, given: str) -> Deployment:
    """The deployment that is meant; its name is `flow/deployment`, or what is behind the slash. Raises NotFound, Ambiguous."""
    return _the_one(
        given,
        what="deployment",
        by_prefix=lambda prefix: client.read_deployments(DeploymentFilter(id_prefix=prefix), _PAGE),
        by_name=lambda name: client.read_deployments(_named(name), _PAGE),
        title=lambda found: found.full_name,
    )


def _named(name: str) -> DeploymentFilter:
    flow, slash, own = name.partition("/")
    return DeploymentFilter(flow_names=(flow,), names=(own,)) if slash else DeploymentFilter(names=(name,))


def work_queue(client: OpenClient, given: str) -> WorkQueue:
    """The work queue that is meant. Raises NotFound, Ambiguous."""
    return _the_one(
        given,
        what="work queue",
        by_prefix=lambda prefix: client.read_work_queues(WorkQueueFilter(id_prefix=prefix), _PAGE),
        by_name=lambda name: client.read_work_queues(WorkQueueFilter(names=(name,)), _PAGE),
        title=lambda queue: queue.id,
    )


def _the_one(
    given: str, *, what: str, by_prefix: Callable[[str], list[R]], by_name: Callable[[str], list[R]], title: Callable[[R], str]
) -> R:
    """The one that fits; where several do, they are told by their titles."""
    prefix = given.lower()
    may_be_id = len(prefix) >= LEAST_PREFIX and set(prefix) <= {*hexdigits, "-"}
    fitting = {found.id: found for found in (by_prefix(prefix) if may_be_id else [])}
    if prefix in fitting:
        return fitting[prefix]
    fitting |= {found.id: found for found in by_name(given)}
    if not fitting:
        raise NotFound(what=what, name=given, command=f"{what.replace(' ', '-')} ls")
    if len(fitting) > 1:
        newest_first = [title(fitting[found_id]) for found_id in sorted(fitting, reverse=True)]
        raise Ambiguous(what=f"{what}s", name=given, candidates=_some(newest_first))
    return next(iter(fitting.values()))


def _some(newest_first: Sequence[str]) -> tuple[str, ...]:
    """Some of these, and a mark where there are more."""
    return tuple(newest_first) if len(newest_first) <= MOST_NAMED else (*newest_first[:MOST_NAMED], "…")
