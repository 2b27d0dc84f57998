"""`headrace plugins`: what is installed, and what of it cannot be used."""

from typing import Any

import attrs
import click

from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.errors import NotFound
from headrace.hooks.plugins import PluginRow, Status

NEW = "new"
PROVIDED = f"plugins {NEW}"
"""The command that grows plugins comes with a plugin itself, which brings the template."""

_COLOURS = {Status.OK: "green", Status.BLOCKED: "yellow", Status.FAILED: "red"}


class _WithNew(click.Group):
    """The commands here, and the one that may be installed besides."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        invocation: Invocation = ctx.obj
        return sorted([*super().list_commands(ctx), *([NEW] if invocation.registry.has("command", PROVIDED) else [])])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != NEW:
            return super().get_command(ctx, cmd_name)
        invocation: Invocation = ctx.obj
        command: click.Command = invocation.registry.load("command", PROVIDED)
        return command


@click.group(cls=_WithNew, invoke_without_command=True)
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
        show.json(_gathered(name, rows))
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


def _gathered(name: str, rows: list[PluginRow]) -> dict[str, Any]:
    """All that goes by a name as one thing: the row, with `rows` of all that fit; what these do not share is None, and the gravest status counts."""
    shared = {field: values.pop() if len(values) == 1 else None for field, values in _values(rows).items()}
    status = max((row.status for row in rows), key=list(Status).index)
    reason = "; ".join(row.reason for row in rows if row.reason)
    return {**shared, "name": name, "status": status, "reason": reason, "rows": rows}


def _values(rows: list[PluginRow]) -> dict[str, set[Any]]:
    """What rows have in each of their fields."""
    return {field.name: {getattr(row, field.name) for row in rows} for field in attrs.fields(PluginRow)}


def _rows(invocation: Invocation) -> list[PluginRow]:
    _ = invocation.lenient_settings  # says what is wrong with them, before the list that they may have shortened
    return invocation.registry.rows()


def _status(row: PluginRow) -> show.Painted:
    return show.Painted(row.status, _COLOURS[row.status])
