"""`headrace dashboard`: copies of its pages."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli import show
from headrace_dashboard.menu import MENU

if TYPE_CHECKING:
    from headrace.cli.invocation import Invocation

NAMES = {entry.name.lower().replace(" ", "-"): entry.path for entry in MENU}
"""What pages are called where one chooses among them, and their paths."""

NEWEST = 50


@click.group()
def dashboard() -> None:
    """Make copies of the dashboard's pages, for who has no server.

    The dashboard itself is served by `headrace server start`.
    """


@dashboard.command()
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--page",
    "pages",
    type=click.Choice(tuple(NAMES)),
    metavar="NAME",
    multiple=True,
    help=f"Only this page, with those that hang on it; may be given several times. One of {', '.join(NAMES)}.",
)
@click.option(
    "--flow-runs", "number", type=click.IntRange(0), metavar="N", help=f"How many flow runs, the newest ones; {NEWEST} if not given."
)
@click.option(
    "--flow-run",
    "given",
    metavar="RUN",
    multiple=True,
    help="Only this flow run, by its name or id, with its subflows and deployment; may be given several times.",
)
@click.option("--support", "is_support", is_flag=True, help="Make a support bundle: secrets are taken out, and a report is put in.")
@click.option("--without-logs", "leaves_logs", is_flag=True, help="Leave out logs; messages of exceptions stay, in states.")
@click.option(
    "--without-parameters", "leaves_parameters", is_flag=True, help="Leave out the values of parameters; what logs say of them stays."
)
@click.option("--overwrite", "overwrites", is_flag=True, help="Put it in the place of an earlier copy.")
@show.json_option
@click.pass_context
def export(
    ctx: click.Context,
    target: Path,
    pages: tuple[str, ...],
    number: int | None,
    given: tuple[str, ...],
    is_support: bool,  # noqa: FBT001 - click calls by keyword
    leaves_logs: bool,  # noqa: FBT001
    leaves_parameters: bool,  # noqa: FBT001
    overwrites: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Write a copy of pages to DIR, which works without a server.

    Open index.html in it with a browser. A DIR that ends in .zip is written as one file. Without --page and --flow-run, all pages are copied, and the newest
    flow runs with their task runs and logs. With --flow-run and without --page, only those runs and their deployments are copied; a support bundle has the
    pages all the same.

    A support bundle is a copy to be sent to somebody: what is or looks like a secret is replaced by *** in all of its files, and report.txt has what
    `headrace version`, `doctor` and `config view` say. Failed runs come first in it. Look through it before you send it.

    \b
    headrace dashboard export copy
    headrace dashboard export copy.zip --page overview --page flow-runs
    headrace dashboard export run.zip --flow-run red-otter
    headrace dashboard export bundle.zip --support --without-parameters
    """
    if number is not None and given:
        raise click.UsageError("either --flow-runs or --flow-run can be given, not both")
    from headrace_dashboard.copies.export import Asked, exported  # what only shows its help does without
    from headrace_dashboard.copies.report import report

    invocation: Invocation = ctx.obj
    is_all = not pages and (is_support or not given)
    asked = Asked(
        target=target,
        pages=tuple(NAMES.values()) if is_all else tuple(NAMES[name] for name in pages),
        number=NEWEST if number is None else number,
        given=given,
        report=report(ctx) if is_support else None,
        has_logs=not leaves_logs,
        has_parameters=not leaves_parameters,
        overwrites=overwrites,
    )
    done = exported(invocation.settings, invocation.registry, invocation.environment, asked)
    if as_json:
        show.json(done)
        return
    click.echo(f"copied {_count(done.pages, 'page')} to {done.target}")
    if is_support:
        _remind(done)


def _remind(done: Any) -> None:
    """What is to be done before it is sent."""
    found = f"{_count(done.secrets, 'secret')} {'was' if done.secrets == 1 else 'were'} replaced by ***"
    where = f", in {_count(done.swept_files, 'file')}" if done.swept_files else ""
    show.remark(f"{found}{where}; look through it before you send it, since nobody knows all that is secret to you")
    for name in done.unknown:
        show.warning(f"the secrets of storage {name!r} cannot be read from here, so they were not looked for where nothing else tells them")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
