"""`headrace storage update`: a command for each storage that has a name, made of the options of its type."""

from typing import Any

import click

from headrace import instance
from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.cli.storage_create import check, check_option
from headrace.cli.storage_fields import Field, fields_of, flags_of, given, json_option, row
from headrace.cli.storage_parts import changed
from headrace.errors import NotFound
from headrace.hooks.registry import Registry
from headrace.model.storages import NamedStorage
from headrace.storing import keeping


class NamesGroup(click.Group):
    """The storages that have a name, each a command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """None: `storage ls` lists what there is; help opens no store."""
        return []

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = next((each for each in _storages(ctx) if cmd_name in (each.name, each.id)), None)
        if found is None:
            raise NotFound(what="storage", name=cmd_name, command="storage ls")
        return _command(_invocation(ctx).registry, found)


def _invocation(ctx: click.Context) -> Invocation:
    invocation: Invocation = ctx.find_root().obj
    return invocation


def _storages(ctx: click.Context) -> list[NamedStorage]:
    invocation = _invocation(ctx)
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        return house.client.read_storages()


def _command(registry: Registry, storage: NamedStorage) -> click.Command:
    fields = fields_of(registry, storage.choice.name)
    flags = flags_of(fields)

    def update(invocation: Invocation, unset: tuple[str, ...], is_forced: bool, is_checked: bool, as_json: bool, **typed: Any) -> None:
        changes, dropped = given(fields, typed), [_known(fields, name) for name in unset]
        if not changes and not dropped:
            raise click.UsageError(
                f"say what is to change, as in: headrace storage update {storage.name} {fields[0].flag if fields else ''} …"
            )
        with instance.open(invocation.settings, registry=registry, lasting=True) as house:
            kept = keeping.changed(
                house,
                storage,
                lambda options: changed(options, changes, flags, dropped),
                "an update",
                check(storage.choice.name, is_checked=is_checked),
                is_forced=is_forced,
            )
        if as_json:
            show.json(row(kept))
        else:
            click.echo(f"changed storage {kept.name!r}")

    return click.Command(
        storage.name,
        callback=click.pass_obj(update),
        params=[
            *(field.option() for field in fields),
            json_option(),
            click.Option(
                ["--unset"], multiple=True, metavar="OPTION[.PART]", help="Take an option, or a part of it, away, as if never given."
            ),
            click.Option(
                ["--force", "is_forced"], is_flag=True, help="Also where it is, though code or results are there that are not found then."
            ),
            check_option(),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
        ],
        help=f"Change options of storage {storage.name!r}, which is of type {storage.choice.name!r}.",
    )


def _known(fields: list[Field], typed: str) -> tuple[str, str]:
    """The option that is meant, and the part of it, if it is one. Raises click.BadParameter."""
    written, _, part = typed.partition(".")
    name = written.removeprefix("--").replace("-", "_")
    if name not in {field.name for field in fields}:
        raise click.BadParameter(f"there is no option {written!r}{show.near(name, [field.name for field in fields])}", param_hint="--unset")
    return name, part
