"""When deployments run next, as `headrace schedule preview` tells it."""

from collections.abc import Iterator
from datetime import datetime

import attrs

from headrace.errors import HeadraceError
from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.filters import Page
from headrace.model.schedules import DeploymentSchedule
from headrace.rules.coming_times import OpenSchedule, next_time, opened
from headrace.rules.forecast import MOST_MEASURED, UnderWay, marked, measured, not_ended, under_way_of, usual_of


@attrs.frozen(kw_only=True)
class Next:
    """When the next run is to be; `why` there is none, or why nobody here can say."""

    at: datetime | None = None
    why: str = ""


def opened_schedules(house: Instance, deployment: Deployment) -> list[OpenSchedule]:
    """Its schedules, ready to be asked. Raises NotInstalled and the errors of their kinds."""
    return [opened(each, house.registry.make("schedule", each.kind)) for each in deployment.schedules]


def next_of(house: Instance, deployment: Deployment, now: datetime) -> Next:
    """When a deployment with schedules runs next."""
    if deployment.is_paused:
        return Next(why="none while it is paused")
    try:
        at = next_time(opened_schedules(house, deployment), now)
    except HeadraceError as error:
        return Next(why=f"not known here: {error}")
    return Next(at=at, why="" if at is not None else "none is to come")


def coming_runs(house: Instance, deployment: Deployment, now: datetime) -> Iterator[tuple[datetime, DeploymentSchedule, tuple[str, ...]]]:
    """The times to come of a deployment, in their schedules' zones, each with its schedule and what is to be said of it. Raises as `opened_schedules`."""
    schedules = opened_schedules(house, deployment)
    ended = [run for wanted in measured(deployment) for run in house.client.read_flow_runs(wanted, Page(limit=MOST_MEASURED))]
    usual = usual_of(ended)
    under_way: dict[str, UnderWay] = under_way_of(house.client.read_flow_runs(not_ended(deployment), Page()), usual, now)
    for found, marks in marked(schedules, now, usual=usual, under_way=under_way):
        yield found.at, schedules[found.place].schedule, marks
