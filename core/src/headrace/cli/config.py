"""`headrace config`: what is set, and changing it. It works whatever is wrong with what was set before."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import click

from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.cli.profiles_file import Draft, changing
from headrace.cli.setting_rows import show_settings
from headrace.errors import HeadraceError, SettingNotSet, UnknownProfile, UnknownSetting, WrongSetting, WrongSettingsFile
from headrace.settings import (
    HIDDEN,
    SETTINGS,
    Origin,
    Settings,
    faults_of,
    read_value,
    setting_name,
    shown,
    variable,
)

TYPED = "the command line"
_OF_THE_FILE = frozenset({"home", "profiles_path", "profile"})
"""The settings that say which profile of which file is changed."""


@click.group()
def config() -> None:
    """Look at settings, and change those of a profile.

    A setting may be written as lease_seconds or as HEADRACE_LEASE_SECONDS. What is changed is the profile in force; -p NAME before the command
    chooses another.
    """


# set


def _assigned(_ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """What `NAME=VALUE …` says. What follows the first `=` is the value, whatever is in it."""
    found: dict[str, str] = {}
    for written in given:
        name, sign, value = written.partition("=")
        if not (name and sign):
            raise click.BadParameter(f"{written!r} is not in the form NAME=VALUE")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice; give it once")
        found[name] = value
    return found


def _names(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name, field in SETTINGS.items() if field.metadata["in_profiles"] and name.startswith(incomplete)]


def _beginnings(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [f"{name}=" for name in _names(ctx, parameter, incomplete)]


@config.command("set")
@click.argument("assigned", metavar="NAME=VALUE...", nargs=-1, required=True, callback=_assigned, shell_complete=_beginnings)
@click.pass_obj
def set_(invocation: Invocation, assigned: dict[str, str]) -> None:
    """Set something in the profile in force.

    A value that cannot be used is refused, and then nothing is changed. Names in a list have commas between them.
    """
    profile, path = profile_to_change(invocation)
    values = {name: _value(name, text, invocation) for name, text in _named(assigned).items()}
    with changing(path) as draft:
        draft.must_have(profile)
        before = _faults(draft, profile, invocation)
        table = draft.table(profile)
        for name, value in values.items():
            first, *others = _spellings(table, name) or [name]
            table[first] = value
            for spelling in others:
                del table[spelling]
        _refuse_new(_faults(draft, profile, invocation), before)
    for name, value in values.items():
        click.echo(f"set {name}={_shown(name, value)} in profile {profile!r}")
    tell_afterwards(invocation, draft)
    _tell_what_wins(invocation, profile, values)
    _tell_what_is_missing(invocation, values)


def profile_to_change(invocation: Invocation) -> tuple[str, Path]:
    """The profile in force and its file. Raises what is wrong, if that leaves in doubt which they are."""
    fault, settings = invocation.fault, invocation.untold_settings
    if isinstance(fault, (UnknownProfile, WrongSettingsFile)) or is_of_the_file(fault):
        assert fault is not None
        raise fault
    return settings.profile, settings.profiles_path


def is_of_the_file(fault: HeadraceError | None) -> bool:
    """Whether the fault leaves in doubt which file, or which profile of it, is meant. What a profile itself sets does not."""
    return isinstance(fault, WrongSetting) and fault.name in _OF_THE_FILE and not fault.origin.startswith("profile ")


def _named(assigned: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for written, text in assigned.items():
        name = setting_name(written, where=TYPED)
        if name in found:
            raise click.UsageError(f"{name} is given twice, in two spellings; give it once")
        found[name] = text
    return found


def _value(name: str, text: str, invocation: Invocation) -> Any:
    """What is written into the file: of its own type, and paths so that they mean there what they mean here."""
    field = SETTINGS[name]
    if not field.metadata["in_profiles"]:
        other = f"`headrace profile use {text}`" if name == "profile" else f"the environment variable {variable(name)}"
        raise WrongSetting(name=name, value=text, origin=TYPED, why=f"a profile cannot set it; {other} can")
    try:
        value = read_value(field, text, Origin(layer="flag"), environment=invocation.environment)
    except WrongSetting as error:
        raise attrs.evolve(error, origin=TYPED) from None
    if isinstance(value, Path):
        value = str(Path(text) if text.startswith("~") else value)
        if not value.isprintable():
            raise WrongSetting(
                name=name, value=value, origin=TYPED, why=f"a file cannot hold it; the environment variable {variable(name)} can"
            )
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(name: str, value: Any) -> str:
    return HIDDEN if SETTINGS[name].metadata["secret"] else shown(tuple(value) if isinstance(value, list) else value)


def _spellings(table: dict[str, Any], name: str | None) -> list[str]:
    """How a profile spells a setting; more than once, if somebody made a mistake."""
    return [spelling for spelling in table if name is not None and _meant(spelling) == name]


def _meant(spelling: str) -> str | None:
    try:
        return setting_name(spelling, where="")
    except UnknownSetting:
        return None


def _faults(draft: Draft, profile: str, invocation: Invocation) -> list[HeadraceError]:
    return faults_of(draft.profiles, profile, draft.path, invocation.environment)


def _refuse_new(after: Iterable[HeadraceError], before: Iterable[HeadraceError]) -> None:
    """Settings that are each right may not fit each other; what was wrong before stops nobody."""
    known = {str(fault) for fault in before}
    for fault in after:
        if str(fault) not in known:
            raise attrs.evolve(fault, origin=TYPED, way_out="; nothing was changed") if isinstance(fault, WrongSetting) else fault


def tell_afterwards(invocation: Invocation, draft: Draft) -> None:
    """What is still wrong, or has been lost."""
    if draft.has_lost_comments:
        show.warning(f"the comments in {draft.path} could not be kept")
    _ = invocation.anew().lenient_settings


def _tell_what_wins(invocation: Invocation, profile: str, names: Iterable[str]) -> None:
    for name in names:
        if variable(name) in invocation.environment:
            show.warning(f"{variable(name)} is set in the environment here, and wins over profile {profile!r}")


def _tell_what_is_missing(invocation: Invocation, names: Iterable[str]) -> None:
    settings = invocation.anew().untold_settings
    for sentence in missing(settings, invocation, names):
        show.warning(sentence)


def missing(settings: Settings, invocation: Invocation, names: Iterable[str] = tuple(SETTINGS)) -> list[str]:
    """What settings name that is not installed."""
    found = []
    for name in names:
        port, value = SETTINGS[name].metadata["port"], getattr(settings, name)
        if not port or not value:
            continue
        try:
            invocation.registry.offer(port, value)
        except HeadraceError as error:
            found.append(f"{name}={value}: {error}")
    return found


# unset


@config.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=_names)
@click.pass_obj
def unset(invocation: Invocation, names: tuple[str, ...]) -> None:
    """Take something out of the profile in force.

    A name that is no setting can be taken out too, if it stands there. If one of several does not, nothing is changed.
    """
    profile, path = profile_to_change(invocation)
    taken: list[str] = []
    with changing(path) as draft:
        before = _faults(draft, profile, invocation)
        table = draft.tables.get(profile, {})
        for written in dict.fromkeys(names):
            spellings = [written] if written in table else _spellings(table, _meant(written))
            if not spellings and _meant(written) not in map(_meant, taken):
                raise SettingNotSet(name=written, profile=profile, path=str(draft.path), advice=_where_it_is_set(written, invocation))
            for spelling in spellings:
                del table[spelling]
            taken += spellings
        _refuse_new(_faults(draft, profile, invocation), before)
    for spelling in taken:
        click.echo(f"unset {spelling} in profile {profile!r}")
    tell_afterwards(invocation, draft)
    _tell_what_wins(invocation, profile, filter(None, map(_meant, taken)))


def _where_it_is_set(written: str, invocation: Invocation) -> str:
    try:
        return f"; its value is from {invocation.untold_settings.origin(setting_name(written, where=TYPED))}"
    except UnknownSetting as error:
        return f", which is no setting{error.advice}"


# view


@config.command()
@click.option("--show-defaults", "has_defaults", is_flag=True, help="Show also what is set nowhere.")
@show.json_option
@click.pass_obj
def view(invocation: Invocation, has_defaults: bool, as_json: bool) -> None:
    """Show what is set, and where each value comes from.

    The later wins: default, profile, environment, flag. What cannot be used is told, and the value beneath it shown.
    """
    settings = invocation.lenient_settings
    names = [name for name in SETTINGS if has_defaults or name == "profile" or settings.origin(name).layer != "default"]
    show_settings(settings, names, as_json=as_json)
