"""Changes: what is different between two versions of a deployment, apart from its code."""

from typing import Any

import attrs

from headrace.model.deployments import Code, Deployment

STORAGE, SIGNED = "storage", "signature by a key"

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
    """Whether something else is run, whoever signed it and wherever it lies."""
    return _anywhere(before.code) != _anywhere(after.code)


def changed_words(before: Deployment, after: Deployment) -> list[str]:
    """What changed, in words and in this order."""
    changed = [STORAGE] if _lies_elsewhere(before.code, after.code) else []
    changed += [word for field, word in WORDS.items() if _told(before, field) != _told(after, field)]
    return [*changed, SIGNED] if before.code.signature != after.code.signature else changed


def _anywhere(code: Code) -> Code:
    archive = code.archive
    return attrs.evolve(code, signature=None, archive=attrs.evolve(archive, storage=None, folder="") if archive is not None else None)


def _lies_elsewhere(before: Code, after: Code) -> bool:
    was, now = before.archive, after.archive
    return was is not None and now is not None and (was.storage, was.folder) != (now.storage, now.folder)


def _told(deployment: Deployment, field: str) -> Any:
    """What somebody wrote, without what the orchestration gave."""
    return [schedule.wanted for schedule in deployment.schedules] if field == "schedules" else getattr(deployment, field)
