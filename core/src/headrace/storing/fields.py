"""The options of a type of storage, or of what else is chosen by its name, as fields of a form: they are those of its class."""

from collections.abc import Iterable, Mapping, Sequence
from inspect import Parameter, signature
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from headrace.errors import HeadraceError, InvalidOption
from headrace.hooks.registry import Registry
from headrace.hooks.secrets import is_reference, names_secret
from headrace.model.storages import SEALED, SERVER
from headrace.settings import HIDDEN
from headrace.wire.typed_json import parsed

_TRUTHS: Mapping[str, bool] = MappingProxyType({"yes": True, "no": False})


@attrs.frozen(kw_only=True)
class Field:
    """One option of a type of storage, or of another port. `kind` is its type without None."""

    name: str
    kind: Any
    meaning: str
    is_needed: bool
    is_secret: bool
    port: str = "storage"

    @property
    def title(self) -> str:
        """As it is asked for."""
        return self.name.replace("_", " ")

    @property
    def is_truth(self) -> bool:
        """Whether it is a yes or no."""
        return self.kind is bool

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return self.kind in (int, float)

    @property
    def is_object(self) -> bool:
        """Whether it has parts of its own."""
        return get_origin(self.kind) not in (None, list, tuple, Sequence) and issubclass(get_origin(self.kind), Mapping)

    @property
    def is_list(self) -> bool:
        """Whether it is several of something."""
        return get_origin(self.kind) in (list, tuple, Sequence)

    def read(self, typed: str) -> Any:
        """The value of what was typed, which is not empty: of what has parts a line NAME=VALUE for each, of a list a line for each, or JSON. Raises
        InvalidOption."""
        if is_reference(typed):
            return typed
        if self.is_object:
            return self._whole(typed, dict, "an object") if typed.startswith("{") else self._parts(typed)
        if self.is_list:
            return self._whole(typed, list, "a list") if typed.startswith("[") else self._items(typed)
        if self.is_truth:
            return self._truth(typed)
        return self._number(typed) if self.is_number else typed

    def _truth(self, typed: str) -> bool:
        if typed not in _TRUTHS:
            raise self._wrong(typed, "it is yes or no")
        return _TRUTHS[typed]

    def _number(self, typed: str) -> Any:
        try:
            return self.kind(typed)
        except ValueError:
            raise self._wrong(typed, f"it is no {'whole ' * (self.kind is int)}number") from None

    def _whole(self, typed: str, kind: type, wanted: str) -> Any:
        try:
            value = parsed(typed)
        except ValueError as error:
            raise self._wrong(typed, f"it is no JSON ({error}); write {wanted}") from None
        if not isinstance(value, kind):
            raise self._wrong(typed, f"it must be {wanted}")
        return value

    def _parts(self, typed: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number, line in enumerate(typed.splitlines(), start=1):
            name, equals, text = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not equals or not name:  # what was typed may be a secret, and is not shown
                raise self._wrong(HIDDEN, f"line {number} is not in the form NAME=VALUE")
            if name in found:
                raise self._wrong(HIDDEN, f"its part {name!r} is given twice")
            found[name] = part_value(name, text)
        return found

    def _items(self, typed: str) -> list[Any]:
        kind = next(iter(get_args(self.kind)), str)
        return [line.strip() if kind is str else part_value("", line.strip()) for line in typed.splitlines() if line.strip()]

    def _wrong(self, typed: str, why: str) -> InvalidOption:
        return InvalidOption(where=self.port, option=self.name, value=HIDDEN if self.is_secret else typed, why=why)


def part_value(name: str, text: str) -> Any:
    """What the text of a part means: JSON where it is JSON (`22` is a number, `"22"` a text), else a text. Secrets are always texts."""
    if names_secret(name):
        return text
    try:
        return parsed(text)
    except ValueError:
        return text


def fields_of(registry: Registry, type_name: str, port: str = "storage") -> list[Field]:
    """The options of a type, in the order of its class. Raises NotInstalled, DoubleProvider, ProviderUnusable."""
    kind = registry.load(port, type_name)
    if not attrs.has(kind):
        return []
    hints = get_type_hints(kind)
    needed = {name for name, each in signature(kind).parameters.items() if each.default is Parameter.empty}
    return [
        Field(
            name=field.alias or field.name,
            kind=_without_none(hints.get(field.name, str)),
            meaning=field.metadata.get("meaning", ""),
            is_needed=(field.alias or field.name) in needed,
            is_secret=bool(field.metadata.get("secret")),
            port=port,
        )
        for field in attrs.fields(kind)
        if field.init and field.metadata.get("option", True)
    ]


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        rest = [each for each in get_args(kind) if each is not NoneType]
        return rest[0] if len(rest) == 1 else str
    return kind


def parted(fields: Iterable[Field], options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options that all may see, and those that are secrets."""
    secret = {field.name for field in fields if field.is_secret}
    return (
        {name: value for name, value in options.items() if name not in secret},
        {name: value for name, value in options.items() if name in secret},
    )


def check_needed(fields: Iterable[Field], options: Mapping[str, Any], type_name: str) -> None:
    """Raises InvalidOption for an option that is missing."""
    for field in fields:
        if field.is_needed and options.get(field.name) in (None, ""):
            raise InvalidOption(where=f"storage type {type_name!r}", option=field.name, value="", why="it is needed")


def may_be_named(registry: Registry, type_name: str) -> bool:
    """Whether a storage of this type means the same wherever it is used: what is gone with its process, and a server's own, do not."""
    return type_name != SERVER and bool(getattr(registry.load("storage", type_name), "outlives_process", False))


def named_types(registry: Registry) -> dict[str, str]:
    """The types that can be given a name here, each with its line."""
    found = {}
    for name, offers in registry.offers("storage").items():
        try:
            if may_be_named(registry, name):
                found[name] = offers[0].provider.summary
        except HeadraceError:  # `headrace plugins` says what is wrong with it
            continue
    return found


def check_outlives(type_name: str, *, is_lasting: bool) -> None:
    """Raises InvalidOption for a storage whose content does not outlive the process that wrote it."""
    if not is_lasting:
        why = "what it keeps is gone when the process ends that wrote it, so that nobody would find it by a name"
        raise InvalidOption(where="storage create", option="type", value=type_name, why=why)


def hidden(value: Any) -> Any:
    """Plain data as it may be shown."""
    if value == SEALED:
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: hidden(item) for key, item in value.items()}
    return [hidden(item) for item in value] if isinstance(value, (list, tuple)) else value
