"""Leftovers: unpacked code in the home that no deployment has any more."""

import os
from collections.abc import Iterator
from pathlib import Path

from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, Page
from headrace.packaging.removing import remove

CODE = "code"


def leftovers(house: Instance) -> list[str]:
    """The addresses of code that is unpacked here, and that no deployment has now."""
    current = {each.code.archive.sha256 for each in _deployments(house) if each.code.archive is not None}
    return [name for name in _names(house.settings.home / CODE) if name not in current]


def remove_leftovers(house: Instance, found: list[str]) -> None:
    """Removes it; who needs it after all gets it anew."""
    for name in found:
        remove(house.settings.home / CODE / name)


def _deployments(house: Instance) -> Iterator[Deployment]:
    after: str | None = None
    while page := house.client.read_deployments(DeploymentFilter(), Page(after=after)):
        yield from page
        after = page[-1].id


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
