"""`headrace schedule`: when schedules come."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from shlex import quote
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import click

from headrace import instance
from headrace.cli import lookup, show, typed_schedules
from headrace.cli.invocation import Invocation
from headrace.cli.moments import WALL_MOMENT, in_zone
from headrace.cli.numbers import WholeNumber
from headrace.cli.typed_schedules import TypedSchedule
from headrace.clock import SystemClock
from headrace.hooks.registry import Registry
from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.filters import Page
from headrace.rules.coming_times import Coming, OpenSchedule, common_zone, opened
from headrace.rules.forecast import CANCELLED, MOST_MEASURED, UnderWay, Usual, marked, measured, not_ended, under_way_of, usual_of
from headrace.wire.schedule_words import in_a_cell, in_short

MOST_TIMES = 10_000


@click.group()
def schedule() -> None:
    """Look at schedules: when deployments run by themselves.

    A schedule is given to a deployment where it is deployed, or with: headrace deployment set-schedule NAME
    """


@attrs.frozen(kw_only=True)
class _Asked:
    """Schedules whose times are asked for; those of a deployment may have runs that tell how long they take, and are under way, by their ids."""

    schedules: Sequence[OpenSchedule]
    now: datetime
    deployment: Deployment | None = None
    usual: Usual | None = None
    under_way: Mapping[str, UnderWay] = attrs.field(factory=dict)


@schedule.command()
@click.argument("name", required=False)
@typed_schedules.options
@click.option(
    "--from",
    "start",
    type=WALL_MOMENT,
    metavar="ISO",
    help="The first moment looked at; now if not given. What clocks skip is the moment after it.",
)
@click.option(
    "--to",
    "end",
    type=WALL_MOMENT,
    metavar="ISO",
    help="The last moment looked at. What clocks show twice is the second of both; for --from, the first.",
)
@click.option("-n", "number", type=WholeNumber(1, MOST_TIMES), metavar="N", default=20, help="How many times to show; 20 if not given.")
@show.json_option
@click.pass_obj
def preview(
    invocation: Invocation,
    /,
    name: str | None,
    timezone: ZoneInfo | None,
    start: datetime | None,
    end: datetime | None,
    number: int,
    as_json: bool,
    **typed: Any,
) -> None:
    """Show the times of a schedule that come next.

    It is that of a deployment, or one that is typed, for which nothing need be deployed. Times are shown in the zone of the schedule; with
    --timezone, those of a deployment or of JSON are shown in that one. A moment without an offset is meant in the same zone. What clocks do is
    marked, and where the runs of a deployment last longer than from one time to the next.

    \b
    headrace schedule preview leonardo-deployment
    headrace schedule preview --cron "30 2 * * *" --timezone Europe/Berlin
    headrace schedule preview --interval 90m --from 2026-03-29 --to 2026-03-30
    """
    given = TypedSchedule(**typed)
    if (name is None) != given.is_given:
        raise click.UsageError(
            "say whose times: NAME, or one of --cron, --interval, --rrule and --schedule"
            if name is None
            else "a deployment has schedules of its own; give NAME or a schedule, not both"
        )
    asked = _typed(invocation.registry, given, timezone) if name is None else _deployed(invocation, name, given, timezone)
    zone = timezone or common_zone(asked.schedules)
    first = asked.now if start is None else in_zone(start, zone)
    last = None if end is None else in_zone(end, zone, is_last=True)
    if last is not None and last < first:
        raise click.UsageError(
            "--to lies before now, and without --from times are shown from now on" if start is None else "--to lies before --from"
        )
    rows = list(islice(_marked(asked, first, last), number))
    if as_json:
        show.json([_row(asked, found, marks) for found, marks in rows])
    else:
        _show(asked, rows, is_ended=last is not None)
    _remark_on(asked, rows)


def _typed(registry: Registry, given: TypedSchedule, timezone: ZoneInfo | None) -> _Asked:
    """What is typed; no run store is needed for it."""
    found = typed_schedules.understood(given.written(timezone), registry, where="the schedule")
    return _Asked(schedules=[opened(each, registry.make("schedule", each.kind), timezone) for each in found], now=SystemClock().now())


def _deployed(invocation: Invocation, name: str, given: TypedSchedule, timezone: ZoneInfo | None) -> _Asked:
    if given.anchor is not None or given.day_or is not None:
        raise click.UsageError("--anchor, --day-or and --no-day-or belong to a schedule that is typed; a deployment has its own")
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        schedules = [opened(each, house.registry.make("schedule", each.kind), timezone) for each in found.schedules]
        now, usual = house.clock.now(), _usual(house, found)
        return _Asked(schedules=schedules, now=now, deployment=found, usual=usual, under_way=_under_way(house, found, usual, now))


def _usual(house: Instance, deployment: Deployment) -> Usual | None:
    """How long a run of a deployment takes."""
    return usual_of(run for wanted in measured(deployment) for run in house.client.read_flow_runs(wanted, Page(limit=MOST_MEASURED)))


def _under_way(house: Instance, deployment: Deployment, usual: Usual | None, now: datetime) -> dict[str, UnderWay]:
    """The runs that are under way, by their schedules."""
    known = house.client.read_flow_runs(not_ended(deployment), Page()) if deployment.schedules else []
    return under_way_of(known, usual, now)


def _marked(asked: _Asked, first: datetime, last: datetime | None) -> Iterator[tuple[Coming, tuple[str, ...]]]:
    """The times, each with what is to be said of it beside the one before it."""
    under_way = asked.under_way if first <= asked.now else {}
    return marked(asked.schedules, first, last, usual=asked.usual, under_way=under_way)


def _row(asked: _Asked, found: Coming, marks: Sequence[str]) -> dict[str, Any]:
    schedule = asked.schedules[found.place].schedule
    return {"at": found.at.isoformat(), "schedule": in_short(schedule), "schedule_id": schedule.id or None, "marks": list(marks)}


def _show(asked: _Asked, rows: Sequence[tuple[Coming, Sequence[str]]], *, is_ended: bool) -> None:
    several = len(asked.schedules) > 1
    show.table(
        ("time", "day", "when", *(["schedule"] if several else []), "remarks"),
        [
            (
                written(found.at),
                f"{found.at:%a}",
                _when(found.at, asked.now),
                *([in_a_cell(asked.schedules[found.place].schedule)] if several else []),
                "; ".join(marks),
            )
            for found, marks in rows
        ],
        empty=_nothing(asked, is_ended=is_ended),
    )


def written(at: datetime) -> str:
    """A time in its own zone, to the second, or as exactly as it is."""
    fraction = f".{at.microsecond:06}".rstrip("0") if at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} {at:%Z}"


def _when(at: datetime, now: datetime) -> str:
    seconds = (at.astimezone(UTC) - now).total_seconds()
    return f"in {show.duration(seconds)}" if seconds >= 0 else f"{show.duration(-seconds)} ago"


def _nothing(asked: _Asked, *, is_ended: bool) -> str:
    if asked.deployment is not None and not asked.schedules:
        name = asked.deployment.full_name
        return f"deployment {name!r} has no schedule; give it one: headrace deployment set-schedule {quote(name)} --cron '0 9 * * *'"
    return "no time of it lies between these moments" if is_ended else "no time of it is to come"


def _remark_on(asked: _Asked, rows: Sequence[tuple[Coming, tuple[str, ...]]]) -> None:
    for place, each in enumerate(asked.schedules):
        own = [marks for found, marks in rows if found.place == place]
        if len(own) > 1 and all(any(mark.endswith(CANCELLED) for mark in marks) for marks in own[1:]):
            show.remark(
                f"runs take {asked.usual}, so that each by {in_a_cell(each.schedule)} may be cancelled for the next one, and none completes"
            )
    if asked.deployment is not None and asked.deployment.is_paused and asked.schedules:
        name = asked.deployment.full_name
        show.remark(f"deployment {name!r} is paused: no runs are made before: headrace deployment resume {quote(name)}")
