"""Changes: what is different between two versions of a deployment, apart from its code."""

from typing import Any

from headrace.model.deployments import Deployment
from headrace.packaging.statements import unsigned

SIGNED = "signature by a key"

WORDS = {
    "parameters": "parameters",
    "parameter_schema": "signature",
    "tags": "tags",
    "schedules": "schedule",
    "flow_runner": "flow runner",
    "description": "description",
    "retries": "retries",
    "retry_delay": "retry delay",
    "max_restarts": "restarts after a crash",
    "is_verified": "verification",
}
"""The fields that are compared, in a person's words."""


def is_other_code(before: Deployment, after: Deployment) -> bool:
    """Whether something else is run, whoever signed it."""
    return unsigned(before.code) != unsigned(after.code)


def changed_words(before: Deployment, after: Deployment) -> list[str]:
    """What changed, in words and in this order."""
    changed = [word for field, word in WORDS.items() if _told(before, field) != _told(after, field)]
    return [*changed, SIGNED] if before.code.signature != after.code.signature else changed


def _told(deployment: Deployment, field: str) -> Any:
    """What somebody wrote, without what the orchestration gave."""
    return [schedule.wanted for schedule in deployment.schedules] if field == "schedules" else getattr(deployment, field)
