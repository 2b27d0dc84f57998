"""Choices as they are written in specs: of a flow runner, a storage, a schedule."""

from collections.abc import Mapping
from typing import Any

import attrs

from headrace.errors import WrongSpec
from headrace.hooks.registry import Registry
from headrace.hooks.secrets import written_secret
from headrace.model.choices import Choice
from headrace.model.coercion import shown
from headrace.model.storages import name_in, named
from headrace.wire.parameters import is_whole, plain_parameters

SCHEDULE, STORAGE = "schedule", "storage"


def understood_choice(port: str, given: Any, where: str, registry: Registry) -> Choice | None:
    """A name, a mapping with `type`, or a value of a class that is installed; as name and options that have been tried."""
    if given is None:
        return None
    if isinstance(given, str):
        choice = Choice(given) if port != STORAGE or registry.has(port, given) else named(given)
    elif isinstance(given, Mapping):
        choice = _written_choice(port, given, where)
    elif isinstance(given, type):
        raise WrongSpec(where=where, why=f"a {port} is a value, and {given.__name__} is a class; write {given.__name__}(…)")
    elif type(given).__module__ == "builtins":
        raise WrongSpec(where=where, why=f"a {port} is written as its name, or as a mapping with its name as type, not {shown(given)}")
    else:
        choice = registry.choice_of(port, given)
    if port == SCHEDULE:
        choice = _as_kept(port, choice, registry)
    options = plain_parameters(choice.options)  # as a store will give them back, so that what is deployed again is the same
    lost = [name for name, value in options.items() if not is_whole(value)]
    if lost:
        raise WrongSpec(
            where=where, why=f"option {lost[0]!r} of {port} {choice.name!r} must be plain data, not {shown(choice.options[lost[0]])}"
        )
    if name_in(choice) is not None:
        return choice  # what is behind the name, the orchestration knows
    if port == STORAGE:
        _check_secrets(choice.name, options, where, registry)
        registry.make(port, Choice(choice.name, registry.resolved(options)))
    else:
        registry.make(port, Choice(choice.name, options))
    return Choice(choice.name, options)


def _check_secrets(name: str, options: Mapping[str, Any], where: str, registry: Registry) -> None:
    """Raises WrongSpec for a secret that is written out, since whoever sees a deployment sees its options."""
    option = written_secret(registry.load(STORAGE, name), options)
    if option is not None:
        why = (
            "is a secret, and would be seen by all who see the deployment; write where it is found: secret://env/NAME or secret://file/PATH"
        )
        keep = "or give the storage a name, with `headrace storage create`, and write that"
        raise WrongSpec(where=where, why=f"option {option!r} of storage {name!r} {why}; {keep}")


def _as_kept(port: str, choice: Choice, registry: Registry) -> Choice:
    """The same choice with all options, each in the one form that its class keeps it in; so what means the same is the same, however it was written."""
    value = registry.make(port, choice)
    return registry.choice_of(port, value) if attrs.has(type(value)) else choice


def _written_choice(port: str, given: Mapping[Any, Any], where: str) -> Choice:
    kind, inner = given.get("type"), given.get("config")
    if not isinstance(kind, str) or not all(isinstance(name, str) for name in given):
        raise WrongSpec(where=where, why=f"a {port} is written as its name, or as a mapping with its name as type, not {dict(given)!r}")
    options = {name: value for name, value in given.items() if name != "type"}
    return Choice(kind, dict(inner) if options.keys() == {"config"} and isinstance(inner, Mapping) else options)
