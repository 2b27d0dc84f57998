"""Taking secrets out of what is shown to strangers, in a bug report say: what looks like one is taken for one."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from headrace.cli.secret_looks import without_looks
from headrace.cli.secret_names import looks_secret
from headrace.cli.secret_ways import SHORTEST, ways, without_encoded
from headrace.hooks.secrets import is_reference, shown_reference
from headrace.model.results import ResultReference
from headrace.settings import HIDDEN, SETTINGS, Settings

__all__ = ["HiddenSecrets", "is_telling", "looks_secret", "secrets_in"]

_SCHEMA_VALUES = frozenset({"default", "const", "enum", "examples"})


@attrs.frozen
class HiddenSecrets:
    """Replaces the values of secrets, wherever they stand, and what is written as passwords are. `replaced` is what was, so far."""

    values: tuple[str, ...]
    replaced: set[str] = attrs.field(factory=set, repr=False, eq=False)

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str]) -> "HiddenSecrets":
        """Those that are known here: secret settings, and variables with a name such as DB_PASSWORD."""
        own = [str(getattr(settings, name)) for name, field in SETTINGS.items() if field.metadata["secret"]]
        others = [value for name, value in environment.items() if name != "PWD" and looks_secret(name) and len(value) >= SHORTEST]
        return cls(()).knowing([*own, *others])

    def knowing(self, values: Iterable[str]) -> "HiddenSecrets":
        """As this, with other values that are secrets, in whatever way they are written."""
        written = {way for value in values if value and not is_reference(value) for way in ways(value)}
        return attrs.evolve(self, values=tuple(sorted({*self.values, *written}, key=lambda value: (-len(value), value))))

    def gone(self, shown: Any, *, is_secret: bool = False) -> Any:
        """The same without them: plain data, or a value of headrace's, whose ids stay. What stands under the name of a secret is one."""
        if shown is None or isinstance(shown, (bool, Enum)):
            return shown
        if isinstance(shown, (str, Path)):
            return self._hidden(str(shown)) if is_secret else self._gone(str(shown))
        if isinstance(shown, Mapping):
            return {
                self._gone(key) if isinstance(key, str) else key: self.gone(value, is_secret=is_secret or looks_secret(str(key)))
                for key, value in shown.items()
            }
        if isinstance(shown, tuple):
            return tuple(self.gone(value, is_secret=is_secret) for value in shown)
        if isinstance(shown, ResultReference):
            return shown  # with anything else in it, it does not lead to what was kept
        if attrs.has(type(shown)):
            return self._of_value(shown)
        if isinstance(shown, Iterable) and not isinstance(shown, bytes):
            return [self.gone(value, is_secret=is_secret) for value in shown]
        return self._hidden(str(shown)) if is_secret or (isinstance(shown, int) and str(shown) in self.values) else shown

    def _of_value(self, shown: Any) -> Any:
        changes = {}
        for field in attrs.fields(type(shown)):
            value = getattr(shown, field.name)
            if not field.init or field.name == "id" or field.name.endswith(("_id", "_ids")):
                continue
            gone = self._of_schema(value) if field.name.endswith("schema") else self.gone(value)
            if gone != value:
                changes[field.alias] = gone
        return attrs.evolve(shown, **changes) if changes else shown

    def _of_schema(self, schema: Any, *, is_secret: bool = False) -> Any:
        """A JSON schema, in which a name is that of a property, and what may be a value stands beneath."""
        if isinstance(schema, (list, tuple)):
            return type(schema)(self._of_schema(each, is_secret=is_secret) for each in schema)
        if not isinstance(schema, Mapping):
            return self.gone(schema)
        found = {}
        for name, value in schema.items():
            if name in ("properties", "$defs") and isinstance(value, Mapping):
                found[name] = {key: self._of_schema(each, is_secret=is_secret or looks_secret(key)) for key, each in value.items()}
            elif name in _SCHEMA_VALUES:
                found[name] = self.gone(value, is_secret=is_secret)
            else:
                found[name] = self._of_schema(value, is_secret=is_secret)
        return found

    def _hidden(self, text: str) -> str:
        """What is a secret by its name; of one that is written elsewhere, where."""
        if is_reference(text):
            return shown_reference(text)
        if text in ("", HIDDEN):
            return text
        self.replaced.add(text)
        return HIDDEN

    def _gone(self, text: str) -> str:
        for value in self.values:
            if value in text:
                self.replaced.add(value)
                text = text.replace(value, HIDDEN)
        text, encoded = without_encoded(text, self.values, HIDDEN)
        self.replaced.update(encoded)
        return without_looks(text, self._noted)

    def _noted(self, secret: str) -> str:
        bare = secret.strip("\\\"' \t\r\n")
        if bare in ("", HIDDEN):
            return secret
        self.replaced.add(bare)
        return HIDDEN


def secrets_in(shown: Any, *, is_secret: bool = False) -> Iterator[str]:
    """What stands in plain data under names of secrets, and is long enough to be looked for elsewhere."""
    if isinstance(shown, Mapping):
        for name, value in shown.items():
            yield from secrets_in(value, is_secret=is_secret or looks_secret(str(name)))
    elif isinstance(shown, (list, tuple)):
        for value in shown:
            yield from secrets_in(value, is_secret=is_secret)
    elif is_secret and isinstance(shown, str) and is_telling(shown):
        yield shown
    elif is_secret and isinstance(shown, int) and len(str(abs(shown))) >= SHORTEST:
        yield str(shown)


def is_telling(text: str) -> bool:
    """Whether a secret is no mere word, so that it can be looked for wherever it may stand."""
    return len(text) >= SHORTEST or (len(text) >= SHORTEST - 2 and not text.isalpha())
