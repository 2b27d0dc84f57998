"""What all conformance classes have in common: their facts cannot be talked away."""

import pytest


class Facts:
    """A class of facts. A subclass gives its value by a fixture; a fact that does not hold may be marked xfail, with a reason, not replaced."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, replacement in vars(cls).items():
            if name.startswith("test_") and any(hasattr(ancestor, name) for ancestor in cls.__mro__[1:]) and not _has_excuse(replacement):
                raise TypeError(f"{cls.__qualname__}.{name} replaces a fact of the port; mark it xfail with a reason if it does not hold")


def _has_excuse(test: object) -> bool:
    marks: list[pytest.Mark] = getattr(test, "pytestmark", [])
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
