"""Deployments as JSON shows them, and how much code travels with them."""

from typing import Any

from headrace.model.deployments import Archive, Deployment
from headrace.packaging.sizes import said
from headrace.wire.plain import to_plain


def deployment_row(found: Deployment) -> dict[str, Any]:
    """A deployment as JSON shows it; its name is the whole one."""
    plain: dict[str, Any] = to_plain(found)
    return {**plain, "name": found.full_name}


def files_of(archive: Archive) -> str:
    """How many files there are, and how big."""
    return f"{archive.files} {'file' if archive.files == 1 else 'files'}, {said(archive.size)}"
