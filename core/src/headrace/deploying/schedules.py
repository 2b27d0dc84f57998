"""Schedules as they are written in specs, alone or as a list, each with what becomes of times that are missed or come too soon."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

import attrs

from headrace.deploying.choices import SCHEDULE, understood_choice
from headrace.deploying.lines import Line
from headrace.errors import WrongSpec
from headrace.hooks.known import KNOWN
from headrace.hooks.registry import Registry
from headrace.model.coercion import shown
from headrace.model.durations import LONGEST, duration
from headrace.model.schedules import MOST_MISSED, DeploymentSchedule, OnMissed, Overlap
from headrace.rules.ticks import MOST_COUNTED

E = TypeVar("E", bound=StrEnum)

_NAME = re.compile(r"[A-Za-z][\w-]*")
_RUN_ALL = re.compile(r"run_all\(\s*([0-9]{1,6})\s*\)")
_WRITTEN = "write it as a mapping such as {cron: '0 9 * * *', timezone: Europe/Berlin}, or with its kind as type"


@attrs.frozen
class ScheduleSpec:
    """A schedule with what becomes of its times; without one, the schedule alone says as much as `ScheduleSpec(schedule)`.

    `on_missed` is of times at which nobody made runs: `"skip"`, `"run_latest"` or `"run_all"`, which makes up for 10, and `"run_all(50)"` for 50.
    A run that has not begun `max_lateness` after its time (seconds, a timedelta, or `"30s"`, `"5m"`, `"1h"`) is skipped; None: once the next
    time has come. `overlap` is of a run that is due while an earlier one is under way: `"allow"`, `"skip"`, `"queue"` or `"cancel_previous"`.
    """

    schedule: Any
    on_missed: str = attrs.field(default=OnMissed.RUN_LATEST.value, kw_only=True)
    max_lateness: Any = attrs.field(default=None, kw_only=True)
    overlap: str = attrs.field(default=Overlap.QUEUE.value, kw_only=True)


POLICIES = tuple(field.name for field in attrs.fields(ScheduleSpec) if field.kw_only)


def understood_schedules(given: Any, where: str, registry: Registry) -> tuple[DeploymentSchedule, ...]:
    """One schedule, a list of them, or none. Raises WrongSpec and the errors of their kinds."""
    found = tuple(understood_schedule(row, Line(where=where), registry) for row in rows_of(given))
    check_different(found, where)
    return found


def rows_of(given: Any) -> list[Any]:
    """One schedule, a list of them, or none, as they are written."""
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]


def check_different(schedules: Sequence[DeploymentSchedule], where: str) -> None:
    """Raises WrongSpec where two are of one kind and the same options."""
    for place, each in enumerate(schedules):
        if each.kind in [other.kind for other in schedules[:place]]:
            options = ", ".join(f"{name}={value}" for name, value in each.kind.options.items() if value is not None)
            raise WrongSpec(where=where, why=f"two of its schedules are the same: {each.kind.name} {options}")


def understood_schedule(given: Any, line: Line, registry: Registry) -> DeploymentSchedule:
    """One schedule, as it is written. Raises WrongSpec and the errors of its kind."""
    where = line.where
    spec = given if isinstance(given, ScheduleSpec) else _of_mapping(given) if isinstance(given, Mapping) else ScheduleSpec(given)
    when = spec.schedule
    if isinstance(when, Mapping) and "type" not in when:
        when = _by_its_key(when, where, registry)
    elif isinstance(when, (str, int, float, timedelta)) and not (isinstance(when, str) and _NAME.fullmatch(when)):
        raise WrongSpec(where=where, why=f"{shown(when)} is no schedule; {_WRITTEN}")
    on_missed, most = _on_missed(spec.on_missed, line.of("on_missed").where)
    kind = understood_choice(SCHEDULE, when, where, registry)
    if kind is None:
        raise WrongSpec(where=where, why=f"a schedule is missing; {_WRITTEN}")
    return DeploymentSchedule(
        kind=kind,
        on_missed=on_missed,
        most_missed=most,
        max_lateness=_lateness(spec.max_lateness, line.of("max_lateness").where),
        overlap=_one_of(Overlap, "overlap", spec.overlap, line.of("overlap").where),
    )


def _of_mapping(given: Mapping[Any, Any]) -> ScheduleSpec:
    """The schedule and its policies, which are written side by side."""
    policies = {name: given[name] for name in POLICIES if name in given}
    kind = {name: value for name, value in given.items() if name not in policies}
    return ScheduleSpec(kind["schedule"] if kind.keys() == {"schedule"} else kind, **policies)


def _by_its_key(when: Mapping[Any, Any], where: str, registry: Registry) -> Mapping[Any, Any]:
    """`{cron: ...}` is the kind of schedule that has an option of its own name."""
    named = sorted(_kinds(registry) & set(when))
    if len(named) != 1:
        from difflib import get_close_matches  # needed after a slip only

        kinds = _kinds(registry)
        near = [found for name in when if isinstance(name, str) for found in get_close_matches(name, kinds, n=1)]
        advice = f"did you mean {near[0]}?" if near else _WRITTEN
        why = f"a schedule is of one kind, not of {' and '.join(named)}" if named else f"{dict(when)!r} is no schedule; {advice}"
        raise WrongSpec(where=where, why=why)
    return {"type": named[0], **when}


def _kinds(registry: Registry) -> set[str]:
    """Those that are installed, and those that could be."""
    return {*registry.offers(SCHEDULE), *(name for port, name in KNOWN if port == SCHEDULE)}


def _on_missed(given: Any, where: str) -> tuple[OnMissed, int]:
    if isinstance(given, str) and (counted := _RUN_ALL.fullmatch(given.strip())) is not None:
        if not 1 <= int(counted[1]) <= MOST_COUNTED:
            why = f"on_missed makes up for 1 to {MOST_COUNTED} times, not {int(counted[1])}; write skip to make up for none"
            raise WrongSpec(where=where, why=why)
        return OnMissed.RUN_ALL, int(counted[1])
    return _one_of(OnMissed, "on_missed", given, where), MOST_MISSED


def _one_of(kind: type[E], name: str, given: Any, where: str) -> E:
    try:
        return kind(given)
    except ValueError:
        raise WrongSpec(where=where, why=f"{name} must be {_listed(kind)}, not {shown(given)}") from None


def _listed(kind: Iterable[StrEnum]) -> str:
    *others, last = [each.value for each in kind]
    return f"{', '.join(others)} or {last}"


def _lateness(given: Any, where: str) -> float | None:
    if given is None:
        return None
    try:
        seconds = duration(given) if isinstance(given, str) else given if isinstance(given, timedelta) else timedelta(seconds=given)
    except (TypeError, ValueError, OverflowError) as error:
        why = str(error) if isinstance(given, str) else f"it must be a length of time, as 3600 (seconds), 30s, 5m or 1h, not {shown(given)}"
        raise WrongSpec(where=where, why=f"max_lateness: {why}") from None
    if not timedelta() < seconds <= LONGEST:
        raise WrongSpec(where=where, why=f"max_lateness must be longer than nothing and at most a hundred years, not {shown(given)}")
    return seconds.total_seconds()
