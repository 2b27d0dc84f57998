"""Schedules of deployments in a line."""

from json import dumps
from types import MappingProxyType
from typing import Any

from headrace.model.deployments import Deployment
from headrace.model.durations import told_duration
from headrace.model.schedules import DeploymentSchedule, OnMissed
from headrace.wire.plain import to_plain

MOST_SHOWN = 40
"""How many characters of a value are shown where there is little room; JSON has it whole."""

MOST_NAMED = 2
"""How many schedules of a deployment are shown where there is little room."""

# what the kinds of headrace-schedules mean without these; of other kinds all is shown
_AS_IF_NOT_GIVEN = MappingProxyType({"timezone": "UTC", "day_or": True})
_SHORT_NAMES = MappingProxyType({"timezone": "", "anchor_date": "anchor "})


def in_short(schedule: DeploymentSchedule) -> str:
    """Its kind, with the option that is called like it, and what else is not as by default: `cron 0 9 * * * Europe/Berlin`."""
    return _joined(schedule, None)


def in_a_cell(schedule: DeploymentSchedule) -> str:
    """The same for a table: what is long is cut."""
    return _joined(schedule, MOST_SHOWN)


def all_in_a_cell(found: Deployment) -> str:
    """The schedules of a deployment for a table, and whether they make runs."""
    named = [in_a_cell(each) for each in found.schedules[:MOST_NAMED]]
    others = len(found.schedules) - len(named)
    said = "; ".join([*named, *([f"{others} more"] if others else [])])
    return f"{said} (paused)" if said and found.is_paused else said


def in_words(schedule: DeploymentSchedule) -> str:
    """What it is, and what becomes of its times: `cron 0 9 * * *, timezone Europe/Berlin; on missed run_latest, overlap queue`."""
    said = ", ".join([_kind(schedule, None), *(f"{name} {_written(value)}" for name, value in _others(schedule).items())])
    most = f"({schedule.most_missed})" if schedule.on_missed is OnMissed.RUN_ALL else ""
    late = "" if schedule.max_lateness is None else f", at most {told_duration(schedule.max_lateness)} late"
    return f"{said}; on missed {schedule.on_missed}{most}, overlap {schedule.overlap}{late}"


def _joined(schedule: DeploymentSchedule, most: int | None) -> str:
    others = (f"{_SHORT_NAMES.get(name, f'{name} ')}{_cut(_written(value), most)}" for name, value in _others(schedule).items())
    return " ".join([_kind(schedule, most), *others])


def _kind(schedule: DeploymentSchedule, most: int | None) -> str:
    own = to_plain(schedule.kind.options).get(schedule.kind.name)
    return schedule.kind.name if own is None else f"{schedule.kind.name} {_cut(_written(own), most)}"


def _others(schedule: DeploymentSchedule) -> dict[str, Any]:
    """What is said beside the kind, where it makes a difference."""
    options = to_plain(schedule.kind.options)
    return {
        name: value
        for name, value in options.items()
        if name != schedule.kind.name and value is not None and value != _AS_IF_NOT_GIVEN.get(name)
    }


def _written(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return " ".join((value if isinstance(value, str) else dumps(value, ensure_ascii=False)).split())


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[: most - 1].rstrip()}…"
