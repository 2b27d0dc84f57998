"""`headrace flow-run`: what ran, how it ended, and what it said."""

import logging
from collections import Counter
from collections.abc import Iterator
from json import dumps
from typing import Any

import click

from headrace import instance
from headrace.cli import lookup, runs, show
from headrace.cli.invocation import Invocation
from headrace.errors import NotFound
from headrace.model.filters import MOST_ROWS, FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.logs import LogLine
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace.ports.client import OpenClient

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@click.group()
def flow_run() -> None:
    """Look at flow runs, their states and their logs.

    A flow run may be named by its id, by the start of its id (4 characters or more), or by its name, as long as only one run fits.
    """


# ls


@flow_run.command()
@runs.state_option
@click.option("--flow", "flows", metavar="NAME", multiple=True, help="Only runs of this flow; may be given several times.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only runs with this tag; given several times, with all of them.")
@click.option("--name", "names", metavar="NAME", multiple=True, help="Only runs of this name; may be given several times.")
@runs.limit_option
@show.json_option
@click.pass_obj
def ls(
    invocation: Invocation,
    states: tuple[str, ...],
    flows: tuple[str, ...],
    tags: tuple[str, ...],
    names: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List flow runs, those created last first."""
    wanted = FlowRunFilter(names=names, flow_names=flows, tags=tags)
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = runs.newest(house.client.read_flow_runs, wanted, states, limit)
        now = house.clock.now()
    if as_json:
        show.json([runs.flow_run_row(run) for run in found])
        return
    asked_for_all = not (states or flows or tags or names)
    nothing_yet = "no flow has run yet; run a script that calls one: python my_flow.py"
    show.table(
        ("id", "name", "state", "age", "flow"),
        [(run.id, run.name, show.state(run.state), show.age(run.created, now), run.flow_name) for run in found],
        empty=nothing_yet if asked_for_all else "no flow run fits; list all with: headrace flow-run ls",
    )


# inspect


@flow_run.command()
@click.argument("run", metavar="ID")
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, run: str, as_json: bool) -> None:
    """Show all about a flow run, with its states."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.flow_run(house.client, run)
        states = house.client.read_states(found.id)
        counts = _task_runs_by_state(house.client, found.id)
        now = house.clock.now()
    if as_json:
        show.json({**runs.flow_run_row(found), "states": states, "task_runs": counts})
        return
    show.record(
        {
            "id": found.id,
            "name": found.name,
            "flow": found.flow_name,
            "flow version": found.flow_version,
            "state": show.state(found.state),
            "message": found.state.message,
            "created": show.moment_ago(found.created, now),
            "expected start": show.moment(found.expected_start_time),
            "started": show.moment(found.start_time),
            "ended": show.moment(found.end_time),
            "ran for": show.duration(found.total_run_time),
            "tries": found.run_count,
            "retries": f"{found.retries} at most, {show.duration(found.retry_delay)} apart" if found.retries else None,
            "tags": ", ".join(found.tags),
            "parameters": dumps(dict(found.parameters), ensure_ascii=False) if found.parameters else None,
            "deployment": found.deployment_id,
            "root run": None if found.root_id == found.id else found.root_id,
            "parent task run": found.parent_task_run_id,
            "epoch": found.epoch,
            "task runs": ", ".join(f"{number} {kind}" for kind, number in counts.items()),
        }
    )
    click.echo()
    runs.states_table(states)


def _task_runs_by_state(client: OpenClient, run_id: str) -> dict[str, int]:
    """How many task runs are in a state of each type, in the order in which types follow each other."""
    counts: Counter[StateType] = Counter()
    after: str | None = None
    while True:
        page = client.read_task_runs(TaskRunFilter(flow_run_ids=(run_id,)), Page(after=after))
        counts.update(task_run.state.type for task_run in page)
        if len(page) < MOST_ROWS:
            return {str(kind): counts[kind] for kind in StateType if counts[kind]}
        after = page[-1].id


# logs


@flow_run.command()
@click.argument("run", metavar="ID")
@click.option(
    "--level",
    metavar="LEVEL",
    type=click.Choice(LEVELS, case_sensitive=False),
    default=LEVELS[0],
    help=f"Only lines at least as grave as this: {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.",
)
@show.json_option
@click.pass_obj
def logs(invocation: Invocation, run: str, level: str, as_json: bool) -> None:
    """Show what a flow run and its task runs said.

    The oldest line comes first.
    """
    least = getattr(logging, level.upper())
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.flow_run(house.client, run)
        pages = _pages(house.client, LogFilter(flow_run_ids=(found.id,), least_level=least))
        if as_json:
            show.json([_line_row(line) for page in pages for line in page])
            return
        titles: dict[str | None, str] = {None: f"Flow run {found.name!r}"}
        number = 0
        for page in pages:
            number += len(page)
            _add_titles(titles, house.client, page)
            show.text("\n".join(_console_line(line, titles[line.task_run_id]) for line in page))
    if not number:
        show.remark(f"no lines of flow run {found.name!r} fit; see how it went with: headrace flow-run inspect {found.id}")


def _pages(client: OpenClient, wanted: LogFilter) -> Iterator[list[LogLine]]:
    after: str | None = None
    while page := client.read_logs(wanted, Page(after=after, newest_first=False)):
        yield page
        after = page[-1].id


def _add_titles(titles: dict[str | None, str], client: OpenClient, page: list[LogLine]) -> None:
    """Learns the names of the task runs that speak on this page."""
    unknown = tuple({line.task_run_id for line in page if line.task_run_id is not None} - titles.keys())
    if not unknown:
        return
    titles |= {run_id: f"Task run {run_id!r}" for run_id in unknown}
    titles |= {run.id: f"Task run {run.name!r}" for run in client.read_task_runs(TaskRunFilter(ids=unknown), Page())}


def _console_line(line: LogLine, title: str) -> str:
    moment = line.timestamp.astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} | {logging.getLevelName(line.level):<7} | {title} - {line.message}"


def _line_row(line: LogLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "timestamp": line.timestamp,
        "level": line.level,
        "level_name": logging.getLevelName(line.level),
        "logger": line.logger,
        "message": line.message,
        "flow_run_id": line.flow_run_id,
        "task_run_id": line.task_run_id,
    }


# delete


@flow_run.command()
@click.argument("given", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def delete(invocation: Invocation, given: tuple[str, ...]) -> None:
    """Forget flow runs.

    Their subflows, task runs and logs are forgotten too. If one of the runs is not found, none is deleted.
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found: dict[str, FlowRun] = {}
        for name in given:
            run = lookup.flow_run(house.client, name)
            found[run.id] = run
        for run in found.values():
            _delete(house.client, run)


def _delete(client: OpenClient, run: FlowRun) -> None:
    try:
        client.delete_flow_run(run.id)
    except NotFound:
        show.remark(f"flow run {run.name!r} was gone already ({run.id})")
    else:
        click.echo(f"deleted flow run {run.name!r} ({run.id})")
