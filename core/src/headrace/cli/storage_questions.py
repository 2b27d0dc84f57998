"""The options of a storage, asked for: one question each, and for one that has parts or is a list, one for each of those."""

from typing import Any, get_args

import click

from headrace.cli import show
from headrace.cli.storage_fields import Field
from headrace.cli.storage_parts import is_whole
from headrace.storing.fields import part_value


def answer(field: Field) -> Any:
    """What was answered, as the option's value; None where nothing was."""
    if field.meaning:
        click.secho(f"    {field.meaning}", dim=True)
    if field.kind is bool:
        return click.confirm(field.title, default=False)
    if field.is_object:
        return _parts(field)
    return _items(field) if field.is_list else _read(field, field.title)


def _read(field: Field, question: str) -> Any:
    """One answer, asked for until it can be read."""
    while True:
        typed = _asked(field, question, is_needed=field.is_needed)
        try:
            return field.read(typed) if typed else None
        except click.BadParameter as error:
            show.error(error.format_message())


def _parts(field: Field) -> Any:
    """Names are shown as they are typed; of a secret, what the parts are is not."""
    found: dict[str, Any] = {}
    while True:
        name = _first_or_more(field, "part: its name", len(found))
        if not found and is_whole(name):
            whole = _whole(field, name)
            if whole is not None:
                return whole
        elif not name:
            return found or None
        elif name in found:
            show.error(f"part {name!r} was answered already")
        else:
            found[name] = part_value(name, _asked(field, f"{_short(field)}, {name}", is_needed=True))


def _items(field: Field) -> Any:
    found: list[Any] = []
    kind = next(iter(get_args(field.kind)), str)
    while True:
        typed = _first_or_more(field, "item", len(found), is_hidden=field.is_secret)
        if not found and is_whole(typed) and not typed.startswith("secret://"):
            whole = _whole(field, typed)
            if whole is not None:
                return whole
        elif not typed:
            return found or None
        else:
            found.append(typed if kind is str else part_value("", typed))


def _first_or_more(field: Field, what: str, count: int, *, is_hidden: bool = False) -> str:
    """An answer for which nothing may be typed, once there is enough."""
    if count:
        return _asked(field, f"{_short(field)}, another {what}; or nothing", is_needed=False, is_hidden=is_hidden)
    shown = field.is_secret and not is_hidden  # all of a secret is better not typed where it is seen, though it is taken
    whole = "@ and a file that has all as JSON" if shown else "all as JSON, or @ and a file"
    return _asked(field, f"{field.title}, first {what}; or {whole}", is_needed=field.is_needed, is_hidden=is_hidden)


def _whole(field: Field, typed: str) -> Any:
    try:
        return field.read(typed)
    except click.BadParameter as error:
        show.error(error.format_message())
        return None


def _asked(field: Field, question: str, *, is_needed: bool, is_hidden: bool | None = None) -> str:
    hides = field.is_secret if is_hidden is None else is_hidden
    typed: str = click.prompt(question, default=None if is_needed else "", show_default=False, hide_input=hides)
    return typed


def _short(field: Field) -> str:
    """The title, where it was said before that nothing need be answered."""
    return field.title.removesuffix(" (optional)")
