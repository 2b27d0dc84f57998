"""Taking secrets out of what is shown to strangers, in a bug report say: what looks like one is taken for one."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from headrace.hooks.secrets import names_secret
from headrace.settings import HIDDEN, SETTINGS, Settings

_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_ASSIGNED = re.compile(
    r"""(\b\w*(?:secret|token|password|passwd|passphrase|api_?key|access_?key|credentials?)["']?\s*[:=]\s*)(?!/)("[^"]*"|'[^']*'|[^\s,;&]+)""",
    re.IGNORECASE,
)
_SHORTEST = 8
"""A value of fewer characters is as likely a word."""


@attrs.frozen
class HiddenSecrets:
    """Replaces the values of secrets, wherever they stand, and what is written as passwords are."""

    values: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str]) -> "HiddenSecrets":
        """Those that are known here: secret settings, and variables with a name such as DB_PASSWORD."""
        own = [str(getattr(settings, name)) for name, field in SETTINGS.items() if field.metadata["secret"]]
        others = [value for name, value in environment.items() if names_secret(name) and len(value) >= _SHORTEST]
        return cls(tuple(sorted(filter(None, {*own, *others}), key=len, reverse=True)))

    def gone(self, shown: Any) -> Any:
        """Plain data without them."""
        if isinstance(shown, (str, Path)):
            return self._gone(str(shown))
        if isinstance(shown, Mapping):
            return {key: self.gone(value) for key, value in shown.items()}
        if isinstance(shown, Iterable) and not isinstance(shown, (str, bytes)):
            return [self.gone(value) for value in shown]
        return shown

    def _gone(self, text: str) -> str:
        for value in self.values:
            text = text.replace(value, HIDDEN)
        text = _IN_ADDRESS.sub(HIDDEN, text)
        return _ASSIGNED.sub(lambda found: found[1] + HIDDEN, text)
