"""`headrace deployment create`: from a file of specs to deployments."""

import sys
import tempfile
from pathlib import Path

import click

from headrace import instance
from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.errors import SpecsRefused

_COLOURS = {"created": "green", "updated": "yellow", "unchanged": "bright_black"}


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--verify/--no-verify", "verifies", default=True, help="Import the code in a clean process before it is accepted; the default."
)
@show.json_option
@click.pass_obj
def create(invocation: Invocation, file: Path, verifies: bool, as_json: bool) -> None:
    """Create or update all deployments of a file.

    FILE is Python that makes DeploymentSpecs, or YAML. All are created or none: if anything is wrong with one, nothing is changed.

    \b
    headrace deployment create leo_deployment.py
    headrace deployment create deployments.yaml
    """
    from headrace.deploying.apply import applied  # what other commands need not load
    from headrace.deploying.plan import planned
    from headrace.deploying.reading import read_specs

    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house, tempfile.TemporaryDirectory() as folder:
        try:
            specs = read_specs(file, registry=house.registry, blocked=house.settings.plugins_blocked, folder=Path(folder))
            plan = applied(house, planned(house, specs, verifies=verifies, say=_say), say=_say)
        except SpecsRefused as refused:
            for fault in refused.faults:
                show.error(fault)
            show.remark("nothing was deployed")
            raise click.exceptions.Exit(1) from refused
    if as_json:
        show.json(
            [
                {
                    "deployment": each.deployment.full_name,
                    "id": each.deployment.id,
                    "outcome": str(each.outcome),
                    "changed": list(each.changed),
                }
                for each in plan
            ]
        )
        return
    for each in plan:
        changed = f" ({', '.join(each.changed)})" if each.changed else ""
        click.echo(f"{click.style(f'{each.outcome:<9}', fg=_COLOURS[each.outcome])} {each.deployment.full_name}{changed}")
    if not verifies:
        show.remark("the code was not verified: whether it can be imported will be seen when it runs")
    show.remark(f"run it with: headrace deployment run {plan[0].deployment.full_name!r}")


def _say(progress: str) -> None:
    """What is being done, for a person who waits."""
    if sys.stderr is not None and sys.stderr.isatty():
        show.remark(f"{progress} …")
