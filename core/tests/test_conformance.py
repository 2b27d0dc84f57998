"""The conformance kit cannot be talked away."""

import pytest

from headrace.testing.conformance.storage import StorageConformance


def test_a_fact_cannot_be_replaced() -> None:
    """A subclass that defines a fact of the port anew is refused where it is defined."""
    with pytest.raises(TypeError, match="test_deleting_forgets replaces a fact"):

        class Cheating(StorageConformance):
            def test_deleting_forgets(self) -> None:  # type: ignore[override]
                """Nothing."""


def test_a_fact_can_be_excused() -> None:
    """A fact that does not hold may be marked xfail with a reason, which every test report shows."""

    class Honest(StorageConformance):
        @pytest.mark.xfail(reason="this storage never forgets")
        def test_deleting_forgets(self) -> None:  # type: ignore[override]
            """Nothing."""

    assert issubclass(Honest, StorageConformance)
