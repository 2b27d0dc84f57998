"""For tests, ours and those of plugin authors."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.testing.sim import Sim

__all__ = ["Sim"]


def __getattr__(name: str) -> Any:
    if name != "Sim":
        raise AttributeError(f"module 'headrace.testing' has no attribute {name!r}")
    from headrace.testing.sim import Sim  # whoever wants a fixture need not load agents and services

    return Sim
