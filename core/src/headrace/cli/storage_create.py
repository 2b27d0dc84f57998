"""`headrace storage create`: a command for each type of storage, made of its options; and without a type, a conversation."""

import sys
from typing import Any

import click

from headrace import instance
from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.cli.storage_fields import (
    Field,
    check_may_be_named,
    check_needed,
    fields_of,
    flags_of,
    given,
    json_option,
    row,
)
from headrace.cli.storage_parts import changed
from headrace.cli.storage_questions import answer
from headrace.cli.storage_trying import check_that_it_works
from headrace.errors import HeadraceError, MayPass
from headrace.hooks.registry import Registry
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.storages import NamedStorage
from headrace.storing import keeping
from headrace.storing.fields import may_be_named, parted


class TypesGroup(click.Group):
    """The types that are installed, each a command; none is loaded to be listed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(invoke_without_command=True, callback=click.pass_context(_converse), **attributes)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_registry(ctx).offers("storage"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        registry = _registry(ctx)
        return type_command(registry, cmd_name) if registry.has("storage", cmd_name) else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not ctx.resilient_parsing:
            _registry(ctx).offer("storage", args[0])  # raises what says where it comes from
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Types"):
            formatter.write_dl([(name, found[0].provider.summary) for name, found in sorted(_registry(ctx).offers("storage").items())])


def _registry(ctx: click.Context) -> Registry:
    invocation: Invocation = ctx.find_root().obj
    return invocation.registry


def type_command(registry: Registry, type_name: str) -> click.Command:
    """The command that makes a storage of a type."""
    fields = fields_of(registry, type_name)
    summary = registry.offer("storage", type_name).provider.summary

    def create(invocation: Invocation, name: str, is_default: bool, is_checked: bool, as_json: bool, **typed: Any) -> None:
        check_may_be_named(registry, type_name)
        options = changed({}, given(fields, typed), flags_of(fields))
        check_needed(fields, options, type_name)
        with instance.open(invocation.settings, registry=registry, lasting=True) as house:
            kept = keeping.created(house, name, Choice(type_name, options), check(type_name, is_checked=is_checked))
            if is_default:
                kept = house.client.set_default_storage(kept.id)
        if as_json:
            show.json(row(kept))
        else:
            click.echo(f"created storage {kept.name!r} ({kept.id})")
            if kept.is_default:
                click.echo(f"set the default storage to {kept.name!r}")

    return click.Command(
        type_name,
        callback=click.pass_obj(create),
        params=[
            click.Option(["--name"], required=True, metavar="NAME", help="What the storage is called."),
            *(field.option() for field in fields),
            json_option(),
            click.Option(["--default/--no-default", "is_default"], default=False, help="Make it the default of the orchestration."),
            check_option(),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
        ],
        help=f"{summary}.",
        short_help=summary,
    )


def check_option() -> click.Option:
    """Whether the storage is tried first."""
    return click.Option(["--check/--no-check", "is_checked"], default=True, help="Try it first; without, nothing is asked of it.")


def check(type_name: str, *, is_checked: bool) -> keeping.Check | None:
    """How the storage is tried, if it is."""
    if not is_checked:
        return None
    show.progress(f"trying storage type {type_name!r}")
    return check_that_it_works


# The conversation


def _converse(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is not None:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(
            "say which type, as in: headrace storage create s3 --name NAME --bucket BUCKET; here nobody can be asked", ctx
        )
    invocation: Invocation = ctx.find_root().obj
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        _asked(house)


def _asked(house: Instance) -> None:
    registry = house.registry
    types = [name for name in sorted(registry.offers("storage")) if _may_be_named(registry, name)]
    click.echo("Types of storage:")
    for number, name in enumerate(types, start=1):
        click.echo(f"{number:>3}) {name:<10} {registry.offer('storage', name).provider.summary}")
    type_name = types[click.prompt("Which one", type=click.IntRange(1, len(types))) - 1]
    fields = fields_of(registry, type_name)
    click.echo(f"{type_name} has {len(fields)} {'option' if len(fields) == 1 else 'options'}; one that is optional may be left empty.")
    while True:
        options = {field.name: value for field in fields if (value := answer(field)) not in (None, "")}
        try:
            choice = keeping.usable(house, Choice(type_name, options), check(type_name, is_checked=True))
            break
        except (HeadraceError, click.ClickException) as error:
            show.error(error.format_message() if isinstance(error, click.ClickException) else str(error))
            if not click.confirm("Answer once more?", default=True):
                raise click.exceptions.Exit(1) from None
    kept = _kept(house, fields, choice)
    click.echo(f"created storage {kept.name!r} ({kept.id})")
    if click.confirm("Make it the default, where code and results go if nothing else is said?", default=True):
        house.client.set_default_storage(kept.id)
        click.echo(f"set the default storage to {kept.name!r}")


def _may_be_named(registry: Registry, name: str) -> bool:
    try:
        return may_be_named(registry, name)
    except HeadraceError as error:
        show.warning(str(error))
        return False


def _kept(house: Instance, fields: list[Field], choice: Choice) -> NamedStorage:
    """The storage, under a name that is asked for until it can be used."""
    while True:
        name = click.prompt("NAME of the storage")
        try:
            plain, secrets = parted(fields, choice.options)
            now = house.clock.now()
            storage = NamedStorage(id=house.ids.new(), name=name, choice=Choice(choice.name, plain), created=now, updated=now)
            return house.client.put_storage(storage, secrets)
        except MayPass:
            raise
        except HeadraceError as error:  # all answers are kept for another name
            show.error(str(error))
