"""Applying a plan: code into storages first, then all deployments in one transaction; so there is no deployment whose code is not there."""

from collections.abc import Callable
from functools import partial

import attrs

from headrace.deploying.plan import Outcome, Planned
from headrace.instance import Instance
from headrace.packaging.packing import write_archive
from headrace.packaging.sizes import said


def applied(house: Instance, plan: list[Planned], *, say: Callable[[str], None]) -> list[Planned]:
    """Does what the plan says; the answer has the deployments as they are kept. Raises what storages and the orchestration raise."""
    _write(house, plan, say)
    different = [planned for planned in plan if planned.outcome is not Outcome.UNCHANGED]
    kept = iter(house.client.put_deployments(tuple(planned.deployment for planned in different)) if different else ())
    return [planned if planned.outcome is Outcome.UNCHANGED else attrs.evolve(planned, deployment=next(kept)) for planned in plan]


def _write(house: Instance, plan: list[Planned], say: Callable[[str], None]) -> None:
    """Writes the archives that are not there; reserved before, so that nobody who clears up takes them for what nothing needs."""
    archives = {
        repr(planned.deployment.code.archive): (planned.deployment.code.archive, planned.tree)
        for planned in plan
        if planned.deployment.code.archive is not None and planned.tree is not None
    }
    for archive, tree in archives.values():
        house.client.reserve_keys(archive.storage or house.places.own, (archive.name,))
        files = "1 file" if archive.files == 1 else f"{archive.files} files"
        packing = partial(say, f"packing {files} ({said(archive.size)}) of {tree.what}")
        with house.code_storage(archive.storage) as storage:
            write_archive(tree, archive.key, storage, begun=packing)
