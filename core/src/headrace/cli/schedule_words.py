"""Schedules of deployments in a line."""

from headrace.cli import show
from headrace.model.deployments import Deployment
from headrace.model.schedules import DeploymentSchedule, OnMissed
from headrace.wire.plain import to_plain


def in_short(schedule: DeploymentSchedule) -> str:
    """Its kind, with the option that is called like it: `cron 0 9 * * *`."""
    own = to_plain(schedule.kind.options).get(schedule.kind.name)
    return schedule.kind.name if own is None else f"{schedule.kind.name} {' '.join(str(own).split())}"


def all_in_short(found: Deployment) -> str:
    """All schedules of a deployment, and whether they make runs."""
    said = "; ".join(in_short(each) for each in found.schedules)
    return f"{said} (paused)" if said and found.is_paused else said


def in_words(schedule: DeploymentSchedule) -> str:
    """What it is, and what becomes of its times: `cron 0 9 * * *, timezone Europe/Berlin; on missed run_latest, overlap queue`."""
    options = {name: value for name, value in to_plain(schedule.kind.options).items() if value is not None}
    options.pop(schedule.kind.name, None)
    said = ", ".join([in_short(schedule), *(f"{name} {value}" for name, value in options.items())])
    most = f"({schedule.most_missed})" if schedule.on_missed is OnMissed.RUN_ALL else ""
    late = "" if schedule.max_lateness is None else f", at most {show.duration(schedule.max_lateness)} late"
    return f"{said}; on missed {schedule.on_missed}{most}, overlap {schedule.overlap}{late}"
