"""Secrets that are known where a support bundle is made: they are looked for in all of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from headrace.cli.hidden_secrets import looks_secret, secrets_in
from headrace.errors import HeadraceError
from headrace.hooks.secrets import is_reference, secret_options
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment
from headrace.model.runs import FlowRun
from headrace.model.storages import NamedStorage

USER = "a support bundle, to leave its secrets out"
"""Who opens a storage, as its events have it."""


class KnownSecrets:
    """Those of storages, of deployments and of runs. `unknown` are the storages whose secrets could not be had."""

    def __init__(self, house: Instance) -> None:
        self._house = house
        self.unknown: list[str] = []

    def of(self, runs: Sequence[FlowRun], deployments: Sequence[Deployment]) -> Iterator[str]:
        """All values."""
        for storage in self._house.client.read_storages():
            yield from self._of_storage(storage)
        for value in (self._house.settings, *runs, *deployments):
            yield from self._referred(value)
        held: list[FlowRun | Deployment] = [*runs, *deployments]
        for each in held:
            yield from secrets_in(each.parameters)
            if each.flow_runner is not None:
                yield from self._of_choice("flow runner", each.flow_runner)

    def _of_storage(self, storage: NamedStorage) -> Iterator[str]:
        if not any(map(is_reference, _texts(storage.choice.options))):
            return
        try:
            opened = self._house.client.open_storage(storage.name, USER)
        except HeadraceError:
            self.unknown.append(storage.name)
            return
        yield from self._of_choice("storage", opened)

    def _of_choice(self, port: str, choice: Choice) -> Iterator[str]:
        try:
            secret = secret_options(self._house.registry.load(port, choice.name))
        except HeadraceError:  # what is not installed here, nobody here knows
            secret = frozenset()
        yield from self._referred(choice.options)
        for name, value in choice.options.items():
            if name in secret or looks_secret(name):
                named = list(secrets_in(value)) if isinstance(value, Mapping) else []
                yield from (text for text in named or _texts(value) if not is_reference(text))
            else:
                yield from secrets_in({name: value})

    def _referred(self, value: Any) -> Iterator[str]:
        """What references stand for, wherever they are in a value."""
        for text in _texts(value):
            if is_reference(text):
                try:
                    yield self._house.registry.secret(text)
                except HeadraceError:  # it is known elsewhere
                    continue


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _texts(getattr(value, field.name, None))
