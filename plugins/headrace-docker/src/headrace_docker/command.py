"""`headrace docker`: images for runs in containers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from headrace import __version__
from headrace.cli import show
from headrace.errors import ImageNotBuilt
from headrace_docker.images import parsed
from headrace_docker.recipe import RUNS, Recipe, usual_base

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def _image(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """The name of an image, or a sentence."""
    if value is None:
        return None
    try:
        parsed(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} cannot be the name of an image: {error}") from None
    return value


@click.group()
def docker() -> None:
    """Make images for runs in containers."""


@docker.command()
@click.option("--tag", required=True, callback=_image, metavar="IMAGE", help="What it is to be called, such as team/flows:1.2.")
@click.option("--base", callback=_image, metavar="IMAGE", help="An image with Python that it begins from; else python:X.Y-slim, as here.")
@click.option(
    "--with", "others", multiple=True, metavar="PACKAGE", help="What else is installed: a plugin, or what flows need; may be given again."
)
@click.option("--project", type=_FOLDER, metavar="FOLDER", help="Flow code to put in, for deployments with an entrypoint alone.")
@click.option("--wheels", type=_FOLDER, metavar="FOLDER", help="Install from the wheels in this folder, and ask no index.")
@click.option("--print", "is_shown", is_flag=True, help="Show the Dockerfile, and build nothing.")
def build(
    tag: str,
    base: str | None,
    others: tuple[str, ...],
    project: Path | None,
    wheels: Path | None,
    is_shown: bool,  # noqa: FBT001 - click calls by keyword
) -> None:
    """Build an image in which flows run: Python, headrace, and what they need.

    What a run needs of headrace is installed in the versions that are installed here. Of a project, its requirements.txt is
    installed too, and .dockerignore says what stays out.

    \b
    headrace docker build --tag team/flows:1.2
    headrace docker build --tag flows --with headrace-s3 --with pandas
    headrace docker build --tag flows --base internal/python:3.12 --wheels dist
    """
    from headrace.hooks.registry import discovered

    recipe = Recipe(
        base=base or usual_base(),
        requirements=tuple(_requirements(others, {plugin.dist: plugin.version for plugin in discovered()})),
        version=__version__,
        wheels=wheels,
        project=project,
    )
    if wheels is not None and not any(wheels.glob("*.whl")):
        raise ImageNotBuilt(tag=tag, why=f"there is no wheel in {wheels}; put those of headrace there, and of all that it needs")
    if is_shown:
        click.echo(recipe.dockerfile, nl=False)
        return
    from headrace_docker.building import built  # who only looks needs no engine

    for line in built(recipe, tag):
        show.remark(line)
    click.echo(tag)
    show.remark(f"A deployment has its runs in it by: flow_runner: {{type: docker, image: {tag!r}}}")


def _requirements(others: Sequence[str], versions: Mapping[str, str]) -> Iterator[str]:
    """What pip is told: headrace's own in the versions that are here, so that both sides of a run speak alike; the rest as it was written."""
    for name in (*RUNS, *others):
        yield f"{name}=={versions[name]}" if name in versions else name
