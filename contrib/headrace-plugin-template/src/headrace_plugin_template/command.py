"""The command `headrace plugins new`."""

from pathlib import Path

import click

from headrace_plugin_template.growing import KINDS, Seed, grow, grown


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="The folder to put it in; else this one.")
def new(kind: str, name: str, into: Path) -> None:
    """Grow a plugin of your own.

    It is a folder with a distribution that offers something of that KIND under that NAME, and passes its tests.
    """
    seed = Seed(kind=kind, name=name)
    folder = grow(seed, into)
    for path in grown(seed):
        click.echo(folder / path)
    click.echo(f"next: cd {folder} && pip install --editable . pytest && pytest", err=True)
