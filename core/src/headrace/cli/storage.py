"""`headrace storage`: where code and results are kept."""

import click

from headrace import instance
from headrace.cli import show
from headrace.cli.garbage import KINDS, Collected, collect, counted, row
from headrace.cli.invocation import Invocation
from headrace.cli.storage_create import TypesGroup
from headrace.cli.storage_fields import fields_of, shown
from headrace.cli.storage_fields import row as storage_row
from headrace.cli.storage_trying import tell_tried
from headrace.cli.storage_update import NamesGroup
from headrace.errors import NotFound
from headrace.model.storages import NamedStorage, named, storage_name
from headrace.ports.client import OpenClient


@click.group()
def storage() -> None:
    """Say where code and results are kept.

    A storage with a name is chosen by it: as flow_storage of a deployment, as result_storage of a flow, or as the default, where both go if nothing else is
    said. Secrets are kept encrypted, or are references, and are never shown.
    """


def storage_named(client: OpenClient, name: str) -> NamedStorage:
    """The storage of a name, or of an id. Raises NotFound."""
    found = next((each for each in client.read_storages() if name in (each.name, each.id)), None)
    if found is None:
        raise NotFound(what="storage", name=name, command="storage ls")
    return found


# types


@storage.command()
@show.json_option
@click.pass_obj
def types(invocation: Invocation, as_json: bool) -> None:
    """List the types of storage, with their options.

    \b
    headrace storage types
    headrace storage create s3 --help
    """
    registry = invocation.registry
    offers = {name: found[0].provider.summary for name, found in registry.offers("storage").items()}
    options = {name: fields_of(registry, name) for name in offers}
    if as_json:
        rows = [
            {
                "type": name,
                "summary": summary,
                "options": [
                    {
                        "name": field.name,
                        "flag": field.flag,
                        "meaning": field.meaning,
                        "required": field.is_needed,
                        "secret": field.is_secret,
                    }
                    for field in options[name]
                ],
            }
            for name, summary in offers.items()
        ]
        show.json(rows)
        return
    show.table(
        ("type", "options", "summary"),
        [(name, ", ".join(_marked(field.name, field.is_needed) for field in options[name]), summary) for name, summary in offers.items()],
        empty="no type of storage is installed",
    )
    show.remark("options with a * must be given")


def _marked(name: str, is_needed: bool) -> str:
    return f"{name}*" if is_needed else name


# create, update

storage.add_command(
    TypesGroup(
        name="create",
        help="""Give a storage a name.

    Without a type, what is needed is asked for, if this is a terminal. What is created is tried first: something is written, read back, listed and deleted.
    A secret may be a reference, secret://env/NAME or secret://file/PATH, which is looked up wherever the storage is used; one that is written out is kept
    encrypted.

    \b
    headrace storage create
    headrace storage create local --name here --path /srv/flows
    headrace storage create s3 --name prod --bucket flows --profile-name work
    headrace storage create s3 --name prod --json-fields @s3.json --default
    headrace storage create file --name f --url ftp://h/x --options username=leo
    """,
    )
)
storage.add_command(
    NamesGroup(
        name="update",
        help="""Change options of a storage, given by its name.

    What is not given stays as it is. What is changed is tried first. Name and type stay. Of an option that has parts, NAME=VALUE changes one; JSON
    replaces all of them.

    \b
    headrace storage update prod --help
    headrace storage update prod --aws-secret-access-key secret://env/NEW
    headrace storage update prod --unset region_name
    headrace storage update files --options port=22 --unset options.timeout
    """,
    )
)

# ls


@storage.command()
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, as_json: bool) -> None:
    """List storages that have a name."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = house.client.read_storages()
        usual, now = house.places.usual().storage, house.clock.now()
    if as_json:
        show.json([storage_row(each) for each in found])
        return
    show.table(
        ("name", "type", "default", "changed", "id"),
        [(each.name, each.choice.name, "yes" if each.is_default else "", show.ago(each.updated, now), each.id) for each in found],
        empty="no storage has a name yet; give one a name with: headrace storage create",
    )
    if usual is not None and not any(named(each.name) == usual for each in found):
        show.remark(f"code and results go to storage {storage_name(usual)!r} where nothing else is said")


# inspect


@storage.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, name: str, as_json: bool) -> None:
    """Show all about a storage, without its secrets."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = storage_named(house.client, name)
        now = house.clock.now()
    if as_json:
        show.json(storage_row(found))
        return
    options = {f"option {option}": shown(value) for option, value in found.choice.options.items()}
    show.record(
        {
            "id": found.id,
            "name": found.name,
            "type": found.choice.name,
            "default": "yes" if found.is_default else "no",
            **options,
            "created": show.moment_ago(found.created, now),
            "updated": show.moment_ago(found.updated, now),
        }
    )


# check


@storage.command()
@click.argument("name", required=False)
@show.json_option
@click.pass_obj
def check(invocation: Invocation, name: str | None, as_json: bool) -> None:
    """Try a storage from here: write, read back, list and delete.

    Without a name, the one that code and results go to where nothing else is said is tried. The exit code is 0 if all of it works.
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        place = house.places.usual()
        choice = named(storage_named(house.client, name).name) if name is not None else place.storage
        key = place.key(f"check/{house.ids.new()}")
        is_fine = tell_tried(house.storage(choice), key, storage_name(choice) if choice is not None else "", as_json=as_json)
    if not is_fine:
        raise click.exceptions.Exit(1)


# default


@storage.command("set-default")
@click.argument("name")
@show.json_option
@click.pass_obj
def set_default(invocation: Invocation, name: str, as_json: bool) -> None:
    """Let code and results go to a storage if nothing else is said."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        kept = house.client.set_default_storage(storage_named(house.client, name).id)
    if as_json:
        show.json(storage_row(kept))
    else:
        click.echo(f"set the default storage to {kept.name!r}")
    if invocation.settings.result_storage:
        show.remark(f"here the setting result_storage, which is {invocation.settings.result_storage!r}, comes before it")


@storage.command("reset-default")
@show.json_option
@click.pass_obj
def reset_default(invocation: Invocation, as_json: bool) -> None:
    """Let no storage be the default."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        house.client.reset_default_storage()
        usual = house.places.usual().storage
    if as_json:
        show.json({"default": None})
    else:
        click.echo(f"no storage is the default; code and results go to storage {storage_name(usual) if usual is not None else ''!r}")


# delete


@storage.command()
@click.argument("name")
@click.option(
    "--force", "is_forced", is_flag=True, help="Also if code or results are in it; they stay there, and nobody finds them any more."
)
@show.json_option
@click.pass_obj
def delete(invocation: Invocation, name: str, is_forced: bool, as_json: bool) -> None:
    """Forget a storage; what lies in it stays where it is."""
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = storage_named(house.client, name)
        if is_forced:
            house.client.abandon_keys(found.id)
        house.client.delete_storage(found.id)
    if as_json:
        show.json(storage_row(found))
    else:
        click.echo(f"deleted storage {found.name!r}")


# gc


@storage.command()
@click.option("--plan", "is_plan", is_flag=True, help="Show what would be removed, and do nothing.")
@show.json_option
@click.pass_obj
def gc(invocation: Invocation, is_plan: bool, as_json: bool) -> None:
    """Remove code and results that nothing needs any more.

    From all storages. Code is needed while a version of a deployment has it, results while their run is remembered; and whatever is younger than a day
    stays. Nothing is touched that this orchestration has not written, though others use the same bucket. What writers that were killed have left
    unfinished in folders of this machine goes too. The exit code is 1 if something could not be removed.

    \b
    headrace storage gc --plan
    """
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = collect(house, is_plan=is_plan)
    if as_json:
        unfinished = [{"storage": each.storage, "place": each.place} for each in found.places]
        keys = [row(each) for each in found.keys]
        show.json({"is_plan": is_plan, **counted(found), "keys": keys, "unfinished": unfinished, "faults": found.faults})
    else:
        _tell_collected(found, is_plan=is_plan)
    if found.faults:
        raise click.exceptions.Exit(1)


def _tell_collected(found: Collected, *, is_plan: bool) -> None:
    gone, left = found.gone, len(found.keys) - len(found.gone)
    needed = f"all {' and '.join(KINDS)} are needed, or are younger than a day"
    show.table(
        ("would be removed" if is_plan else "removed", "storage", "reserved"),
        [(each.reserved.key, each.storage, show.moment(each.reserved.at)) for each in gone],
        empty=f"nothing {'would be' if is_plan else 'was'} removed{'' if left else f': {needed}'}",
    )
    if count := len(found.places):
        values = "value that was left unfinished" if count == 1 else "values that were left unfinished"
        show.remark(f"{count} {values} {'would be' if is_plan else 'was' if count == 1 else 'were'} removed too")
    if left:
        show.remark(f"{left} {'key is' if left == 1 else 'keys are'} there still, in storages that cannot be used now")
