"""How many calls may run at once."""

from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidOption

if TYPE_CHECKING:
    import attrs


def checked_places(task_runner: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    """Lets pass an integer that is at least 1, and None where that is the default; else raises InvalidOption."""
    if type(value) is int and value >= 1:
        return
    if value is None and field.default is None:
        return
    raise InvalidOption(where=type(task_runner).__name__, option=field.name, value=value, why="it must be an integer, at least 1")
