"""The one shape in which a plugin offers anything."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from headrace.model.names import checked_name

T = TypeVar("T")


def _named(provider: Any, field: "attrs.Attribute[str]", value: str) -> None:
    checked_name("provider", value)


@attrs.frozen
class Provider(Generic[T]):
    """A named implementation that a plugin offers; it is imported only when it is chosen.

    `target` is "package.module:Class", or the class itself; `summary` is the line that lists show. `runs_code` marks one that runs code
    which data chose (pickle); it is refused outside a flow run's process.
    """

    name: str = attrs.field(validator=_named)
    target: str | Callable[..., T]
    summary: str
    runs_code: bool = attrs.field(default=False, kw_only=True)
