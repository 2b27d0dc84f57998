"""`headrace deployment backfill`: runs for times of a schedule that are past."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from shlex import quote
from typing import Any

import attrs
import click

from headrace import instance
from headrace.cli import lookup, show
from headrace.cli.invocation import Invocation
from headrace.cli.moments import WALL_MOMENT, in_zone
from headrace.cli.numbers import WholeNumber
from headrace.cli.wanting import advice
from headrace.errors import NotAllowed
from headrace.ids import derived_id
from headrace.instance import Instance
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.filters import MOST_ROWS, FlowRunFilter, Page, all_of
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.states import SKIPPED
from headrace.ports.client import OpenClient
from headrace.rules.coming_times import Coming, OpenSchedule, coming, common_zone, opened
from headrace.wire.schedule_words import in_a_cell, in_short

BACKFILL = "backfill"
"""The tag of runs that were asked for so."""

MOST_UNASKED = 1000
"""How many runs are made where nobody says how many it may be."""

MOST_AT_ONCE = 100_000
MOST_ROUNDS = 1000


@attrs.frozen(kw_only=True)
class _Time:
    """A time of a schedule; `run_id` is of the run that is, or is to be, made for it, and `known` that run, where there is one."""

    at: datetime
    opened: OpenSchedule
    run_id: str
    known: FlowRun | None = None


@click.command()
@click.argument("name")
@click.option("--from", "start", type=WALL_MOMENT, metavar="ISO", required=True, help="The first moment of the times that are made up for.")
@click.option("--to", "end", type=WALL_MOMENT, metavar="ISO", help="The last moment of them; now if not given.")
@click.option("--plan", "only_plans", is_flag=True, help="Show the times, and make no runs.")
@click.option(
    "--limit",
    type=WholeNumber(1, MOST_AT_ONCE),
    metavar="N",
    help=f"How many runs to make at most, for the first times; without it, more than {MOST_UNASKED} are refused.",
)
@show.json_option
@click.pass_obj
def backfill(
    invocation: Invocation, name: str, start: datetime, end: datetime | None, only_plans: bool, limit: int | None, as_json: bool
) -> None:
    """Make runs for past times of a deployment.

    They are the times of its schedules. Each run is due at once, has the time that it is for as the one at which it was to start, and is tagged
    `backfill`. They may all run at once, as far as work queues let them. A time that has a run already, which was not skipped, gets no other;
    asking twice makes none twice. A moment without an offset is meant in the zone of the schedule.

    \b
    headrace deployment backfill nightly --from 2026-03-01 --to 2026-04-01 --plan
    headrace deployment backfill nightly --from 2026-03-01 --to 2026-04-01
    headrace flow-run cancel --deployment nightly --tag backfill
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        if not found.schedules:
            raise click.ClickException(f"deployment {found.full_name!r} has no schedule, so there are no times to make up for")
        schedules = [opened(each, house.registry.make("schedule", each.kind)) for each in found.schedules]
        first, last = _checked(start, end, schedules, house.clock.now())
        if not only_plans:
            _decide(house)
        times, is_more = _limited(_times(house.client, found, schedules, first, last), limit)
        asked = times if only_plans else [_asked(house, found, each) for each in times]
        new = [each for each in times if each.known is None]
        wanting = "" if only_plans or not new or found.is_paused else advice(house.client.explain_flow_run(new[0].run_id))
    if as_json:
        show.json([_row(each, is_new=before.known is None) for each, before in zip(asked, times, strict=True)])
    elif only_plans:
        _show(times)
    else:
        click.echo(f"Asked for {_number(len(new))} of {found.full_name}{_span(new)}")
    _remark_on(found, times, is_more=is_more)
    if wanting:
        show.remark(wanting)


def _decide(house: Instance) -> None:
    """Lets the runs be made that the scheduler would make for times up to now, so that none of these gets a second one."""
    with suppress(NotAllowed):  # nobody but an agent may have to ask for that
        for _ in range(MOST_ROUNDS):
            look = house.client.schedule_runs().next_look
            if look is None or look > house.clock.now():
                return


def _checked(start: datetime, end: datetime | None, schedules: Sequence[OpenSchedule], now: datetime) -> tuple[datetime, datetime]:
    zone = common_zone(schedules)
    first, last = in_zone(start, zone), now if end is None else in_zone(end, zone, is_last=True)
    if last < first:
        raise click.UsageError("--to lies before --from" if end is not None else "--from lies in the future")
    if last > now:
        raise click.UsageError("--to lies in the future; for times to come, the scheduler makes the runs")
    return first, last


def _times(client: OpenClient, found: Deployment, schedules: Sequence[OpenSchedule], first: datetime, last: datetime) -> Iterator[_Time]:
    """The times from one moment to another, each with its run, if it has one."""
    ticked = _ticked(client, schedules, first, last)
    times = coming(schedules, first, last)
    while portion := list(islice(times, MOST_ROWS)):
        of_portion = [_time(found, schedules[each.place], each) for each in portion]
        ids = tuple(each.run_id for each in of_portion)
        made = {run.id: run for run in client.read_flow_runs(FlowRunFilter(ids=ids), Page())}
        for each in of_portion:
            known = made.get(each.run_id) or ticked.get((each.opened.schedule.id, each.at.astimezone(UTC)))
            yield attrs.evolve(each, known=known, run_id=each.run_id if known is None else known.id)


def _time(found: Deployment, opened: OpenSchedule, coming: Coming) -> _Time:
    run_id = derived_id(coming.at.astimezone(UTC), BACKFILL, found.id, opened.schedule.id)
    return _Time(at=coming.at, opened=opened, run_id=run_id)


def _ticked(
    client: OpenClient, schedules: Iterable[OpenSchedule], first: datetime, last: datetime
) -> Mapping[tuple[str, datetime], FlowRun]:
    """The runs that the scheduler made for these times."""
    found: dict[tuple[str, datetime], FlowRun] = {}
    for run in all_of(client.read_flow_runs, FlowRunFilter(schedule_ids=tuple(each.schedule.id for each in schedules))):
        if run.tick is not None and first <= run.tick.at <= last and run.state.name != SKIPPED:
            found[run.tick.schedule_id, run.tick.at] = run
    return found


def _limited(times: Iterator[_Time], limit: int | None) -> tuple[list[_Time], bool]:
    """The times to be looked at, and whether more of them have no run yet. Raises click.UsageError for too many."""
    kept: list[_Time] = []
    new = 0
    for each in times:
        if each.known is None and new == (limit or MOST_UNASKED):
            if limit is None:
                raise click.UsageError(
                    f"more than {MOST_UNASKED} times lie between these moments; say how many runs may be made, as with --limit 5000"
                )
            return kept, True
        new += each.known is None
        kept.append(each)
    return kept, False


def _asked(house: Instance, found: Deployment, time: _Time) -> _Time:
    if time.known is not None:
        return time
    request = RunRequest(
        id=time.run_id, deployment_id=found.id, name=run_name(house.ids.random), tags=(BACKFILL,), at=time.at.astimezone(UTC)
    )
    return attrs.evolve(time, known=house.client.request_run(request))


def _row(time: _Time, *, is_new: bool) -> dict[str, Any]:
    return {
        "at": time.at.isoformat(),
        "schedule": in_short(time.opened.schedule),
        "schedule_id": time.opened.schedule.id,
        "is_new": is_new,
        "flow_run": None if time.known is None else time.known.id,
        "state": None if time.known is None else time.known.state.name,
    }


def _show(times: Sequence[_Time]) -> None:
    show.table(
        ("time", "day", "schedule", "run"),
        [
            (
                f"{each.at:%Y-%m-%d %H:%M:%S %Z}",
                f"{each.at:%a}",
                in_a_cell(each.opened.schedule),
                "to be made" if each.known is None else f"{each.known.name}, {each.known.state.name} ({each.known.id})",
            )
            for each in times
        ],
        empty="no time of its schedules lies between these moments",
    )


def _span(new: Sequence[_Time]) -> str:
    if not new:
        return ""
    first, last = (f"{each.at:%Y-%m-%d %H:%M:%S %Z}" for each in (new[0], new[-1]))
    return f", for {first}" if len(new) == 1 else f", for times from {first} to {last}"


def _remark_on(found: Deployment, times: Sequence[_Time], *, is_more: bool) -> None:
    known = sum(each.known is not None for each in times)
    if known:
        show.remark(
            f"{known} {'time has a run' if known == 1 else 'times have a run'} already, and {'gets' if known == 1 else 'get'} no other"
        )
    if is_more:
        show.remark("more times have no run yet; the same command goes on with them")
    if found.is_paused:
        show.remark(
            f"deployment {found.full_name!r} is paused: nothing is started before: headrace deployment resume {quote(found.full_name)}"
        )


def _number(count: int) -> str:
    return f"{count} flow run{'' if count == 1 else 's'}"
