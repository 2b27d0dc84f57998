"""`headrace plugins`: what is installed, and what of it cannot be used."""

import click

from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.errors import NotFound
from headrace.hooks.plugins import PluginRow, Status

_COLOURS = {Status.OK: "green", Status.BLOCKED: "yellow", Status.FAILED: "red"}


@click.group(invoke_without_command=True)
@show.json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List what is installed, and what cannot be used."""
    if ctx.invoked_subcommand is not None:
        return
    invocation: Invocation = ctx.obj
    rows = _rows(invocation)
    if as_json:
        show.json(rows)
        return
    show.table(
        ("name", "kind", "dist", "version", "status", "about"),
        [(row.name, row.kind, row.dist, row.version, _status(row), row.reason or row.summary) for row in rows],
        empty="nothing is installed that headrace could find; install it anew: pip install headrace",
    )


@plugins.command("show")
@click.argument("name")
@show.json_option
@click.pass_context
def show_one(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show what is installed under a name.

    The name may be that of a plugin, of something that a plugin offers, or of a distribution.
    """
    rows = [row for row in _rows(ctx.obj) if name in (row.name, row.dist)]
    if not rows:
        raise NotFound(what="plugin", name=name, command="plugins")
    if as_json or (ctx.parent is not None and ctx.parent.params["as_json"]):
        show.json(rows)
        return
    for place, row in enumerate(rows):
        if place:
            click.echo()
        show.record(
            {
                "name": row.name,
                "kind": row.kind,
                "summary": row.summary,
                "dist": row.dist,
                "version": row.version,
                "status": _status(row),
                "reason": row.reason,
            }
        )


def _rows(invocation: Invocation) -> list[PluginRow]:
    _ = invocation.lenient_settings  # says what is wrong with them, before the list that they may have shortened
    return invocation.registry.rows()


def _status(row: PluginRow) -> show.Painted:
    return show.Painted(row.status, _COLOURS[row.status])
