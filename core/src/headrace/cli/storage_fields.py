"""The options of a type of storage, as flags, as JSON and as questions; all of it is made of the fields of its class."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import click

from headrace.cli.show import near
from headrace.cli.storage_parts import Parts, is_whole, parts
from headrace.errors import InvalidOption
from headrace.hooks.registry import Registry
from headrace.model.storages import SEALED, SERVER, NamedStorage
from headrace.storing import fields as options
from headrace.storing.fields import check_outlives, hidden, may_be_named
from headrace.wire.typed_json import DoubleKey, parsed

JSON_FIELDS = "--json-fields"
OURS = frozenset({"name", "default", "no_default", "check", "no_check", "json", "json_fields", "unset", "help"})
"""Flags of the commands themselves, before which an option of the same name has to give way."""


_KINDS: Mapping[Any, tuple[type, ...]] = MappingProxyType({bool: (bool,), int: (int,), float: (float, int)})


@attrs.frozen(kw_only=True)
class Field(options.Field):
    """One option of a type of storage, as commands have it."""

    @property
    def flag(self) -> str:
        """As it is written on the command line."""
        return f"--{'option-' * (self.name in OURS)}{self.name.replace('_', '-')}"

    @property
    def argument(self) -> str:
        """Under which name click hands it on."""
        return f"option_{self.name}"

    @property
    def title(self) -> str:
        """As it is asked for."""
        return self.name.replace("_", " ").upper() + ("" if self.is_needed else " (optional)")

    def option(self) -> click.Option:
        """The flag; one that is not given has no value at all."""
        help_text = self.meaning + ("; required" if self.is_needed else "") + ("; may be secret://…" if self.is_secret else "")
        if self.kind is bool:
            return click.Option([f"{self.flag}/--no-{self.flag[2:]}", self.argument], default=None, help=help_text)
        if self.is_object:
            help_text += "; all of it, or a part of it, for which it may be given again"
        return click.Option([self.flag, self.argument], metavar=self._metavar, default=None, multiple=self.is_object, help=help_text)

    @property
    def _metavar(self) -> str:
        if self.is_object:
            return "NAME=VALUE|JSON|@FILE"
        if self.is_list:
            return "JSON|@FILE"
        return {int: "N", float: "NUMBER", Path: "PATH"}.get(self.kind, "TEXT")

    def read(self, typed: Any) -> Any:
        """The value of what was typed, or parts of it. Raises click.BadParameter."""
        if isinstance(typed, tuple):
            return self._read_parts(typed)
        if not isinstance(typed, str):
            return typed
        if self.is_object or self.is_list:
            return self._read_json(typed)
        if self.kind in (int, float):
            try:
                return self.kind(typed)
            except ValueError:
                raise click.BadParameter(f"{typed!r} is no {'whole ' * (self.kind is int)}number", param_hint=self.flag) from None
        return typed

    def check(self, value: Any) -> None:
        """Raises click.BadParameter for JSON of another kind than the option is of."""
        kinds: tuple[type, ...] = (dict,) if self.is_object else (list,) if self.is_list else _KINDS.get(self.kind, (str,))
        is_reference = isinstance(value, str) and value.startswith("secret://")
        if value is None or is_reference or (isinstance(value, kinds) and isinstance(value, bool) == (self.kind is bool)):
            return
        wanted = {dict: "an object", list: "a list", bool: "true or false", int: "a whole number", float: "a number"}.get(kinds[0], "text")
        raise click.BadParameter(f"option {self.name!r} must be {wanted}", param_hint=JSON_FIELDS)

    def _read_parts(self, typed: tuple[str, ...]) -> Any:
        wholes, pairs = [each for each in typed if is_whole(each)], [each for each in typed if not is_whole(each)]
        if len(wholes) > 1:
            raise click.BadParameter("all of it is given twice; give it once", param_hint=self.flag)
        found = parts(pairs, self.flag)
        if not wholes:
            return found
        whole = self._read_json(wholes[0])
        return found.over(whole, self.flag) if pairs else whole

    def _read_json(self, typed: str) -> Any:
        if typed.startswith("secret://"):
            return typed
        text = _content(typed, self.flag)
        wanted = "an object" if self.is_object else "a list"
        try:
            value = parsed(text)
        except DoubleKey as error:
            raise click.BadParameter(f"{error}; write it once", param_hint=self.flag) from None
        except ValueError as error:
            raise click.BadParameter(
                f"it is no JSON ({error}); write {wanted}, or @ and a file that has it", param_hint=self.flag
            ) from None
        if not isinstance(value, dict if self.is_object else list):
            raise click.BadParameter(f"it must be {wanted} in JSON", param_hint=self.flag)
        return value


def fields_of(registry: Registry, type_name: str) -> list[Field]:
    """The options of a type, in the order of its class. Raises NotInstalled, DoubleProvider, ProviderUnusable."""
    return [Field(**attrs.asdict(field, recurse=False)) for field in options.fields_of(registry, type_name)]


def flags_of(fields: Iterable[Field]) -> dict[str, str]:
    """How each option is written on the command line."""
    return {field.name: field.flag for field in fields}


def json_option() -> click.Option:
    """All options at once."""
    return click.Option(
        [JSON_FIELDS, "json_fields"], metavar="JSON|@FILE", default=None, help="Options as a JSON object; flags go over them."
    )


def given(fields: Iterable[Field], typed: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, by name, some of them perhaps in Parts; flags go over what JSON has. Raises click.BadParameter."""
    known = {field.name: field for field in fields}
    whole = _json_fields(typed.get("json_fields"), known)
    texts = {name: typed.get(field.argument) for name, field in known.items()}
    read = {name: known[name].read(text) for name, text in texts.items() if text not in (None, ())}
    return whole | {
        name: value.over(whole[name], known[name].flag) if isinstance(value, Parts) and name in whole else value
        for name, value in read.items()
    }


def _json_fields(text: str | None, known: Mapping[str, Field]) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = parsed(_content(text, JSON_FIELDS))
    except DoubleKey as error:
        raise click.BadParameter(f"{error}; write it once", param_hint=JSON_FIELDS) from None
    except ValueError as error:
        raise click.BadParameter(f"it is no JSON ({error}); write an object by name", param_hint=JSON_FIELDS) from None
    if not isinstance(value, dict):
        raise click.BadParameter("it must be a JSON object, with options by their names", param_hint=JSON_FIELDS)
    unknown = next((name for name in value if name not in known), None)
    if unknown is not None:
        raise click.BadParameter(f"there is no option {unknown!r}{near(unknown, list(known))}", param_hint=JSON_FIELDS)
    for name, item in value.items():
        known[name].check(item)
    return {name: item for name, item in value.items() if item is not None}


def _content(typed: str, flag: str) -> str:
    if not typed.startswith("@"):
        return typed
    try:
        return Path(typed[1:]).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise click.BadParameter(f"file {typed[1:]!r} cannot be read: {why}", param_hint=flag) from None


def check_needed(fields: Iterable[Field], options: Mapping[str, Any], type_name: str) -> None:
    """Raises click.UsageError for options that are missing."""
    missing = [field.flag for field in fields if field.is_needed and options.get(field.name) in (None, "")]
    if missing:
        raise click.UsageError(f"storage type {type_name!r} needs {' and '.join(missing)}")


def check_may_be_named(registry: Registry, type_name: str) -> None:
    """Raises InvalidOption for a type that needs no name."""
    if type_name == SERVER:
        why = "the server's own storage is used wherever nothing else is said, and needs no name"
        raise InvalidOption(where="storage create", option="type", value=type_name, why=why)
    check_outlives(type_name, is_lasting=may_be_named(registry, type_name))


def row(storage: NamedStorage) -> dict[str, Any]:
    """A storage as JSON has it, without its secrets."""
    return {
        "id": storage.id,
        "name": storage.name,
        "type": storage.choice.name,
        "options": hidden(storage.choice.options),
        "is_default": storage.is_default,
        "created": storage.created,
        "updated": storage.updated,
    }


def shown(value: Any) -> str:
    """An option's value, for people."""
    if value == SEALED:
        return "***"
    return value if isinstance(value, str) else json.dumps(hidden(value), ensure_ascii=False)
