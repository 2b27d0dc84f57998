"""Counts: how many flow runs are in which state, of those that were made in a window of time."""

from datetime import UTC, datetime, timedelta

import attrs

from headrace.model.states import StateType

WINDOW = timedelta(days=1)
"""What is counted unless somebody says from when on."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)


@attrs.frozen(kw_only=True)
class CountFilter:
    """Which flow runs are counted: one of the flows and one of the deployments (empty: any). Times are inclusive and of creation; hours are counted whole."""

    created_after: datetime | None = None
    created_before: datetime | None = None
    flow_names: tuple[str, ...] = ()
    deployment_ids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class StateCount:
    """How many flow runs are in a state of this type and name."""

    type: StateType
    name: str
    count: int


@attrs.frozen(kw_only=True)
class FlowRunCounts:
    """How many flow runs there are that were made in a window, which is the one that was asked for, made to begin and end with an hour. States in which
    none is are left out."""

    created_after: datetime
    created_before: datetime
    states: tuple[StateCount, ...]


def window_of(wanted: CountFilter, now: datetime) -> tuple[datetime, datetime]:
    """The first moment of an hour and the last one of an hour, between which is counted: the last day, unless the filter says something else."""
    last = wanted.created_before or now
    first = wanted.created_after or last - min(WINDOW, last - _EARLIEST)
    return first_of_hour(first), first_of_hour(last).replace(minute=59, second=59, microsecond=999_999)


def first_of_hour(moment: datetime) -> datetime:
    """The hour of a moment, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
