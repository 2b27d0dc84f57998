"""`headrace deployment`: what is deployed, and runs of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from json import dumps
from typing import Any, TypeVar

import click

from headrace import instance
from headrace.cli import lookup, runs, show
from headrace.cli.backfill import backfill
from headrace.cli.deploy import create, plan
from headrace.cli.deployment_rows import deployment_row, files_of
from headrace.cli.deployment_schedules import clear_schedule, next_in_words, next_of, set_schedule
from headrace.cli.execution import Execution, ended_by_signals
from headrace.cli.invocation import Invocation
from headrace.cli.moments import DURATION, MOMENT
from headrace.cli.numbers import WholeNumber
from headrace.cli.typed_parameters import typed
from headrace.cli.versions import history, pause, resume, rollback
from headrace.cli.wanting import advice
from headrace.cli.watching import Watching
from headrace.errors import NotFound
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Deployment, RunRequest
from headrace.model.filters import MOST_ROWS, DeploymentFilter, Page
from headrace.model.run_names import run_name
from headrace.model.runs import FlowRun
from headrace.model.storages import name_in
from headrace.packaging.statements import checked, signed_by
from headrace.wire.plain import to_plain
from headrace.wire.schedule_words import all_in_a_cell, in_words
from headrace.wire.schema_words import words

C = TypeVar("C", bound=Callable[..., Any])


@click.group()
def deployment() -> None:
    """Deploy flows, and run what is deployed.

    A deployment may be named as flow/deployment, by its own name, by its id, or by the start of its id (4 characters or more), as long as only one fits.
    """


for command in (create, plan, history, rollback, pause, resume, set_schedule, clear_schedule, backfill):
    deployment.add_command(command)


# ls, inspect, delete


@deployment.command()
@click.option("--flow", "flows", metavar="NAME", multiple=True, help="Only deployments of this flow; may be given several times.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only deployments with this tag; given several times, with all of them.")
@click.option(
    "--limit",
    type=WholeNumber(1, MOST_ROWS),
    metavar="N",
    default=MOST_ROWS,
    help=f"How many to show, the newest first; at most {MOST_ROWS}, as if not given.",
)
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, flows: tuple[str, ...], tags: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List deployments, those created last first."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = house.client.read_deployments(DeploymentFilter(flow_names=flows, tags=tags), Page(limit=limit))
        now = house.clock.now()
    if as_json:
        show.json([deployment_row(each) for each in found])
        return
    nothing_yet = "nothing is deployed yet; write a spec and deploy it: headrace deployment create FILE"
    show.table(
        ("id", "name", "flow runner", "schedule", "age", "tags"),
        [
            (each.id, each.full_name, each.flow_runner.name, all_in_a_cell(each), show.age(each.created, now), ", ".join(each.tags))
            for each in found
        ],
        empty="no deployment fits; list all with: headrace deployment ls" if flows or tags else nothing_yet,
    )


@deployment.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, name: str, as_json: bool) -> None:
    """Show all about a deployment."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        now = house.clock.now()
    if as_json:
        show.json({**deployment_row(found), "next_time": next_of(invocation.registry, found, now)})
        return
    archive = found.code.archive
    show.record(
        {
            "id": found.id,
            "name": found.full_name,
            "description": found.description,
            "tags": ", ".join(found.tags),
            "parameters": dumps(dict(found.parameters), ensure_ascii=False) if found.parameters else None,
            "takes": "; ".join(_taken(found.parameter_schema)),
            "flow runner": _choice(found.flow_runner),
            **_schedules(found),
            "next time": next_in_words(invocation.registry, found, now),
            "entrypoint": found.code.entrypoint,
            "code": _archive(archive) if archive else "what is installed where it runs",
            "storage": _storage(archive.storage) if archive else None,
            "flow version": found.flow_version,
            "retries": f"{found.retries} at most, {show.duration(found.retry_delay)} apart" if found.retries else None,
            "restarts after a crash": f"{found.max_restarts} at most" if found.max_restarts else None,
            "signed by": signed_by(found, invocation.registry),
            "verified": "yes" if found.is_verified else "no",
            "paused": "yes" if found.is_paused else None,
            "version": found.version,
            "created": show.moment_ago(found.created, now),
            "updated": show.moment_ago(found.updated, now),
        }
    )


@deployment.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@show.json_option
@click.pass_obj
def delete(invocation: Invocation, names: tuple[str, ...], as_json: bool) -> None:
    """Forget deployments.

    Their runs that have not started go with them; what ran stays. If one is not found, none is deleted.
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = {each.id: each for each in (lookup.deployment(house.client, name) for name in names)}
        tell = show.remark if as_json else click.echo
        deleted = [each for each in found.values() if _deleted(house, each, tell)]
    if as_json:
        show.json([deployment_row(each) for each in deleted])


def _deleted(house: Instance, found: Deployment, tell: Callable[[str], None]) -> bool:
    """Whether it was still there, which is told."""
    try:
        house.client.delete_deployment(found.id)
    except NotFound:
        show.remark(f"deployment {found.full_name!r} was gone already ({found.id})")
        return False
    tell(f"deleted deployment {found.full_name!r} ({found.id})")
    return True


def _schedules(found: Deployment) -> dict[str, str]:
    """A line for each; the first is called schedule."""
    lines = [in_words(each) for each in found.schedules] or [""]
    return {f"schedule {place}" if place > 1 else "schedule": line for place, line in enumerate(lines, 1)}


def _choice(choice: Choice | None) -> str | None:
    if choice is None:
        return None
    return f"{choice.name} {dumps(to_plain(choice.options), ensure_ascii=False)}" if choice.options else choice.name


def _storage(choice: Choice | None) -> str | None:
    """As people write it: by its name, where it has one."""
    return "the orchestration's own" if choice is None else name_in(choice) or _choice(choice)


def _archive(archive: Archive) -> str:
    return f"{files_of(archive)}, sha256 {archive.sha256}"


def _taken(schema: Mapping[str, Any]) -> list[str]:
    """The parameters, each with what it may be."""
    properties, required = schema.get("properties", {}), schema.get("required", ())
    return [f"{name}: {words(each, schema)}{'' if name in required else ', or not given'}" for name, each in properties.items()]


# run, execute


def request_options(command: C) -> C:
    """Gives a command the options of a run that is asked for."""
    options = (
        click.argument("name"),
        click.option(
            "--param",
            "pairs",
            metavar="NAME=VALUE",
            multiple=True,
            help="A parameter; text stays text where text is taken, else it is JSON.",
        ),
        click.option("--params", "whole", metavar="JSON", help="Parameters as a JSON object; --param goes over them."),
        click.option(
            "--tag", "tags", metavar="TAG", multiple=True, help="A tag more than the deployment's own; may be given several times."
        ),
        click.option("--name", "called", metavar="NAME", help="The name of the run; two words if not given."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@deployment.command()
@request_options
@click.option("--at", "at", type=MOMENT, metavar="ISO", help="When it is due: 2026-11-25T09:30, local time if no offset is given.")
@click.option("--in", "delay", type=DURATION, metavar="TIME", help="How long from now it is due: 30s, 5m, 2h, 1d.")
@click.option("--watch", is_flag=True, help="Show its log until it has ended; the exit code is 0 if it completed, else 1.")
@show.json_option
@click.pass_obj
def run(
    invocation: Invocation,
    name: str,
    pairs: tuple[str, ...],
    whole: str | None,
    tags: tuple[str, ...],
    called: str | None,
    at: datetime | None,
    delay: timedelta | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Ask for a run of a deployment; an agent will start it.

    \b
    headrace deployment run leonardo_dicapriflow/leonardo-deployment
    headrace deployment run leonardo-deployment --param name=Ada --in 5m
    """
    if at is not None and delay is not None:
        raise click.UsageError("--at and --in cannot be given together")
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        now = house.clock.now()
        due = at if delay is None else now + delay
        asked = house.client.request_run(_request(house, found, pairs, whole, tags, called, at=due))
        if as_json and not watch:
            show.json(runs.flow_run_row(house.client, asked, now))
            return
        if not as_json:
            click.echo(f"Created flow run {asked.name!r} ({asked.id}) of {found.full_name}, due {_when(due, now)}")
        if at is not None and at < asked.created:
            show.remark(f"{show.moment(at)} is past, so the run is due at once")
        missing = advice(house.client.explain_flow_run(asked.id))
        if missing:
            show.remark(missing)
        if watch:
            _watch(house, asked, as_json=as_json)


@deployment.command()
@request_options
@show.json_option
@click.pass_obj
def execute(
    invocation: Invocation, name: str, pairs: tuple[str, ...], whole: str | None, tags: tuple[str, ...], called: str | None, as_json: bool
) -> None:
    """Run a deployment here and now, without queue and agent.

    Its log is shown as it comes; the exit code is 0 if it completed, else 1. Ctrl+C cancels it. With --json the run is shown when it has ended.

    \b
    headrace deployment execute leonardo-deployment --param name=Ada
    """
    with ended_by_signals(), instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        statement = checked(found, found.flow_runner, house.registry) if house.settings.require_signature else None
        request = _request(house, found, pairs, whole, tags, called, holder=house.ids.new())
        execution = Execution(house, request, of=found.full_name, tell=show.remark if as_json else click.echo, statement=statement)
        try:
            ended = execution.ended()
        except KeyboardInterrupt:
            cancelled = execution.cancelled()
            if cancelled is not None:
                _show_end(house, cancelled, as_json=as_json)
            raise
        _show_end(house, ended, as_json=as_json)
    _exit_as(ended)


def _request(
    house: Instance,
    found: Deployment,
    pairs: Sequence[str],
    whole: str | None,
    tags: Sequence[str],
    called: str | None,
    *,
    at: datetime | None = None,
    holder: str | None = None,
) -> RunRequest:
    return RunRequest(
        id=house.ids.new(),
        deployment_id=found.id,
        name=run_name(house.ids.random) if called is None else called,
        parameters=typed(found.parameter_schema, pairs, whole),
        is_named=called is not None,
        tags=tuple(tags),
        at=at,
        holder=holder,
    )


def _when(due: datetime | None, now: datetime) -> str:
    return "now" if due is None or due <= now else show.moment_ago(due, now)


def _watch(house: Instance, run: FlowRun, *, as_json: bool) -> None:
    try:
        ended = Watching(house, run).until_end()
    except KeyboardInterrupt:
        show.remark(f"Not watched any more; the run goes on. See it with: headrace flow-run logs --follow {run.id}")
        raise
    _show_end(house, ended, as_json=as_json)
    _exit_as(ended)


def _show_end(house: Instance, run: FlowRun, *, as_json: bool) -> None:
    if as_json:
        show.json(runs.flow_run_row(house.client, run, house.clock.now()))
    show.remark(f"Flow run {run.name!r} ended in state {run.state}")


def _exit_as(run: FlowRun) -> None:
    if not run.state.is_completed():
        raise click.exceptions.Exit(1)
