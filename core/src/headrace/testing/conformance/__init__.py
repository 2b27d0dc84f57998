"""What every implementation of a port does: one class per port, to subclass; the one fixture to override gives the value to try."""

import pytest

PORTS = (
    "client",
    "event_sink",
    "flow_runner",
    "queue_matcher",
    "rule",
    "run_store",
    "schedule",
    "serializer",
    "service",
    "storage",
    "task_runner",
)

# so that a fact that does not hold shows what was there instead
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in (*PORTS, "plugins")))
