"""`headrace deployment create` and `plan`: from a file of specs to deployments."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from headrace import instance
from headrace.cli import show
from headrace.cli.deployment_rows import deployment_row, files_of
from headrace.cli.deployment_schedules import next_in_words, next_of
from headrace.cli.invocation import Invocation
from headrace.errors import SpecsRefused
from headrace.instance import Instance

if TYPE_CHECKING:
    from headrace.deploying.plan import Planned

_COLOURS = {"created": "green", "updated": "yellow", "unchanged": "bright_black"}


_file = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
_verify = click.option(
    "--verify/--no-verify", "verifies", default=True, help="Import the code in a clean process before it is accepted; the default."
)
_sign = click.option(
    "--sign-with",
    "sign_with",
    metavar="NAME",
    help="Sign what will be run by this key; the one that the setting sign_with names, if not given.",
)


@click.command()
@_file
@_verify
@_sign
@show.json_option
@click.pass_obj
def create(invocation: Invocation, file: Path, verifies: bool, sign_with: str | None, as_json: bool) -> None:
    """Create or update all deployments of a file.

    FILE is Python that makes DeploymentSpecs, or YAML. All are created or none: if anything is wrong with one, nothing is changed. Of those that have
    a schedule it is said when they run next.

    \b
    headrace deployment create leo_deployment.py
    headrace deployment create deployments.yaml
    """
    from headrace.deploying.apply import applied  # what other commands need not load

    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house, tempfile.TemporaryDirectory() as folder:
        plan = applied(house, _planned(house, file, Path(folder), sign_with, verifies=verifies), say=show.progress)
        now = house.clock.now()
    _remark_on(plan)
    if as_json:
        show.json([{**_row(each), "next_time": next_of(invocation.registry, each.deployment, now)} for each in plan])
        return
    for each in plan:
        _tell(each)
        if each.deployment.schedules:
            click.echo(f"{'':<9} next time: {next_in_words(invocation.registry, each.deployment, now)}")
    if not verifies:
        show.remark("the code was not verified: whether it can be imported will be seen when it runs")
    show.remark(f"run it with: headrace deployment run {quote(plan[0].deployment.full_name)}")


@click.command()
@_file
@_verify
@_sign
@show.json_option
@click.pass_obj
def plan(invocation: Invocation, file: Path, verifies: bool, sign_with: str | None, as_json: bool) -> None:
    """Show what `create` would do with a file, and do nothing.

    The exit code is 0 if nothing would be changed, 2 if anything would, and 1 if the file cannot be deployed.

    \b
    headrace deployment plan deployments.yaml
    """
    from headrace.deploying.plan import Outcome

    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house, tempfile.TemporaryDirectory() as folder:
        found = _planned(house, file, Path(folder), sign_with, verifies=verifies)
    _remark_on(found)
    if as_json:
        show.json([_row(each) for each in found])
    else:
        for each in found:
            _tell(each)
    if any(each.outcome is not Outcome.UNCHANGED for each in found):
        raise click.exceptions.Exit(2)


def _planned(house: Instance, file: Path, folder: Path, sign_with: str | None, *, verifies: bool) -> "list[Planned]":
    """What the file would make; its faults are told, and end the command."""
    from headrace.deploying.plan import planned
    from headrace.deploying.reading import read_specs

    key = house.settings.sign_with if sign_with is None else sign_with
    try:
        specs = read_specs(file, registry=house.registry, blocked=house.settings.plugins_blocked, folder=folder)
        return planned(house, specs, verifies=verifies, say=show.progress, sign_with=key)
    except SpecsRefused as refused:
        for fault in refused.faults:
            show.error(fault)
        show.remark("nothing was deployed")
        raise click.exceptions.Exit(1) from refused


def _remark_on(plan: "Sequence[Planned]") -> None:
    from headrace.model.changes import SIGNED

    for sentence in _what_travels(plan):
        show.remark(sentence)
    for each in plan:
        if SIGNED in each.changed and each.deployment.code.signature is None:
            show.remark(f"{each.deployment.full_name} was signed, and is not any more; sign it with: --sign-with NAME")


def _tell(planned: "Planned") -> None:
    changed = f" ({', '.join(planned.changed)})" if planned.changed else ""
    click.echo(f"{click.style(f'{planned.outcome:<9}', fg=_COLOURS[planned.outcome])} {planned.deployment.full_name}{changed}")


def _what_travels(plan: "Iterable[Planned]") -> Iterator[str]:
    """How much each tree of files is; several deployments may share one."""
    trees = {each.tree.manifest.sha256: each.tree for each in plan if each.tree is not None}
    return (f"what travels of {tree.what}: {files_of(tree.archive())}" for tree in trees.values())


def _row(planned: "Planned") -> dict[str, Any]:
    """A deployment as JSON shows it, with what became of it and how much code travels."""
    archive = planned.deployment.code.archive
    sizes = {"files": archive.files if archive else 0, "bytes": archive.size if archive else 0}
    return {**deployment_row(planned.deployment), "outcome": str(planned.outcome), "changed": list(planned.changed), **sizes}
