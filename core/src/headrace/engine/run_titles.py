"""How a run is called where its definition says so."""

from collections.abc import Mapping
from typing import Any

from headrace.errors import InvalidOption
from headrace.model.definitions import FlowDefinition, TaskDefinition
from headrace.model.names import checked_name
from headrace.model.texts import said_by


def titled(definition: FlowDefinition | TaskDefinition, parameters: Mapping[str, Any], otherwise: str) -> str:
    """The run's name: the definition's template filled with the parameters, or what its function makes of them, or `otherwise`.

    Raises InvalidOption where the template names what is no parameter, InvalidName where the outcome can be no name.
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
    return checked_name(f"{definition.noun} run", name)
