"""Leftovers: files that nothing refers to any more. What made them was killed, or could not reach them, when what referred to them was forgotten."""

import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.filters import MOST_ROWS, DeploymentFilter, FlowRunFilter, Page
from headrace.packaging.removing import remove
from headrace.results import FOLDER

CODE = "code"
MOST_VERSIONS = 1000


@attrs.frozen(kw_only=True)
class Leftovers:
    """Root runs that are forgotten and still have results, archives of code that no deployment has or had, and unpacked code that none has now."""

    results: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    unpacked: tuple[str, ...] = ()


def leftovers(house: Instance) -> Leftovers:
    """What is left over in the storage that results and code go to if nothing else is said, and in the home. Raises StorageUnusable."""
    current, ever = _archives(house)
    with house.code_storage() as storage:
        roots = sorted({key.split("/")[1] for key in storage.keys(f"{FOLDER}/") if key.count("/") > 1})
        archives = tuple(key for key in storage.keys(f"{CODE}/") if key not in ever)
    portions = [tuple(roots[start : start + MOST_ROWS]) for start in range(0, len(roots), MOST_ROWS)]
    known = {run.id for ids in portions for run in house.client.read_flow_runs(FlowRunFilter(ids=ids), Page())}
    unpacked = tuple(name for name in _names(house.settings.home / CODE) if f"{CODE}/{name}.tar.gz" not in current)
    return Leftovers(results=tuple(root for root in roots if root not in known), archives=archives, unpacked=unpacked)


def remove_leftovers(house: Instance, found: Leftovers) -> None:
    """Removes them; an archive that somebody deploys meanwhile stays."""
    house.results.forget(found.results)
    with house.code_storage() as storage:
        for key in found.archives:
            if key not in _archives(house)[1]:
                storage.delete(key)
    for name in found.unpacked:
        remove(house.settings.home / CODE / name)


def _archives(house: Instance) -> tuple[set[str], set[str]]:
    """The keys of archives that deployments have now, and of those that they have or had."""
    current, ever = set(), set()
    for deployment in _deployments(house):
        if deployment.code.archive is not None:
            current.add(deployment.code.archive.key)
        versions = house.client.read_deployment_versions(deployment.id, MOST_VERSIONS)
        ever |= {version.code.archive.key for version in versions if version.code.archive is not None}
    return current, current | ever


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
