"""Finding the one run that somebody means: by its whole id, by the start of its id, or by its name."""

from collections.abc import Callable, Iterable
from string import hexdigits
from typing import TypeVar

from headrace.errors import Ambiguous, NotFound
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter
from headrace.model.runs import FlowRun, TaskRun
from headrace.ports.client import OpenClient

LEAST_PREFIX = 4
MOST_NAMED = 5
_PAGE = Page(limit=MOST_NAMED + 1)

R = TypeVar("R", FlowRun, TaskRun)


def flow_run(client: OpenClient, given: str) -> FlowRun:
    """The flow run that is meant. Raises NotFound, Ambiguous."""
    return _the_one(
        given,
        what="flow run",
        by_prefix=lambda prefix: client.read_flow_runs(FlowRunFilter(id_prefix=prefix), _PAGE),
        by_name=lambda name: client.read_flow_runs(FlowRunFilter(names=(name,)), _PAGE),
    )


def task_run(client: OpenClient, given: str) -> TaskRun:
    """The task run that is meant. Raises NotFound, Ambiguous."""
    return _the_one(
        given,
        what="task run",
        by_prefix=lambda prefix: client.read_task_runs(TaskRunFilter(id_prefix=prefix), _PAGE),
        by_name=lambda name: client.read_task_runs(TaskRunFilter(names=(name,)), _PAGE),
    )


def _the_one(given: str, *, what: str, by_prefix: Callable[[str], list[R]], by_name: Callable[[str], list[R]]) -> R:
    prefix = given.lower()
    may_be_id = len(prefix) >= LEAST_PREFIX and set(prefix) <= {*hexdigits, "-"}
    fitting = {run.id: run for run in (by_prefix(prefix) if may_be_id else [])}
    if prefix in fitting:
        return fitting[prefix]
    fitting |= {run.id: run for run in by_name(given)}
    if not fitting:
        raise NotFound(what=what, name=given, command=f"{what.replace(' ', '-')} ls")
    if len(fitting) > 1:
        raise Ambiguous(what=f"{what}s", name=given, candidates=_some(fitting))
    return next(iter(fitting.values()))


def _some(ids: Iterable[str]) -> tuple[str, ...]:
    """The newest of these ids, and a mark where there are more."""
    newest_first = tuple(sorted(ids, reverse=True))
    return newest_first if len(newest_first) <= MOST_NAMED else (*newest_first[:MOST_NAMED], "…")
