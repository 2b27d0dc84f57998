"""`headrace profile`: tables of settings under names, one of which is in force."""

from pathlib import Path

import click

from headrace.cli import show
from headrace.cli.config import is_of_the_file, tell_afterwards
from headrace.cli.invocation import Invocation
from headrace.cli.profiles_file import Draft, changing
from headrace.cli.setting_rows import show_settings
from headrace.errors import AlreadyThere, UnknownProfile, WrongSettingsFile
from headrace.model.names import checked_name
from headrace.settings import DEFAULT_PROFILE, PREFIX, SETTINGS, Profiles, load, read_profiles, variable


@click.group()
def profile() -> None:
    """Look after profiles: tables of settings under names, one of them in force.

    -p NAME before the command chooses the one in force, else HEADRACE_PROFILE does, else `headrace profile use`.
    """


def _known(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    invocation: Invocation = ctx.find_root().obj or Invocation({})
    return [name for name in _as_far_as_can_be_read(invocation).names if name.startswith(incomplete)]


def _as_far_as_can_be_read(invocation: Invocation) -> Profiles:
    try:
        return read_profiles(invocation.untold_settings.profiles_path)
    except WrongSettingsFile:
        return Profiles()


# ls


@profile.command()
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, as_json: bool) -> None:
    """List profiles, and what each of them sets."""
    settings = invocation.lenient_settings
    profiles = _as_far_as_can_be_read(invocation)
    rows = [(name, name == settings.profile, sorted(profiles.tables.get(name, {}))) for name in profiles.names]
    if as_json:
        show.json([{"name": name, "is_in_force": is_in_force, "sets": sets} for name, is_in_force, sets in rows])
        return
    origin = settings.origin("profile")
    why = "yes" if origin.layer in ("active", "default") else f"yes, {origin}"
    show.table(
        ("name", "in force", "sets"),
        [(name, show.Painted(why, "green") if is_in_force else "", ", ".join(sets)) for name, is_in_force, sets in rows],
        empty="there is no profile",
    )


# create


@profile.command()
@click.argument("name")
@click.option(
    "--from", "origin", metavar="OTHER", shell_complete=_known, help="The profile whose settings it begins with; none if not given."
)
@click.pass_obj
def create(invocation: Invocation, name: str, origin: str | None) -> None:
    """Make a profile; it is not in force yet."""
    checked_name("profile", name)
    if name != name.strip():
        raise click.UsageError("the name of a profile neither begins nor ends with a space")
    with changing(_file(invocation)) as draft:
        _must_be_free(draft, name)
        if origin is not None:
            draft.must_have(origin)
        draft.table(name).update(draft.tables.get(origin or "", {}))
    click.echo(f"created profile {name!r} in {draft.path}")
    if draft.has_lost_comments:
        tell_afterwards(invocation, draft)
    if invocation.anew().untold_settings.profile != name:
        show.remark(
            f"put it in force with: headrace profile use {name}; or set something in it with: headrace -p {name} config set NAME=VALUE"
        )


def _file(invocation: Invocation) -> Path:
    """The file of profiles. Raises what is wrong, if that leaves in doubt which it is; that the profile in force is gone is no matter here."""
    fault = invocation.fault
    if isinstance(fault, WrongSettingsFile) or is_of_the_file(fault):
        assert fault is not None
        raise fault
    return invocation.untold_settings.profiles_path


def _must_be_free(draft: Draft, name: str) -> None:
    if name in draft.profiles.names:
        raise AlreadyThere(what="profile", name=name, command="config set")


# use


@profile.command()
@click.argument("name", shell_complete=_known)
@click.pass_obj
def use(invocation: Invocation, name: str) -> None:
    """Put a profile in force."""
    with changing(_file(invocation)) as draft:
        draft.must_have(name)
        draft.active = name
    click.echo(f"chose profile {name!r} in {draft.path}")
    tell_afterwards(invocation, draft)
    if (chosen := invocation.environment.get(variable("profile"), name).strip()) != name:
        show.warning(f"{variable('profile')} is set in the environment here, and wins: it chooses {chosen!r}")


# rename


@profile.command()
@click.argument("old", shell_complete=_known)
@click.argument("new")
@click.pass_obj
def rename(invocation: Invocation, old: str, new: str) -> None:
    """Give a profile another name; if it is in force, it stays so."""
    checked_name("profile", new)
    if new != new.strip():
        raise click.UsageError("the name of a profile neither begins nor ends with a space")
    with changing(_file(invocation)) as draft:
        draft.must_have(old)
        _must_be_free(draft, new)
        was_chosen = draft.chosen == old
        draft.tables = {new if name == old else name: table for name, table in draft.tables.items()}
        draft.table(new)
        if was_chosen:
            draft.active = new
    click.echo(f"renamed profile {old!r} to {new!r}")
    if old == DEFAULT_PROFILE:
        show.remark(f"profile {DEFAULT_PROFILE!r} is there still, and sets nothing")
    _tell_what_is_gone(invocation, draft, old)


def _tell_what_is_gone(invocation: Invocation, draft: Draft, name: str) -> None:
    if name != DEFAULT_PROFILE and invocation.environment.get(variable("profile"), "").strip() == name:
        show.warning(f"{variable('profile')} names profile {name!r}, which is gone; unset it, or set it to another")
    elif draft.has_lost_comments:
        tell_afterwards(invocation, draft)


# delete


@profile.command()
@click.argument("name", shell_complete=_known)
@click.pass_obj
def delete(invocation: Invocation, name: str) -> None:
    """Delete a profile; if it is in force, `default` is from then on.

    The profile `default` is always there; to delete it is to take out all that it sets.
    """
    with changing(_file(invocation)) as draft:
        draft.must_have(name)
        was_chosen = draft.chosen == name
        lost = sorted(draft.tables.pop(name, {}))
        if draft.active == name:
            draft.active = ""
    click.echo(f"deleted profile {name!r}" if name != DEFAULT_PROFILE else f"profile {name!r} sets nothing now")
    if lost:
        show.remark(f"gone with it: {', '.join(lost)}")
    if was_chosen and name != DEFAULT_PROFILE:
        show.remark(f"profile {DEFAULT_PROFILE!r} is in force now")
    _tell_what_is_gone(invocation, draft, name)


# inspect


@profile.command()
@click.argument("name", required=False, shell_complete=_known)
@click.option("--show-defaults", "has_defaults", is_flag=True, help="Show also what it does not set.")
@show.json_option
@click.pass_obj
def inspect(invocation: Invocation, name: str | None, has_defaults: bool, as_json: bool) -> None:
    """Show what a profile sets, without environment and flags.

    Without NAME it is the profile in force.
    """
    path = _file(invocation)
    name = name or invocation.untold_settings.profile
    profiles = read_profiles(path)
    if name not in profiles.names:
        raise UnknownProfile(name=name, path=str(path), known=profiles.names)
    plain = {key: value for key, value in invocation.environment.items() if not key.startswith(PREFIX)}
    settings = load(plain, {"profile": name, "profiles_path": path}, lenient=True)
    for sentence in settings.warnings:
        show.warning(sentence)
    shown = [key for key, field in SETTINGS.items() if field.metadata["in_profiles"]]
    names = [key for key in shown if has_defaults or settings.origin(key).layer == "profile"]
    show_settings(settings, names, as_json=as_json, empty=f"profile {name!r} sets nothing")
