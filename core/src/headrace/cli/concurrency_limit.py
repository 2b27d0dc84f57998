"""`headrace concurrency-limit`: how many task runs with a tag may run at once, and which of them do."""

from collections.abc import Iterable
from typing import Any

import attrs
import click

from headrace import instance
from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.cli.numbers import NumberCommand, WholeNumber
from headrace.errors import NotFound
from headrace.model.filters import MOST_ROWS, FlowRunFilter, Page, TaskRunFilter
from headrace.model.limits import ConcurrencyLimit
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.tags import as_tags
from headrace.ports.client import OpenClient

MOST_AT_ONCE = 1_000_000


@attrs.frozen(kw_only=True)
class _Holder:
    """Who holds a slot; the runs are None where they were deleted meanwhile."""

    id: str
    run: TaskRun | None
    flow_run: FlowRun | None

    def row(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "task_run_id": self.id,
            "task_run": self.run and self.run.name,
            "flow_run_id": self.run and self.run.flow_run_id,
            "flow_run": self.flow_run and self.flow_run.name,
            "since": self.run and self.run.state.timestamp,
        }

    def title(self) -> str:
        """In a few words."""
        if self.run is None:
            return self.id
        return f"{self.run.name} of {self.flow_run.name}" if self.flow_run else self.run.name


def _tag(_ctx: click.Context, _parameter: click.Parameter, given: str) -> str:
    if not given or not given.isprintable():
        raise click.BadParameter("a tag is a text of at least one character, without line ends")
    (tag,) = as_tags([given])
    return tag


@click.group()
def concurrency_limit() -> None:
    """Say how many task runs with a tag may run at once.

    A task run that would be one too many waits until another has ended. One whose tags have several limits needs a slot of each.
    """


# create


@concurrency_limit.command(cls=NumberCommand)
@click.argument("tag", callback=_tag)
@click.argument("limit", metavar="N", type=WholeNumber(0, MOST_AT_ONCE))
@show.json_option
@click.pass_obj
def create(invocation: Invocation, tag: str, limit: int, as_json: bool) -> None:
    """Limit a tag, or change its limit.

    Task runs that run go on; a limit that is less than what runs stops nobody. With 0 none starts: those that would are failed.
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        before = {found.tag: found.limit for found in house.client.read_limits()}.get(tag)
        house.client.set_limit(tag, limit)
        kept = _limit(house.client, tag)
    if as_json:
        show.json(kept)
    elif before is None:
        click.echo(f"set the limit of tag {tag!r} to {limit}")
    else:
        click.echo(f"set the limit of tag {tag!r} to {limit}; it was {before}")


def _limit(client: OpenClient, tag: str) -> ConcurrencyLimit:
    for found in client.read_limits():
        if found.tag == tag:
            return found
    raise NotFound(what="concurrency limit of tag", name=tag, command="concurrency-limit ls")


def _holders(client: OpenClient, limits: Iterable[ConcurrencyLimit]) -> dict[str, _Holder]:
    """Who holds slots, by id."""
    ids = sorted({holder for limit in limits for holder in limit.holders})
    runs: dict[str, TaskRun] = {}
    flow_runs: dict[str, FlowRun] = {}
    for start in range(0, len(ids), MOST_ROWS):
        found = client.read_task_runs(TaskRunFilter(ids=tuple(ids[start : start + MOST_ROWS])), Page())
        runs |= {run.id: run for run in found}
        parents = tuple(sorted({run.flow_run_id for run in found} - flow_runs.keys()))
        flow_runs |= {run.id: run for run in client.read_flow_runs(FlowRunFilter(ids=parents), Page())} if parents else {}
    holders = [_Holder(id=each, run=runs.get(each), flow_run=None) for each in ids]
    return {each.id: attrs.evolve(each, flow_run=flow_runs.get(each.run.flow_run_id)) if each.run else each for each in holders}


# ls


@concurrency_limit.command()
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, as_json: bool) -> None:
    """List limits, by tag, with who holds their slots."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        limits = house.client.read_limits()
        holders = _holders(house.client, limits)
    if as_json:
        show.json([_row(limit, holders) for limit in limits])
        return
    show.table(
        ("tag", "limit", "taken", "holders"),
        [(limit.tag, limit.limit, _taken(limit), ", ".join(holders[each].title() for each in limit.holders)) for limit in limits],
        empty="no tag has a limit; limit one with: headrace concurrency-limit create TAG N",
    )


def _taken(limit: ConcurrencyLimit) -> show.Painted:
    return show.Painted(str(len(limit.holders)), "yellow" if len(limit.holders) >= limit.limit else None)


def _row(limit: ConcurrencyLimit, holders: dict[str, _Holder]) -> dict[str, Any]:
    return {"tag": limit.tag, "limit": limit.limit, "holders": [holders[each].row() for each in limit.holders]}


# inspect


@concurrency_limit.command()
@click.argument("tag", callback=_tag)
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, tag: str, as_json: bool) -> None:
    """Show a limit, and who holds its slots."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        limit = _limit(house.client, tag)
        holders = _holders(house.client, [limit])
        now = house.clock.now()
    if as_json:
        show.json(_row(limit, holders))
        return
    show.record({"tag": limit.tag, "limit": limit.limit, "taken": _taken(limit)})
    if not limit.holders:
        return
    click.echo()
    held = [(each, holders[each].row()) for each in limit.holders]
    show.table(
        ("task run", "name", "flow run", "name", "since"),
        [(each, row["task_run"], row["flow_run_id"], row["flow_run"], show.moment_ago(row["since"], now)) for each, row in held],
        empty="",
    )


# delete


@concurrency_limit.command()
@click.argument("tag", callback=_tag)
@show.json_option
@click.pass_obj
def delete(invocation: Invocation, tag: str, as_json: bool) -> None:
    """Let any number of task runs with a tag run."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        limit = _limit(house.client, tag)
        house.client.delete_limit(tag)
    if as_json:
        show.json(limit)
    else:
        click.echo(f"deleted the limit of tag {tag!r}")
