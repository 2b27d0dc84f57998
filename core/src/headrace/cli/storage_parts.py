"""Options of a storage that have parts: one part is given, changed or taken away, and the others stay.

A part is typed as NAME=VALUE. The value is JSON where it is JSON (`22` is a number, `"22"` a text), else a text; that of a part whose name is that of a
secret is always a text, since secrets are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
import click

from headrace.cli.show import near
from headrace.hooks.secrets import SCHEME, is_reference
from headrace.storing.fields import part_value

WHOLES = ("{", "[", "@", SCHEME)
"""What an answer begins with that is all of an option, and not a part of it."""


@attrs.frozen
class Parts:
    """Some parts of an option, by name."""

    values: Mapping[str, Any]

    def over(self, value: Any, flag: str) -> dict[str, Any]:
        """All parts, those that were not given as they are. Raises click.BadParameter where what is there has none."""
        if is_reference(value):
            why = "all of it is one reference, and has no parts that could be changed; give all of it, as JSON"
            raise click.BadParameter(why, param_hint=flag)
        return {**(value or {}), **self.values}


def is_whole(typed: str) -> bool:
    """Whether it is all of an option."""
    return typed.startswith(WHOLES)


def parts(pairs: Sequence[str], flag: str) -> Parts:
    """What NAME=VALUE says, again and again. Raises click.BadParameter."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:  # what was typed may be a secret, and is not shown
            raise click.BadParameter("write NAME=VALUE, or all of it as a JSON object, or @ and a file that has it", param_hint=flag)
        if name in values:
            raise click.BadParameter(f"part {name!r} is given twice; give it once", param_hint=flag)
        values[name] = part_value(name, text)
    return Parts(values)


def changed(
    options: Mapping[str, Any], changes: Mapping[str, Any], flags: Mapping[str, str], dropped: Iterable[tuple[str, str]] = ()
) -> dict[str, Any]:
    """The options after a change: an option is replaced, of one with parts those that are given; what is `dropped`, an option or a part of it, is gone.

    Raises click.BadParameter for a part that is not there.
    """
    whole = dict(options)
    for name, part in dropped:
        whole[name] = _without(whole.get(name), name, part) if part else None
    for name, value in changes.items():
        whole[name] = value.over(whole.get(name), flags[name]) if isinstance(value, Parts) else value
    return {name: value for name, value in whole.items() if value is not None}


def _without(value: Any, name: str, part: str) -> dict[str, Any] | None:
    known = value if isinstance(value, Mapping) else {}
    if part not in known:
        raise click.BadParameter(f"option {name!r} has no part {part!r}{near(part, list(known))}", param_hint="--unset")
    return {each: item for each, item in known.items() if each != part} or None
