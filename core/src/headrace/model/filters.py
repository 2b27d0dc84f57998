"""Questions to the store, as values. A filter's fields are all asked for at once; an empty one asks for everything."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

import attrs

from headrace.model.states import StateType

MOST_ROWS = 200


class Row(Protocol):
    """What lists have: it is known by an id."""

    @property
    def id(self) -> str: ...


R = TypeVar("R", bound=Row)
W = TypeVar("W")


@attrs.frozen(kw_only=True)
class Page:
    """A page of a list: at most `limit` rows (200) beyond the row with id `after`; ids are time-ordered, so no row is met twice."""

    limit: int = MOST_ROWS
    after: str | None = None
    newest_first: bool = True


def all_of(read: Callable[[W, Page], Sequence[R]], wanted: W, *, at_once: int = MOST_ROWS, newest_first: bool = True) -> Iterator[R]:
    """All rows that fit, a page at a time; who has enough goes on no further, and what comes after it is not asked for."""
    after: str | None = None
    while page := read(wanted, Page(limit=at_once, after=after, newest_first=newest_first)):
        yield from page
        if len(page) < at_once:
            return
        after = page[-1].id


@attrs.frozen(kw_only=True)
class FlowRunFilter:
    """Which flow runs. `tags`: all of them; other fields: one of them. Times are inclusive.

    `text` is somewhere in the name, whatever the case of its letters from A to Z. `work_queues` are names of those that a run waits in, or was last
    taken from. Runs that are due between two moments wait still.
    """

    ids: tuple[str, ...] = ()
    id_prefix: str | None = None
    names: tuple[str, ...] = ()
    flow_names: tuple[str, ...] = ()
    deployment_ids: tuple[str, ...] = ()
    root_ids: tuple[str, ...] = ()
    schedule_ids: tuple[str, ...] = ()
    state_types: tuple[StateType, ...] = ()
    state_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    root_only: bool = False
    created_after: datetime | None = None
    created_before: datetime | None = None
    text: str | None = None
    work_queues: tuple[str, ...] = ()
    due_after: datetime | None = None
    due_before: datetime | None = None


@attrs.frozen(kw_only=True)
class TaskRunFilter:
    """Which task runs; fields as for flow runs."""

    ids: tuple[str, ...] = ()
    id_prefix: str | None = None
    names: tuple[str, ...] = ()
    flow_run_ids: tuple[str, ...] = ()
    state_types: tuple[StateType, ...] = ()
    state_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class LogFilter:
    """Which log lines: of a flow run or task run, at least as grave as `least_level`, with `text` somewhere in the message."""

    flow_run_ids: tuple[str, ...] = ()
    task_run_id: str | None = None
    least_level: int = 0
    text: str | None = None


@attrs.frozen(kw_only=True)
class DeploymentFilter:
    """Which deployments; fields as for flow runs. `text` is somewhere in the whole name, whatever the case of its letters from A to Z."""

    ids: tuple[str, ...] = ()
    id_prefix: str | None = None
    names: tuple[str, ...] = ()
    flow_names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    text: str | None = None


@attrs.frozen(kw_only=True)
class FlowFilter:
    """Which flows: those whose names come after one, with `text` somewhere in it, whatever the case of its letters from A to Z."""

    after: str = ""
    text: str | None = None


@attrs.frozen(kw_only=True)
class WorkQueueFilter:
    """Which work queues; fields as for flow runs."""

    ids: tuple[str, ...] = ()
    id_prefix: str | None = None
    names: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class EventFilter:
    """Which events: those with a greater sequence than `after`, of one of the kinds, about one of the subjects (empty: any)."""

    after: int = 0
    kinds: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()


def has_text(name: str, text: str | None) -> bool:
    """Whether a name has a text in it, whatever the case of letters from A to Z; of no other letters, so that every store finds the same."""
    return _small(text or "") in _small(name)


def _small(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").lower()
