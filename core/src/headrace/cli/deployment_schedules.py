"""`headrace deployment set-schedule | clear-schedule`: when a deployment runs by itself."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from headrace import instance
from headrace.cli import lookup, show, typed_schedules
from headrace.cli.changing import on_top
from headrace.cli.deployment_rows import deployment_row
from headrace.cli.invocation import Invocation
from headrace.cli.typed_schedules import TypedSchedule
from headrace.errors import HeadraceError
from headrace.hooks.registry import Registry
from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.schedules import DeploymentSchedule
from headrace.rules.coming_times import OpenSchedule, next_time, opened
from headrace.wire.schedule_words import in_words


@click.command()
@click.argument("name")
@typed_schedules.options
@click.option(
    "--on-missed",
    metavar="skip|run_latest|run_all|run_all(N)",
    help="What becomes of times at which nobody made runs; run_latest if not given, and run_all makes up for the last 10.",
)
@click.option("--max-lateness", metavar="TIME", help="A run that has not begun so long after its time is skipped: 30s, 5m, 1h.")
@click.option(
    "--overlap",
    metavar="allow|skip|queue|cancel_previous",
    help="What becomes of a run that is due while an earlier one is under way; queue if not given.",
)
@click.option("--add", "adds", is_flag=True, help="Keep the schedules that it has, and add this one.")
@show.json_option
@click.pass_obj
def set_schedule(
    invocation: Invocation,
    /,
    name: str,
    timezone: ZoneInfo | None,
    on_missed: str | None,
    max_lateness: str | None,
    overlap: str | None,
    adds: bool,
    as_json: bool,
    **typed: Any,
) -> None:
    """Say when a deployment runs by itself.

    The schedule takes the place of those before it, policies and all. It holds from now on; runs that were made ahead for the one before, and have not
    started, go.

    \b
    headrace deployment set-schedule nightly --cron "0 2 * * *"
    headrace deployment set-schedule nightly --interval 90m --overlap skip
    headrace deployment set-schedule nightly --cron @weekly --add
    """
    given = TypedSchedule(**typed)
    if not given.is_given:
        raise click.UsageError("say when: with --cron, --interval, --rrule or --schedule")
    if given.is_whole and timezone is not None:
        raise click.UsageError("--timezone belongs to --cron, --interval and --rrule; write it into the JSON of --schedule")
    wanted = typed_schedules.understood(
        given.written(timezone),
        invocation.registry,
        where="the schedule",
        on_missed=on_missed,
        max_lateness=max_lateness,
        overlap=overlap,
    )
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        kept = _put(house, lookup.deployment(house.client, name), lambda found: _added(found, wanted) if adds else wanted)
        now = house.clock.now()
    _tell(invocation.registry, kept, now, as_json=as_json)


def _added(found: Deployment, wanted: tuple[DeploymentSchedule, ...]) -> tuple[DeploymentSchedule, ...]:
    for each in wanted:
        if each.kind in [known.kind for known in found.schedules]:
            raise click.ClickException(f"deployment {found.full_name!r} has this schedule already: {in_words(each)}")
    return (*found.schedules, *wanted)


def _put(house: Instance, found: Deployment, changed: Callable[[Deployment], tuple[DeploymentSchedule, ...]]) -> Deployment:
    def put(newest: Deployment) -> Deployment:
        return house.client.put_schedules(newest.id, newest.version, changed(newest))

    return on_top(found, put, lambda: house.client.read_deployment(found.id))


def _tell(registry: Registry, kept: Deployment, now: datetime, *, as_json: bool) -> None:
    if as_json:
        show.json({**deployment_row(kept), "next_time": next_of(registry, kept, now)})
        return
    for each in kept.schedules:
        click.echo(f"{kept.full_name} runs by {in_words(each)}")
    click.echo(f"next time: {next_in_words(registry, kept, now)}")


def next_of(registry: Registry, found: Deployment, now: datetime) -> str | None:
    """When the next run of a deployment's schedules is due, with the offset of its zone; None: never, or nobody here can say."""
    try:
        at = None if found.is_paused else next_time(_opened(registry, found), now)
    except HeadraceError:
        return None
    return None if at is None else at.isoformat()


def next_in_words(registry: Registry, found: Deployment, now: datetime) -> str | None:
    """The same for a person; None where it has no schedule."""
    if not found.schedules:
        return None
    if found.is_paused:
        return "none while the deployment is paused"
    try:
        at = next_time(_opened(registry, found), now)
    except HeadraceError as error:
        return f"not known here: {error}"
    return "none is to come" if at is None else f"{at:%Y-%m-%d %H:%M:%S %Z} ({show.ago(at, now)})"


def _opened(registry: Registry, found: Deployment) -> list[OpenSchedule]:
    return [opened(each, registry.make("schedule", each.kind)) for each in found.schedules]


@click.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def clear_schedule(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let a deployment make no runs by itself any more.

    Runs that were made ahead and have not started go.

    \b
    headrace deployment clear-schedule nightly
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        kept = _put(house, found, lambda _: ())
    if as_json:
        show.json(deployment_row(kept))
    elif not found.schedules:
        click.echo(f"{found.full_name} has no schedule")
    else:
        click.echo(f"cleared the schedule of {kept.full_name}; it makes no runs by itself ({kept.id})")
