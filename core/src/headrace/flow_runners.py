"""The classes of installed flow runners, by name; a facade for users."""

from typing import Any

from headrace.hooks.registry import Registry


def __getattr__(name: str) -> Any:
    if name == "__all__":  # asked anew each time, since it is what is installed
        return __dir__()
    if name.startswith("_"):
        raise AttributeError(name)
    value = globals()[name] = Registry().load_class("flow runner", name)
    return value


def __dir__() -> list[str]:
    return Registry().class_names("flow runner")
