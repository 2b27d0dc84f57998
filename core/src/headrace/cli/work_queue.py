"""`headrace work-queue`: which runs agents take, and how many of them at once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs
import click

from headrace import instance
from headrace.cli import criteria, lookup, runs, show
from headrace.cli.changing import on_top
from headrace.cli.invocation import Invocation
from headrace.cli.numbers import NumberCommand, WholeNumber
from headrace.errors import WrongData
from headrace.instance import Instance
from headrace.model.criteria import EVERYTHING, all_in_words, in_words
from headrace.model.filters import MOST_ROWS, Page, WorkQueueFilter
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun

C = TypeVar("C", bound=Callable[..., Any])

MOST_HOURS = 24 * 366 * 10
MOST_AT_ONCE = 1_000_000
NUMBER = WholeNumber(0, MOST_AT_ONCE)


@click.group()
def work_queue() -> None:
    """Look after the work queues that agents take runs from.

    A queue wants the runs of deployments that satisfy all its criteria. It may be named by its name, its id, or the start of its id (4 characters
    or more).
    """


# create


@work_queue.command()
@click.argument("name")
@criteria.options
@click.option("--description", metavar="TEXT", default="", help="What the queue is for.")
@click.option("--limit", type=NUMBER, metavar="N", help="How many of its runs may be under way at once; any number if not given.")
@click.option("--paused", "is_paused", is_flag=True, help="Nothing starts before the queue is resumed.")
@show.json_option
@click.pass_obj
def create(
    invocation: Invocation, /, name: str, description: str, limit: int | None, is_paused: bool, as_json: bool, **wanted: Any
) -> None:
    """Make a work queue, and print its id.

    Without criteria it wants every run of every deployment.
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        now = house.clock.now()
        queue = WorkQueue(
            id=house.ids.new(),
            name=name,
            description=description,
            criteria=criteria.checked(house.registry, house.client, **wanted),
            is_paused=is_paused,
            concurrency_limit=limit,
            created=now,
            updated=now,
        )
        kept = house.client.put_work_queue(queue)
    if as_json:
        show.json(kept)
    else:
        click.echo(kept.id)
    _remark_on(kept)


def _remark_on(queue: WorkQueue) -> None:
    """Says what may not have been meant."""
    if not queue.criteria:
        show.remark(f"work queue {queue.name!r} has no criteria, so it wants {EVERYTHING}")
    if queue.concurrency_limit == 0:
        show.remark(_nothing_starts(queue))


def _nothing_starts(queue: WorkQueue) -> str:
    return f"nothing of work queue {queue.name!r} starts while its limit is 0"


# ls


@work_queue.command()
@runs.limit_option
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, limit: int, as_json: bool) -> None:
    """List work queues, those made last first."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = house.client.read_work_queues(WorkQueueFilter(), Page(limit=limit))
        known = criteria.titles(house.client, found)
    if as_json:
        show.json(found)
        return
    show.table(
        ("id", "name", "paused", "limit", "wants"),
        [(queue.id, queue.name, _paused(queue), queue.concurrency_limit, all_in_words(queue, known)) for queue in found],
        empty="there is no work queue yet; make one with: headrace work-queue create NAME",
    )


def _paused(queue: WorkQueue) -> show.Painted:
    return show.Painted("yes", "yellow") if queue.is_paused else show.Painted("no")


# inspect


@work_queue.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, name: str, as_json: bool) -> None:
    """Show all about a work queue."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        queue = lookup.work_queue(house.client, name)
        known = criteria.titles(house.client, [queue])
        under_way = house.client.count_under_way(queue.id)
        now = house.clock.now()
    criteria.tell_what_is_missing(invocation.registry, queue)
    if as_json:
        show.json({**_row(queue), "under_way": under_way})
        return
    wants = {f"wants {matcher}": in_words(wanted, known) for matcher, wanted in queue.criteria.items()}
    show.record(
        {
            "id": queue.id,
            "name": queue.name,
            "description": queue.description,
            **(wants or {"wants": EVERYTHING}),
            "paused": _paused(queue),
            "limit": queue.concurrency_limit,
            "under way": under_way,
            "created": show.moment_ago(queue.created, now),
            "updated": show.moment_ago(queue.updated, now),
        }
    )


def _row(queue: WorkQueue) -> dict[str, Any]:
    from headrace.wire.plain import to_plain  # what shows no JSON need not wait for cattrs

    plain: dict[str, Any] = to_plain(queue)
    return plain


# preview


@work_queue.command()
@click.argument("name")
@click.option("--hours", type=WholeNumber(0, MOST_HOURS), metavar="N", default=1, help="How far to look ahead; 1 if not given.")
@click.option(
    "--limit",
    type=WholeNumber(1, MOST_ROWS),
    metavar="N",
    default=20,
    help=f"How many to show, the first due first; 20 if not given, at most {MOST_ROWS}.",
)
@show.json_option
@click.pass_obj
def preview(invocation: Invocation, name: str, hours: int, limit: int, as_json: bool) -> None:
    """Show which runs wait in a work queue.

    Those that are late come first: they were due, and no agent has taken them.
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        queue = lookup.work_queue(house.client, name)
        now = house.clock.now()
        due = house.client.read_due(queue.id, now + timedelta(hours=hours), limit)
        under_way = house.client.count_under_way(queue.id)
        rows = runs.flow_run_rows(house.client, due, now)
    criteria.tell_what_is_missing(invocation.registry, queue)
    is_full = queue.concurrency_limit is not None and under_way >= queue.concurrency_limit
    if as_json:
        waiting = [{**row, **_wait(run, now)} for row, run in zip(rows, due, strict=True)]
        show.json({**_row(queue), "under_way": under_way, "is_full": is_full, "runs": waiting})
        return
    show.table(
        ("due", "id", "name", "deployment"),
        [(_due(run, now), run.id, run.name, row["deployment_name"] or row["deployment"]) for row, run in zip(rows, due, strict=True)],
        empty=f"nothing that is due within {hours} hour{'' if hours == 1 else 's'} waits in work queue {queue.name!r}",
    )
    if queue.is_paused:
        show.remark(f"work queue {queue.name!r} is paused: nothing of it starts before: headrace work-queue resume {queue.id}")
    if queue.concurrency_limit == 0:
        show.remark(_nothing_starts(queue))
    elif is_full:
        number = f"{under_way} run{'' if under_way == 1 else 's'}"
        show.remark(f"work queue {queue.name!r} is full: it has {number} under way, and its limit is {queue.concurrency_limit}")


def _due(run: FlowRun, now: datetime) -> show.Painted:
    """When a run is due, and whether that is past."""
    at = run.state.scheduled_time
    if run.late_by(now) is None:
        return show.Painted(show.moment_ago(at, now))
    return show.Painted(f"{show.moment(at)} {runs.shown_state(run, now).text}", "red")


def _wait(run: FlowRun, now: datetime) -> dict[str, Any]:
    return {"due": run.state.scheduled_time, "is_late": run.late_by(now) is not None}


# update


@work_queue.command()
@click.argument("name")
@criteria.options
@click.option("--clear", "cleared", metavar="NAME", multiple=True, help="A queue matcher that is to be asked no longer, such as tags.")
@click.option("--name", "new_name", metavar="NEW", help="What the queue is to be called.")
@click.option("--description", metavar="TEXT", help="What the queue is for.")
@show.json_option
@click.pass_obj
def update(
    invocation: Invocation,
    /,
    name: str,
    cleared: tuple[str, ...],
    new_name: str | None,
    description: str | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Change a work queue.

    What is not given stays. A criterion that is given takes the place of the one before it: of tags, for example, all are given anew.
    """
    if new_name is None and description is None and not cleared and not any(wanted.values()):
        raise click.UsageError("nothing to change is given")

    def changed(house: Instance, queue: WorkQueue) -> WorkQueue:
        given = criteria.checked(house.registry, house.client, **wanted)
        if twice := sorted(given.keys() & set(cleared)):
            raise click.UsageError(f"{', '.join(twice)} is given and cleared; do one of them")
        for matcher in cleared:
            if matcher not in queue.criteria:
                asked = ", ".join(sorted(queue.criteria)) or "none"
                raise WrongData(where=f"work queue {queue.name!r}", why=f"it has no criterion {matcher!r} to clear; there are: {asked}")
        kept = {matcher: asked for matcher, asked in queue.criteria.items() if matcher not in cleared}
        return attrs.evolve(
            queue,
            name=queue.name if new_name is None else new_name,
            description=queue.description if description is None else description,
            criteria={**kept, **given},
        )

    kept = changed_queue(invocation, name, changed)
    _tell(kept, f"changed work queue {kept.name!r}", as_json=as_json)
    if not kept.criteria:
        _remark_on(kept)


def changed_queue(invocation: Invocation, name: str, changed: Callable[[Instance, WorkQueue], WorkQueue]) -> WorkQueue:
    """Puts a queue back as it is to be; where somebody else has changed it meanwhile, that change is kept, and this one goes on top of it."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        queue = lookup.work_queue(house.client, name)
        return on_top(queue, lambda newest: _put(house, changed(house, newest)), lambda: house.client.read_work_queue(queue.id))


def _put(house: Instance, queue: WorkQueue) -> WorkQueue:
    return house.client.put_work_queue(attrs.evolve(queue, updated=house.clock.now()))


def _tell(queue: WorkQueue, done: str, *, as_json: bool) -> None:
    if as_json:
        show.json(queue)
    else:
        click.echo(f"{done} ({queue.id})")


# pause, resume


@work_queue.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def pause(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let nothing of a work queue start.

    Runs that are under way go on, and those that wait may still start through another queue.
    """
    queue = changed_queue(invocation, name, lambda _, queue: attrs.evolve(queue, is_paused=True))
    _tell(queue, f"paused work queue {queue.name!r}", as_json=as_json)


@work_queue.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def resume(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let runs of a work queue start again."""
    queue = changed_queue(invocation, name, lambda _, queue: attrs.evolve(queue, is_paused=False))
    _tell(queue, f"resumed work queue {queue.name!r}", as_json=as_json)


# concurrency limits


@work_queue.command(cls=NumberCommand)
@click.argument("name")
@click.argument("limit", metavar="N", type=NUMBER)
@show.json_option
@click.pass_obj
def set_concurrency_limit(invocation: Invocation, name: str, limit: int, as_json: bool) -> None:
    """Say how many runs may be under way at once.

    All runs that the queue wants count, whichever queue they were taken from. With 0 nothing starts.
    """
    queue = changed_queue(invocation, name, lambda _, queue: attrs.evolve(queue, concurrency_limit=limit))
    _tell(queue, f"set the concurrency limit of work queue {queue.name!r} to {limit}", as_json=as_json)
    if limit == 0:
        _remark_on(queue)


@work_queue.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def clear_concurrency_limit(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let any number of runs be under way."""
    queue = changed_queue(invocation, name, lambda _, queue: attrs.evolve(queue, concurrency_limit=None))
    _tell(queue, f"cleared the concurrency limit of work queue {queue.name!r}", as_json=as_json)


# delete


@work_queue.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def delete(invocation: Invocation, name: str, as_json: bool) -> None:
    """Forget a work queue, not its runs."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        queue = lookup.work_queue(house.client, name)
        house.client.delete_work_queue(queue.id)
    _tell(queue, f"deleted work queue {queue.name!r}", as_json=as_json)
