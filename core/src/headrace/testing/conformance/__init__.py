"""What every implementation of a port does: one class per port, to subclass; the one fixture to override gives the value to try."""

import pytest

# so that a fact that does not hold shows what was there instead
pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("flow_runner", "queue_matcher", "run_store", "serializer", "storage", "task_runner"))
)
