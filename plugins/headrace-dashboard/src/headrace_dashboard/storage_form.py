"""The options of a storage as a form has them. A secret is never part of a page: it is typed, and from then on only replaced or taken away."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from headrace.errors import InvalidOption
from headrace.hooks.secrets import is_reference, names_secret
from headrace.model.storages import SEALED
from headrace.settings import HIDDEN
from headrace.storing.fields import Field, hidden
from headrace.wire.typed_json import parsed
from headrace_dashboard.forms import Form

SET = "option."
UNSET = "unset."


@attrs.frozen(kw_only=True)
class Asked:
    """A field as it is shown: `text` is what stands in it, `now` what a secret is now, as far as that may be shown."""

    field: Field
    text: str
    now: str = ""
    is_lost: bool = False
    """What was typed is a secret, and is to be typed once more."""

    @property
    def name(self) -> str:
        """That of its field in the form."""
        return f"{SET}{self.field.name}"

    @property
    def unset_name(self) -> str:
        """That of what takes it away."""
        return f"{UNSET}{self.field.name}"

    @property
    def is_hidden(self) -> bool:
        return hides(self.field)

    @property
    def is_long(self) -> bool:
        """Whether it has several lines."""
        return self.field.is_object or self.field.is_list

    @property
    def example(self) -> str:
        """How it is written."""
        if self.field.is_object:
            return "name=value"
        return "one a line" if self.field.is_list else "secret://env/NAME" if self.is_hidden else ""


def hides(field: Field) -> bool:
    """Whether it is a secret."""
    return field.is_secret or names_secret(field.name)


def asked(fields: Iterable[Field], options: Mapping[str, Any], typed: Form | None) -> list[Asked]:
    """The fields, with what was typed in them, or what the options are."""
    return [_asked(field, options.get(field.name), typed) for field in fields]


def _asked(field: Field, value: Any, typed: Form | None) -> Asked:
    now = _now(value) if hides(field) and value is not None else ""
    if typed is None:
        return Asked(field=field, text="" if hides(field) or value is None else written(_masked(value)), now=now)
    text = typed.text(f"{SET}{field.name}")
    again = _harmless(field, text)
    return Asked(field=field, text=again, now=now, is_lost=again != text)


def _now(value: Any) -> str:
    """A secret as it may be shown: a reference is none, and of parts their names are none."""
    if isinstance(value, Mapping):
        return ", ".join(value)
    return str(value) if is_reference(value) and value != SEALED else HIDDEN


def _masked(value: Any) -> Any:
    """The value, with a mark in the place of each secret in it."""
    if isinstance(value, Mapping):
        return {name: SEALED if _is_secret(name, item) else _masked(item) for name, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, (list, tuple)) else value


def _is_secret(name: str, value: Any) -> bool:
    return names_secret(name) and isinstance(value, str) and bool(value) and not is_reference(value)


def _harmless(field: Field, text: str) -> str:
    """What was typed, without secrets."""
    if is_reference(text):
        return text
    if hides(field):
        return ""
    if not field.is_object:
        return text
    if text.startswith("{"):
        return "" if _has_secret(text) else text
    return "\n".join(map(_line, text.splitlines()))


def _line(line: str) -> str:
    name, equals, value = line.partition("=")
    return f"{name}=" if equals and names_secret(name.strip()) and not is_reference(value.strip()) else line


def _has_secret(text: str) -> bool:
    try:
        value = parsed(text)
    except ValueError:
        return True  # nobody can tell
    return any(names_secret(name) for name in value) or any(isinstance(item, (Mapping, list)) for item in value.values())


def written(value: Any) -> str:
    """An option as it is typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        is_flat = not any(isinstance(item, (Mapping, list, tuple)) or (isinstance(item, str) and "\n" in item) for item in value.values())
        is_flat = is_flat and not any("=" in name for name in value)
        return "\n".join(f"{name}={_part(item)}" for name, item in value.items()) if is_flat else json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        is_flat = all(isinstance(item, str) and "\n" not in item for item in value)
        return "\n".join(value) if is_flat else json.dumps(value, ensure_ascii=False)
    return str(value)


def _part(value: Any) -> str:
    """A part: a text that would be read as something else stands in quotation marks."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        parsed(value)
    except ValueError:
        return value
    return json.dumps(value, ensure_ascii=False)


def shown(value: Any) -> str:
    """An option's value for people, without secrets."""
    plain = hidden(_masked(value))
    return plain if isinstance(plain, str) else written(plain)


def read(fields: Sequence[Field], typed: Form) -> dict[str, Any]:
    """The options of a storage that is new. Raises InvalidOption."""
    texts = {field.name: typed.text(f"{SET}{field.name}") for field in fields}
    return {field.name: field.read(texts[field.name]) for field in fields if texts[field.name]}


def changed(fields: Sequence[Field], typed: Form, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options after what was typed: a secret of which nothing was typed stays, and of one with parts those that were typed are changed. Raises
    InvalidOption."""
    found = {name: value for name, value in options.items() if name not in {field.name for field in fields}}
    for field in fields:
        value = _changed(field, typed, options.get(field.name))
        if value is not None:
            found[field.name] = value
    return found


def _changed(field: Field, typed: Form, before: Any) -> Any:
    text = typed.text(f"{SET}{field.name}")
    if not hides(field):
        return _filled(field.read(text), before) if text else None
    if not text:
        return None if typed.text(f"{UNSET}{field.name}") else before
    value = field.read(text)
    if not field.is_object or is_reference(text) or text.startswith("{"):
        return value
    if is_reference(before):
        why = "all of it is one reference, and has no parts that could be changed; give all of it, as JSON"
        raise InvalidOption(where="storage", option=field.name, value=HIDDEN, why=why)
    return {**(before or {}), **value}


def _filled(value: Any, before: Any) -> Any:
    """The value, with what was there before in the place of each mark of a secret."""
    if value == SEALED:
        return before
    if isinstance(value, Mapping):
        named = before if isinstance(before, Mapping) else {}
        return {name: _filled(item, named.get(name, SEALED)) for name, item in value.items()}
    if isinstance(value, list):
        there = list(before) if isinstance(before, (list, tuple)) else []
        return [_filled(item, there[place] if place < len(there) else SEALED) for place, item in enumerate(value)]
    return value
