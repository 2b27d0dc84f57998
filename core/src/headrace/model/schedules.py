"""Schedules of deployments: when runs are made by themselves, and what becomes of times that were missed or come too soon."""

from datetime import datetime
from enum import StrEnum

import attrs

from headrace.model.choices import Choice
from headrace.model.states import StateType

MOST_MISSED = 10
"""How many runs are made up for where all are to be, and nothing is said."""


class OnMissed(StrEnum):
    """What becomes of times at which nobody made runs: none of them has a run, the latest has, or all have."""

    SKIP = "skip"
    RUN_LATEST = "run_latest"
    RUN_ALL = "run_all"


class Overlap(StrEnum):
    """What becomes of a run that is due while an earlier one of its schedule is under way."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_PREVIOUS = "cancel_previous"


@attrs.frozen(kw_only=True)
class DeploymentSchedule:
    """When a deployment runs by itself: `kind` is a kind of schedule with its options.

    `most_missed` is how many times are made up for by `run_all`. A run that has not begun `max_lateness` seconds after its time is skipped; None: once the
    next time has come, and never where all are to be made up for. The orchestration gives the `id`, which stays for as long as the schedule is
    changed and not taken away, the `version`, which counts its changes, and `since`, before which this version makes no runs.
    """

    kind: Choice
    on_missed: OnMissed = OnMissed.RUN_LATEST
    most_missed: int = MOST_MISSED
    max_lateness: float | None = None
    overlap: Overlap = Overlap.QUEUE
    id: str = ""
    version: int = 1
    since: datetime | None = None

    @property
    def wanted(self) -> "DeploymentSchedule":
        """What somebody wrote, without what the orchestration gave."""
        return attrs.evolve(self, id="", version=1, since=None)


@attrs.frozen(kw_only=True)
class Tick:
    """A time of a schedule, which a run was made for: at most one for each `at` of a version. A run that has not begun by `start_by` is skipped."""

    schedule_id: str
    version: int
    at: datetime
    start_by: datetime | None = None
    overlap: Overlap = Overlap.ALLOW


@attrs.frozen(kw_only=True)
class TickRun:
    """The run that was made for a time of a schedule, in short: which one it is, and the type and name of the state that it is in."""

    schedule_id: str
    at: datetime
    run_id: str
    state_type: StateType
    state_name: str


@attrs.frozen(kw_only=True)
class SchedulePlan:
    """How far the times of a deployment's schedule are decided, and when the next ones are to be; `look_at` None: never, as things are. `revision` counts
    how often the deployment has changed since the schedule was made; `looked` is when it was looked at last."""

    schedule_id: str
    deployment_id: str
    version: int
    revision: int = 1
    decided: datetime
    look_at: datetime | None
    looked: datetime | None = None


@attrs.frozen(kw_only=True)
class Scheduled:
    """What a round of the scheduler did: how many runs it made, and how many times it skipped; `next_look` is when there is more to do, if ever."""

    made: int = 0
    skipped: int = 0
    next_look: datetime | None = None
