"""Cache keys."""

from collections.abc import Mapping
from typing import Any

from headrace.engine.run_context import TaskRunContext
from headrace.instance import current


def task_input_hash(context: TaskRunContext, parameters: Mapping[str, Any]) -> str | None:
    """For `cache_key_fn`: equal for calls of the task with equal inputs; None (no caching) for inputs that cannot be compared."""
    return current().results.fingerprint(dict(parameters))
