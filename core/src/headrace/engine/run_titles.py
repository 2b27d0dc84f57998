"""How a run is called where its definition says so."""

from collections.abc import Mapping
from typing import Any

from headrace.errors import InvalidOption
from headrace.model.definitions import FlowDefinition, TaskDefinition
from headrace.model.names import FORBIDDEN, LONGEST, checked_name
from headrace.model.texts import said_by


def titled(definition: FlowDefinition | TaskDefinition, parameters: Mapping[str, Any], otherwise: str) -> str:
    """The run's name: the definition's template filled with the parameters, or what its function makes of them, or `otherwise`.

    A future among them is told by the name of its task run. What may not be in a name, as the slashes of a path, is written as `-`.
    Raises InvalidOption where it cannot be filled, InvalidName where nothing is left of it.
    """
    wanted = definition.run_name
    if wanted is None:
        return otherwise
    option = f"{definition.noun}_run_name"
    try:
        name = wanted(parameters) if callable(wanted) else wanted.format(**parameters)
    except Exception as error:
        why = f"it could not be filled: {said_by(error)}"
        raise InvalidOption(where=f"{definition.noun} {definition.name!r}", option=option, value=wanted, why=why) from error
    return checked_name(f"{definition.noun} run", _tidied(name) if isinstance(name, str) else name)


def _tidied(name: str) -> str:
    """On one line, and without what names may not have: values decide what comes out, and no run is to fail by that."""
    letters = ("-" if letter in FORBIDDEN or not letter.isprintable() else letter for letter in " ".join(name.split()))
    return "".join(letters).lstrip("- ")[:LONGEST]
