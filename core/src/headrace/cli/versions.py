"""`headrace deployment history | rollback | pause | resume`: what a deployment was, and whether anything of it is started."""

from collections.abc import Callable, Iterator, Sequence

import attrs
import click

from headrace import instance
from headrace.cli import lookup, show
from headrace.cli.deployment_rows import deployment_row
from headrace.cli.invocation import Invocation
from headrace.cli.numbers import WholeNumber
from headrace.errors import NotFound
from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.filters import MOST_ROWS


@click.command()
@click.argument("name")
@click.option(
    "--limit", type=WholeNumber(1, MOST_ROWS), metavar="N", default=20, help="How many versions to show, the newest first; 20 if not given."
)
@show.json_option
@click.pass_obj
def history(invocation: Invocation, name: str, limit: int, as_json: bool) -> None:
    """Show what a deployment was, version by version.

    \b
    headrace deployment history leonardo-deployment
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        versions = house.client.read_deployment_versions(found.id, limit + 1)
        now = house.clock.now()
    if as_json:
        show.json([deployment_row(version) for version in versions[:limit]])
        return
    show.table(
        ("version", "age", "code", "what changed"),
        [
            (version.version, show.age(version.updated, now), _code(version), changed)
            for version, changed in zip(versions[:limit], _changes(versions), strict=False)
        ],
        empty="",
    )


def _code(version: Deployment) -> str:
    archive = version.code.archive
    return archive.sha256[:12] if archive else version.code.entrypoint


def _changes(versions: Sequence[Deployment]) -> Iterator[str]:
    """What each version changed in the one before it."""
    from headrace.model.changes import changed_words, is_other_code  # what other commands need not load

    for after, before in zip(versions, [*versions[1:], None], strict=True):
        if before is None:
            yield "created" if after.version == 1 else ""
            continue
        code = ["code"] if is_other_code(before, after) else []
        yield ", ".join([*code, *changed_words(before, after)]) or "flow version"


@click.command()
@click.argument("name")
@click.option("--to", type=WholeNumber(1), metavar="VERSION", help="The version to go back to; the one before the newest if not given.")
@show.json_option
@click.pass_obj
def rollback(invocation: Invocation, name: str, to: int | None, as_json: bool) -> None:
    """Make an earlier version of a deployment the newest.

    What it was meanwhile stays in its history, so that this can be undone in the same way. Runs that were asked for before keep their parameters, and run
    the code that the deployment has when they start.

    \b
    headrace deployment rollback leonardo-deployment
    headrace deployment rollback leonardo-deployment --to 3
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = lookup.deployment(house.client, name)
        earlier = _earlier(house, found, to)
        (kept,) = house.client.put_deployments((attrs.evolve(earlier, updated=house.clock.now()),))
    if as_json:
        show.json(deployment_row(kept))
        return
    if kept.version == found.version:
        click.echo(f"{found.full_name} is as it was in version {earlier.version} already")
        return
    click.echo(f"rolled back {found.full_name} to version {earlier.version}; it is version {kept.version} now")


def _earlier(house: Instance, found: Deployment, to: int | None) -> Deployment:
    wanted = found.version - 1 if to is None else to
    if wanted < 1:
        raise click.UsageError(f"{found.full_name} has no earlier version")
    limit = max(found.version - wanted + 1, 1)
    version = next((each for each in house.client.read_deployment_versions(found.id, limit) if each.version == wanted), None)
    if version is None:
        raise NotFound(what=f"version of {found.full_name}", name=str(wanted), command="deployment history")
    return version


@click.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def pause(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let nothing of a deployment be started.

    What is under way goes on; runs that are asked for wait until it is resumed. Its schedules make no runs meanwhile.
    """
    _change(invocation, name, lambda house, found: house.client.pause_deployment(found.id), "paused", as_json=as_json)


@click.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def resume(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let a paused deployment's runs be started again.

    Those that waited are among them. Its schedules go on from now.
    """
    _change(invocation, name, lambda house, found: house.client.resume_deployment(found.id), "resumed", as_json=as_json)


def _change(invocation: Invocation, name: str, change: Callable[[Instance, Deployment], Deployment], done: str, *, as_json: bool) -> None:
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        changed = change(house, lookup.deployment(house.client, name))
    if as_json:
        show.json(deployment_row(changed))
    else:
        click.echo(f"{done} {changed.full_name} ({changed.id})")
