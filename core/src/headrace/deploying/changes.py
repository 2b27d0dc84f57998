"""Changes: what is different between two versions of a deployment, apart from its code."""

from headrace.model.deployments import Deployment

WORDS = {
    "parameters": "parameters",
    "parameter_schema": "signature",
    "tags": "tags",
    "schedule": "schedule",
    "flow_runner": "flow runner",
    "description": "description",
    "retries": "retries",
    "retry_delay": "retry delay",
    "max_restarts": "restarts after a crash",
    "is_verified": "verification",
}
"""The fields that are compared, in a person's words."""


def changed_words(before: Deployment, after: Deployment) -> list[str]:
    """What changed, in words and in this order."""
    return [word for field, word in WORDS.items() if getattr(before, field) != getattr(after, field)]
